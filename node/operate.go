package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackdaw-im/jackdaw/admin"
	"github.com/jackdaw-im/jackdaw/cluster/link"
	"github.com/jackdaw-im/jackdaw/cluster/member"
	"github.com/jackdaw-im/jackdaw/cluster/placement"
	"github.com/jackdaw-im/jackdaw/cluster/trust"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/adminpb"
)

// operations is the cluster as operators see it and change it, by way of this node. It implements admin.Cluster.
type operations struct{ n *Node }

// newOperations is nil on a node without a cluster.
func (n *Node) newOperations() admin.Cluster {
	if n.peers == nil {
		return nil
	}
	return operations{n}
}

// ready refuses while this node's part in the cluster isn't there.
func (o operations) ready() error {
	if !o.n.peers.up.Load() {
		return admin.Refuse(admin.ErrBusy, "this node is starting: its part in the cluster isn't there yet")
	}
	return nil
}

// find is the node that is meant, this one for "".
func (o operations) find(name string) (ident.NodeID, error) {
	if err := o.ready(); err != nil {
		return "", err
	}
	if name == "" {
		return o.n.sys.Node(), nil
	}
	var names []string
	var found *member.Member
	members := o.n.peers.member.View().Members
	for i := range members {
		m := &members[i]
		// Of two incarnations of one name, the one that is alive.
		if m.Name == name && (found == nil || found.Suspect) || string(m.ID) == name {
			found = m
		}
		names = append(names, m.Name)
	}
	if found == nil {
		return "", admin.Refuse(admin.ErrInvalid, "the cluster has no node %q: there are %s", name, strings.Join(slices.Compact(names), ", "))
	}
	return found.ID, nil
}

// ask has a node answer a request about itself.
func (o operations) ask(ctx context.Context, name string, req *adminpb.Request) (*adminpb.DrainStatus, error) {
	id, err := o.find(name)
	if err != nil {
		return nil, err
	}
	resp, err := admin.AskOperator(ctx, o.n.sys, id, req)
	return resp.GetDrain(), err
}

// Drain implements admin.Cluster.
func (o operations) Drain(ctx context.Context, req *adminpb.DrainNode) (*adminpb.DrainStatus, error) {
	return o.ask(ctx, req.GetNode(), &adminpb.Request{Kind: &adminpb.Request_DrainNode{DrainNode: req}})
}

// Undrain implements admin.Cluster.
func (o operations) Undrain(ctx context.Context, node string) (*adminpb.DrainStatus, error) {
	return o.ask(ctx, node, &adminpb.Request{Kind: &adminpb.Request_UndrainNode{UndrainNode: &adminpb.UndrainNode{Node: node}}})
}

// DrainStatus implements admin.Cluster.
func (o operations) DrainStatus(ctx context.Context, node string) (*adminpb.DrainStatus, error) {
	return o.ask(ctx, node, &adminpb.Request{Kind: &adminpb.Request_GetDrain{GetDrain: &adminpb.GetDrain{Node: node}}})
}

// ClusterToken implements admin.Cluster.
func (o operations) ClusterToken(_ context.Context, life time.Duration) (*adminpb.Token, error) {
	if err := o.ready(); err != nil {
		return nil, err
	}
	if life == 0 {
		life = trust.TokenLife
	}
	t, err := o.n.peers.live.NewToken(life)
	if err != nil {
		return nil, admin.Refuse(admin.ErrInvalid, "%v", err)
	}
	return &adminpb.Token{Token: t.Text(), Expires: t.Expires.UnixMicro(), Seed: o.n.peers.member.Self().Gossip}, nil
}

