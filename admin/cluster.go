package admin

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/proto/adminpb"
	"github.com/jackdaw-im/jackdaw/telemetry"
)

// Cluster is what operators see of a cluster and do to it, by way of one of its nodes. A node implements it, and [Client]. Nodes are meant
// by name, or by id; "" is the node itself. ErrInvalid: there is no such node, or no cluster.
type Cluster interface {
	// ClusterStatus looks at all nodes. One that doesn't answer in time is shown as the others see it.
	ClusterStatus(ctx context.Context) (*adminpb.ClusterStatus, error)
	// ClusterToken makes a token by which nodes join, good for life.
	ClusterToken(ctx context.Context, life time.Duration) (*adminpb.Token, error)
	// Drain begins to empty a node and returns. ErrBusy if that can't begin now.
	Drain(ctx context.Context, req *adminpb.DrainNode) (*adminpb.DrainStatus, error)
	// Undrain lets a node take its share and clients again, and returns before it has.
	Undrain(ctx context.Context, node string) (*adminpb.DrainStatus, error)
	// DrainStatus says how far a node is.
	DrainStatus(ctx context.Context, node string) (*adminpb.DrainStatus, error)
	// ChangeCluster changes what all nodes share. It is durable on this node when it returns, and the others follow.
	ChangeCluster(ctx context.Context, req *adminpb.ChangeCluster) (*adminpb.Changed, error)
}

// errNoCluster refuses what needs a cluster.
var errNoCluster = fmt.Errorf("%w: this server isn't part of a cluster: it was started without --cluster and --join", ErrInvalid)

// errOfNodes refuses what only nodes ask each other: ClusterStatus has the answers of all.
var errOfNodes = fmt.Errorf("%w: nodes ask each other that; ask for the cluster", ErrInvalid)

// clusterTime is how long the answer to a request about the cluster may take.
const clusterTime = 10 * time.Second

// cluster answers the requests about the cluster; nil if req is none.
func (s *Socket) cluster(req *adminpb.Request) *adminpb.Response {
	switch req.GetKind().(type) {
	case *adminpb.Request_GetNode:
		return failure(errOfNodes)
	case *adminpb.Request_GetCluster, *adminpb.Request_MakeToken, *adminpb.Request_DrainNode, *adminpb.Request_UndrainNode,
		*adminpb.Request_GetDrain, *adminpb.Request_ChangeCluster:
	default:
		return nil
	}
	if s.cfg.Cluster == nil {
		return failure(errNoCluster)
	}
	ctx, cancel := context.WithTimeout(s.ctx, clusterTime)
	defer cancel()
	return s.inCluster(ctx, s.cfg.Cluster, req)
}

func (s *Socket) inCluster(ctx context.Context, c Cluster, req *adminpb.Request) *adminpb.Response {
	resp := &adminpb.Response{}
	var err error
	switch k := req.GetKind().(type) {
	case *adminpb.Request_GetCluster:
		var st *adminpb.ClusterStatus
		st, err = c.ClusterStatus(ctx)
		resp.Kind = &adminpb.Response_Cluster{Cluster: st}
	case *adminpb.Request_MakeToken:
		var t *adminpb.Token
		t, err = c.ClusterToken(ctx, time.Duration(k.MakeToken.GetLifeMs())*time.Millisecond)
		s.log.Info("admin: join token made", zap.Error(err))
		resp.Kind = &adminpb.Response_Token{Token: t}
	case *adminpb.Request_DrainNode:
		var st *adminpb.DrainStatus
		st, err = c.Drain(ctx, k.DrainNode)
		s.log.Info("admin: drain", zap.String(telemetry.KeyNode, st.GetNode()), zap.Error(err))
		resp.Kind = &adminpb.Response_Drain{Drain: st}
	case *adminpb.Request_UndrainNode:
		var st *adminpb.DrainStatus
		st, err = c.Undrain(ctx, k.UndrainNode.GetNode())
		s.log.Info("admin: undrain", zap.String(telemetry.KeyNode, st.GetNode()), zap.Error(err))
		resp.Kind = &adminpb.Response_Drain{Drain: st}
	case *adminpb.Request_GetDrain:
		var st *adminpb.DrainStatus
		st, err = c.DrainStatus(ctx, k.GetDrain.GetNode())
		resp.Kind = &adminpb.Response_Drain{Drain: st}
	case *adminpb.Request_ChangeCluster:
		var done *adminpb.Changed
		done, err = c.ChangeCluster(ctx, k.ChangeCluster)
		s.log.Info("admin: the cluster is changed", zap.Uint64(telemetry.KeyVersion, done.GetVersion()), zap.String(telemetry.KeyText, done.GetWhat()), zap.Error(err))
		resp.Kind = &adminpb.Response_Changed{Changed: done}
	}
	if err != nil {
		return failure(err)
	}
	return resp
}

// ClusterStatus implements Cluster.
func (c *Client) ClusterStatus(ctx context.Context) (*adminpb.ClusterStatus, error) {
	resp, err := c.ask(ctx, &adminpb.Request{Kind: &adminpb.Request_GetCluster{GetCluster: &adminpb.GetCluster{}}})
	return resp.GetCluster(), err
}

// ClusterToken implements Cluster.
func (c *Client) ClusterToken(ctx context.Context, life time.Duration) (*adminpb.Token, error) {
	resp, err := c.ask(ctx, &adminpb.Request{Kind: &adminpb.Request_MakeToken{MakeToken: &adminpb.MakeToken{LifeMs: life.Milliseconds()}}})
	return resp.GetToken(), err
}

// Drain implements Cluster.
func (c *Client) Drain(ctx context.Context, req *adminpb.DrainNode) (*adminpb.DrainStatus, error) {
	resp, err := c.ask(ctx, &adminpb.Request{Kind: &adminpb.Request_DrainNode{DrainNode: req}})
	return resp.GetDrain(), err
}

// Undrain implements Cluster.
func (c *Client) Undrain(ctx context.Context, node string) (*adminpb.DrainStatus, error) {
	resp, err := c.ask(ctx, &adminpb.Request{Kind: &adminpb.Request_UndrainNode{UndrainNode: &adminpb.UndrainNode{Node: node}}})
	return resp.GetDrain(), err
}

// DrainStatus implements Cluster.
func (c *Client) DrainStatus(ctx context.Context, node string) (*adminpb.DrainStatus, error) {
	resp, err := c.ask(ctx, &adminpb.Request{Kind: &adminpb.Request_GetDrain{GetDrain: &adminpb.GetDrain{Node: node}}})
	return resp.GetDrain(), err
}

// ChangeCluster implements Cluster.
func (c *Client) ChangeCluster(ctx context.Context, req *adminpb.ChangeCluster) (*adminpb.Changed, error) {
	resp, err := c.ask(ctx, &adminpb.Request{Kind: &adminpb.Request_ChangeCluster{ChangeCluster: req}})
	return resp.GetChanged(), err
}