// ClusterStatus implements admin.Cluster.
func (o operations) ClusterStatus(ctx context.Context) (*adminpb.ClusterStatus, error) {
	if err := o.ready(); err != nil {
		return nil, err
	}
	p := o.n.peers
	v, c := p.member.View(), o.n.cluster.Status()
	b := p.live.Bundle()
	st := &adminpb.ClusterStatus{
		Cluster: b.Cluster, Node: string(o.n.sys.Node()), View: member.ViewText(v.ID), Agreed: p.member.Agreed(), Unowned: int64(c.Owned[""]),
		Bundle: bundleStatus(b, v.Members),
	}
	for _, x := range b.Overrides {
		st.Pins = append(st.Pins, &adminpb.Pin{Kind: x.Kind, Id: x.ID, Node: x.Node})
	}
	opinions := map[ident.NodeID]member.Opinion{o.n.sys.Node(): {View: v.ID}}
	for _, x := range p.member.Agreement() {
		opinions[x.ID] = x
	}
	revoked := func(n placement.Node) bool { return b.IsRevoked(n.ID.Name()) }
	lost := losses(slices.DeleteFunc(v.Placed(), revoked))
	for i := range v.Members {
		m := memberStatus(&v.Members[i], opinions[v.Members[i].ID])
		if m.GetRejected() == "" && b.IsRevoked(m.GetName()) { // gossip misses it later
			m.Rejected = "it is revoked"
		}
		m.Owned, m.Lost = int64(c.Owned[v.Members[i].ID]), lost[v.Members[i].ID]
		st.Members = append(st.Members, m)
	}
	o.askAll(ctx, st.GetMembers())
	for _, m := range st.GetMembers() {
		st.Hottest = append(st.Hottest, m.GetOwn().GetHottest()...)
	}
	st.Hottest = hotter(st.GetHottest())
	return st, nil
}

// askAll asks all members how they are, at once.
func (o operations) askAll(ctx context.Context, members []*adminpb.ClusterMember) {
	var asked sync.WaitGroup
	for _, m := range members {
		if m.GetRejected() != "" && m.GetNode() != string(o.n.sys.Node()) {
			continue // there is no link to it
		}
		asked.Go(func() {
			resp, err := admin.AskOperator(ctx, o.n.sys, ident.NodeID(m.GetNode()), &adminpb.Request{Kind: &adminpb.Request_GetNode{GetNode: &adminpb.GetNode{}}})
			if m.Own = resp.GetNode(); err != nil {
				m.Silent = strings.TrimPrefix(err.Error(), "admin: ")
			}
		})
	}
	asked.Wait()
}

// stampOf is the version of a member's keys, as gossip tells it.
func stampOf(m *member.Member) trust.Stamp {
	return trust.Stamp{Version: m.Trust >> 32, Digest: uint32(m.Trust)}
}

func redacted(d trust.DSN) string {
	if d == "" {
		return ""
	}
	return trust.RedactDSN(d.Reveal())
}

func memberStatus(m *member.Member, x member.Opinion) *adminpb.ClusterMember {
	s := &adminpb.ClusterMember{
		Node: string(m.ID), Name: m.Name, State: m.State.String(), Suspect: m.Suspect, Rejected: m.Rejected, Weight: m.Weight, Release: m.Release,
		Protocol: uint32(m.Proto), Gossip: m.Gossip, Carriage: m.Carriage, Client: m.Client, Bundle: stampOf(m).Version,
		ViewAgeMs: x.Age.Milliseconds(), ClockUs: x.Clock.Microseconds(),
	}
	if x.View != 0 {
		s.View = member.ViewText(x.View)
	}
	return s
}

// bundleStatus is what the nodes share, without its secrets.
func bundleStatus(b *trust.Bundle, members []member.Member) *adminpb.Bundle {
	versions := map[string]uint64{}
	for i := range members {
		if m := &members[i]; !m.Suspect {
			versions[m.Name] = max(versions[m.Name], stampOf(m).Version)
		}
	}
	s := &adminpb.Bundle{
		Version: b.Version, Changed: b.Last.At.UnixMicro(), By: b.Last.By, What: b.Last.What, Rotating: b.Rotating(), Lagging: b.Lagging(versions),
		Revoked: b.Revoked, Directory: redacted(b.Directory),
	}
	var stores []string
	for _, d := range b.Stores {
		stores = append(stores, redacted(d))
	}
	s.Stores = strings.Join(stores, ",")
	for i := range b.Authorities {
		s.Authorities = append(s.Authorities, b.Authorities[i].Pin().String())
	}
	return s
}

// ownStatus is what this node tells of itself.
func (n *Node) ownStatus() *adminpb.NodeStatus {
	c, h := n.cluster.Status(), n.engine.Health()
	s := &adminpb.NodeStatus{
		Node: string(n.sys.Node()), View: member.ViewText(c.View), Mine: int64(c.Mine), Waiting: int64(c.Waiting), Leaving: int64(c.Leaving), Held: int64(c.Held),
		Sessions: n.sessions.Live.Load(), Connections: n.connections.Open.Load(), Store: h.State.String(), StoreReason: h.Reason,
		Hottest: hottest(n.busy.look(n.sys, time.Now()), n.sys.Node().Name()), Drain: n.drain.DrainProgress(), CertificateEnds: n.peers.live.NotAfter().UnixMicro(),
		Forwarded: n.cluster.Counters().Forwarded.Load(), Bounced: n.cluster.Counters().Bounced.Load(),
	}
	if err := n.Ready(); err != nil {
		s.NotReady = err.Error()
	}
	if !n.peers.up.Load() {
		return s
	}
	via := map[ident.NodeID]ident.NodeID{}
	for _, w := range n.peers.links.Paths() {
		via[w.Peer.ID] = w.Via
	}
	for _, l := range n.peers.links.Stats() {
		status := linkStatus(&l)
		status.Via = string(via[l.Peer.ID])
		s.Links = append(s.Links, status)
	}
	return s
}

func linkStatus(l *link.Stat) *adminpb.LinkStatus {
	return &adminpb.LinkStatus{
		Peer: string(l.Peer.ID), Class: classText(l), Queue: int64(l.Queue), Unacked: int64(l.Unacked), Bytes: int64(l.Bytes), OldestUs: l.Oldest.Microseconds(),
		Sent: int64(l.Sent), Resent: int64(l.Resent), Refused: int64(l.Refused), Received: int64(l.Received), Duplicates: int64(l.Duplicates),
		RoundTripUs: l.RoundTrip.Microseconds(), Tries: int64(l.Tries), PeerRefuses: l.PeerRefuses,
	}
}

func classText(l *link.Stat) string { return strings.ToLower(l.Class.String()) }

// ChangeCluster implements admin.Cluster.
func (o operations) ChangeCluster(ctx context.Context, req *adminpb.ChangeCluster) (*adminpb.Changed, error) {
	if err := o.ready(); err != nil {
		return nil, err
	}
	change, err := o.change(ctx, req)
	if err != nil {
		return nil, err
	}
	b, err := o.n.peers.live.Change(change)
	switch {
	case errors.Is(err, trust.ErrRotating):
		return nil, admin.Refuse(admin.ErrBusy, "a rotation is under way: wait until all nodes have version %d", o.n.peers.live.Bundle().Version)
	case err != nil:
		return nil, admin.Refuse(admin.ErrInvalid, "%s", strings.TrimPrefix(err.Error(), "trust: "))
	}
	o.n.peers.keeper.Kick()
	return &adminpb.Changed{Version: b.Version, What: b.Last.What + o.butNot(req)}, nil
}

// butNot says what a change of all keys doesn't reach.
func (o operations) butNot(req *adminpb.ChangeCluster) string {
	_, revokes := req.GetKind().(*adminpb.ChangeCluster_Revoke)
	all := req.GetRotate() != nil && req.GetRotate().GetWhat() == adminpb.Rotate_ALL
	if !o.n.peers.live.ByHand() || !revokes && !all {
		return ""
	}
	return "; certificates that are made by hand stay as they are: see `jackdaw cert rotate`"
}

// change is what makes the next bundle.
func (o operations) change(ctx context.Context, req *adminpb.ChangeCluster) (func(*trust.Bundle) (*trust.Bundle, error), error) {
	by, now := o.n.peers.live.Name(), time.Now()
	switch k := req.GetKind().(type) {
	case *adminpb.ChangeCluster_Rotate:
		if o.n.peers.live.ByHand() && k.Rotate.GetWhat() == adminpb.Rotate_AUTHORITY {
			return nil, admin.Refuse(admin.ErrInvalid, "the certificates of this node are made by hand, so the authority is too: `jackdaw cert rotate DIR` takes the steps to a new one")
		}
		return rotation(k.Rotate.GetWhat(), by, now)
	case *adminpb.ChangeCluster_Revoke:
		if k.Revoke == by {
			return nil, admin.Refuse(admin.ErrInvalid, "a node can't shut itself out: ask another one")
		}
		if !o.knows(k.Revoke) {
			return nil, admin.Refuse(admin.ErrInvalid, "no node of this cluster is called %s, nor was lately: %s", k.Revoke, strings.Join(o.names(), ", "))
		}
		return func(b *trust.Bundle) (*trust.Bundle, error) { return b.Revoke(k.Revoke, by, now) }, nil
	case *adminpb.ChangeCluster_Readmit:
		if !o.n.peers.live.Bundle().IsRevoked(k.Readmit) {
			return nil, admin.Refuse(admin.ErrInvalid, "the node %s isn't revoked", k.Readmit)
		}
		return func(b *trust.Bundle) (*trust.Bundle, error) { return b.Readmit(k.Readmit, by, now) }, nil
	case *adminpb.ChangeCluster_Pin:
		p := k.Pin
		if !slices.Contains(placedKinds(), p.GetKind()) || p.GetId() == "" {
			return nil, admin.Refuse(admin.ErrInvalid, "only actors that are placed can be pinned: of the kinds %s", strings.Join(placedKinds(), " and "))
		}
		return func(b *trust.Bundle) (*trust.Bundle, error) {
			return b.WithOverride(trust.Override{Kind: p.GetKind(), ID: p.GetId(), Node: p.GetNode()}, by, now)
		}, nil
	case *adminpb.ChangeCluster_Stores:
		return o.stores(ctx, k.Stores, by, now)
	}
	return nil, admin.Refuse(admin.ErrInvalid, "this version doesn't know that change")
}

func rotation(what adminpb.Rotate_What, by string, now time.Time) (func(*trust.Bundle) (*trust.Bundle, error), error) {
	switch what {
	case adminpb.Rotate_ALL:
		return func(b *trust.Bundle) (*trust.Bundle, error) { return b.RotateAll(by, now) }, nil
	case adminpb.Rotate_GOSSIP:
		return func(b *trust.Bundle) (*trust.Bundle, error) { return b.InstallGossip(by, now) }, nil
	case adminpb.Rotate_AUTHORITY:
		return func(b *trust.Bundle) (*trust.Bundle, error) { return b.AddAuthority(by, now) }, nil
	case adminpb.Rotate_TICKETS:
		return func(b *trust.Bundle) (*trust.Bundle, error) { return b.RenewTickets(by, now), nil }, nil
	case adminpb.Rotate_TOKEN:
		return func(b *trust.Bundle) (*trust.Bundle, error) { return b.RotateToken(by, now), nil }, nil
	}
	return nil, admin.Refuse(admin.ErrInvalid, "this version doesn't know what is to be rotated")
}

// readdresser is an engine whose databases may be reached by other addresses while it runs.
type readdresser interface {
	Readdress(ctx context.Context, list, directory string, check bool) error
}

// stores tries new addresses here, before all nodes use them.
func (o operations) stores(ctx context.Context, req *adminpb.SetStores, by string, now time.Time) (func(*trust.Bundle) (*trust.Bundle, error), error) {
	engine, ok := o.n.engine.(readdresser)
	if !ok {
		return nil, admin.Refuse(admin.ErrInvalid, "this node's store is none that has addresses")
	}
	if err := engine.Readdress(ctx, strings.Join(req.GetStores(), ","), req.GetDirectory(), true); err != nil {
		return nil, admin.Refuse(admin.ErrInvalid, "nothing is changed: %v", err)
	}
	var list []trust.DSN
	for _, s := range req.GetStores() {
		list = append(list, trust.DSN(s))
	}
	return func(b *trust.Bundle) (*trust.Bundle, error) {
		return b.WithStores(list, trust.DSN(req.GetDirectory()), by, now)
	}, nil
}

// readdressTime bounds the taking over of new addresses, which waits for nothing but locks.
const readdressTime = 10 * time.Second

// readdress takes over new addresses of the stores that another node, or this one, has put into the bundle.
func (p *peers) readdress(from, to *trust.Bundle) error {
	engine, ok := p.n.engine.(readdresser)
	if !ok || slices.Equal(from.Stores, to.Stores) && from.Directory == to.Directory {
		return nil
	}
	var list []string
	for _, s := range to.Stores {
		list = append(list, s.Reveal())
	}
	ctx, cancel := context.WithTimeout(context.Background(), readdressTime)
	defer cancel()
	if err := engine.Readdress(ctx, strings.Join(list, ","), to.Directory.Reveal(), false); err != nil {
		return fmt.Errorf("node: the new addresses of the stores: %w", err)
	}
	return nil
}

// names are those of the cluster's nodes, and of those that have claimed parts of the store.
func (o operations) names() (list []string) {
	for _, m := range o.n.peers.member.View().Members {
		list = append(list, m.Name)
	}
	if claims, ok := o.n.engine.(interface{ Owners() []ident.NodeID }); ok {
		for _, id := range claims.Owners() {
			list = append(list, id.Name())
		}
	}
	slices.Sort(list)
	list = slices.Compact(list)
	return slices.DeleteFunc(list, func(name string) bool { return name == "" })
}

// knows reports whether a node of that name is or was in the cluster: a mistyped name would rotate all keys for nothing, and leave the one
// that was meant inside.
func (o operations) knows(name string) bool { return slices.Contains(o.names(), name) }
