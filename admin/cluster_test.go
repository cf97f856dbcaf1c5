package admin

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/actors/actorstest"
	"github.com/jackdaw-im/jackdaw/proto/adminpb"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// someCluster is a Cluster and an Own that notes what it is asked.
type someCluster struct {
	mu   sync.Mutex
	did  []string
	fail error
}

func (s *someCluster) note(what string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.did = append(s.did, what)
	return s.fail
}

func (s *someCluster) ClusterStatus(context.Context) (*adminpb.ClusterStatus, error) {
	return &adminpb.ClusterStatus{Cluster: "c", Members: []*adminpb.ClusterMember{{Name: "n1", Own: s.NodeStatus()}}}, s.note("status")
}

func (s *someCluster) ClusterToken(_ context.Context, life time.Duration) (*adminpb.Token, error) {
	return &adminpb.Token{Token: "jackdaw1.x", Expires: 7}, s.note("token " + life.String())
}

func (s *someCluster) Drain(_ context.Context, req *adminpb.DrainNode) (*adminpb.DrainStatus, error) {
	return &adminpb.DrainStatus{Node: req.GetNode(), Phase: "lightening"}, s.note("drain " + req.GetNode())
}

func (s *someCluster) Undrain(_ context.Context, node string) (*adminpb.DrainStatus, error) {
	return &adminpb.DrainStatus{Node: node, Phase: "returning"}, s.note("undrain " + node)
}

func (s *someCluster) DrainStatus(_ context.Context, node string) (*adminpb.DrainStatus, error) {
	return &adminpb.DrainStatus{Node: node, Phase: "none"}, s.note("how far " + node)
}

func (s *someCluster) ChangeCluster(_ context.Context, req *adminpb.ChangeCluster) (*adminpb.Changed, error) {
	return &adminpb.Changed{Version: 8, What: "revoked " + req.GetRevoke()}, s.note("change")
}

func (s *someCluster) NodeStatus() *adminpb.NodeStatus {
	return &adminpb.NodeStatus{Node: "n1@1", Mine: 12}
}

func (s *someCluster) BeginDrain(*adminpb.DrainNode) (*adminpb.DrainStatus, error) {
	return &adminpb.DrainStatus{Phase: "lightening"}, s.note("begin")
}

func (s *someCluster) EndDrain() (*adminpb.DrainStatus, error) {
	return &adminpb.DrainStatus{Phase: "returning"}, s.note("end")
}

func (s *someCluster) DrainProgress() *adminpb.DrainStatus {
	return &adminpb.DrainStatus{Phase: "clients", Left: 3}
}

// socketOf serves a cluster.
func socketOf(t *testing.T, c Cluster) *Client {
	t.Helper()
	s := NewSocket(SocketConfig{Path: filepath.Join(t.TempDir(), "s.sock"), Cluster: c, Status: func() Status { return Status{} }})
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return dial(t, s.cfg.Path)
}

// requests are all that are about a cluster.
func requests(c Cluster) map[string]func() (proto.Message, error) {
	ctx := context.Background()
	return map[string]func() (proto.Message, error){
		"status":     func() (proto.Message, error) { return c.ClusterStatus(ctx) },
		"token 1m0s": func() (proto.Message, error) { return c.ClusterToken(ctx, time.Minute) },
		"drain n2":   func() (proto.Message, error) { return c.Drain(ctx, &adminpb.DrainNode{Node: "n2"}) },
		"undrain n2": func() (proto.Message, error) { return c.Undrain(ctx, "n2") },
		"how far n2": func() (proto.Message, error) { return c.DrainStatus(ctx, "n2") },
		"change": func() (proto.Message, error) {
			return c.ChangeCluster(ctx, &adminpb.ChangeCluster{Kind: &adminpb.ChangeCluster_Revoke{Revoke: "n3"}})
		},
	}
}

// TestClusterThroughASocket: a client answers as the server itself does.
func TestClusterThroughASocket(t *testing.T) {
	direct, behind := &someCluster{}, &someCluster{}
	want, got := requests(direct), requests(socketOf(t, behind))
	for what := range want {
		w, _ := want[what]()
		g, err := got[what]()
		if err != nil || !proto.Equal(w, g) {
			t.Errorf("%s: %v, %v; want %v", what, g, err, w)
		}
		if did := behind.did[len(behind.did)-1]; did != what {
			t.Errorf("%s became %s", what, did)
		}
	}
	behind.fail = Refuse(ErrBusy, "no other node could take it")
	for what, ask := range got {
		if _, err := ask(); !errors.Is(err, ErrBusy) || err.Error() != "admin: no other node could take it" {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestNoCluster(t *testing.T) {
	for what, ask := range requests(socketOf(t, nil)) {
		if _, err := ask(); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "isn't part of a cluster") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestOperator: nodes ask each other by an actor that is pinned to each.
func TestOperator(t *testing.T) {
	actorstest.Config{Node: "n1@1"}.Run(t, func(t *testing.T, k *actorstest.Kit) {
		own, d := &someCluster{}, Operators(k.System())
		k.Start(supervision.Sup(supervision.SupervisorSpec{ID: "operations", Children: []supervision.ChildSpec{d.Child()}}))
		for range 2 { // as after a restart of who starts it
			if err := StartOperator(d, own); err != nil {
				t.Fatal(err)
			}
		}
		ask := func(req *adminpb.Request) (*adminpb.Response, error) {
			return AskOperator(t.Context(), k.System(), "n1@1", req)
		}
		if resp, err := ask(&adminpb.Request{Kind: &adminpb.Request_GetNode{}}); err != nil || resp.GetNode().GetMine() != 12 {
			t.Errorf("%v, %v", resp, err)
		}
		for _, c := range []struct {
			req   *adminpb.Request
			phase string
		}{
			{&adminpb.Request{Kind: &adminpb.Request_DrainNode{}}, "lightening"},
			{&adminpb.Request{Kind: &adminpb.Request_UndrainNode{}}, "returning"},
			{&adminpb.Request{Kind: &adminpb.Request_GetDrain{}}, "clients"},
		} {
			if resp, err := ask(c.req); err != nil || resp.GetDrain().GetPhase() != c.phase {
				t.Errorf("%v, %v", resp, err)
			}
		}
		own.fail = Refuse(ErrBusy, "alone")
		if _, err := ask(&adminpb.Request{Kind: &adminpb.Request_DrainNode{}}); !errors.Is(err, ErrBusy) || err.Error() != "admin: alone" {
			t.Errorf("a refusal: %v", err)
		}
		for _, req := range []*adminpb.Request{{}, {Kind: &adminpb.Request_RemoveUser{}}, {Kind: &adminpb.Request_ChangeCluster{}}} {
			if _, err := ask(req); !errors.Is(err, ErrInvalid) {
				t.Errorf("%v: %v", req, err)
			}
		}
		if _, err := k.System().Call(t.Context(), OperatorRef("n1@1"), "nonsense"); err == nil {
			t.Error("nonsense is answered")
		}
		_ = k.System().Cast(OperatorRef("n1@1"), "nonsense")
		if _, err := AskOperator(t.Context(), k.System(), "n2@1", &adminpb.Request{}); !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), "n2@1 doesn't answer") {
			t.Errorf("another node: %v", err)
		}
		if _, ok := k.System().WhereIs("operator"); ok {
			t.Error("it has a name that somebody could take")
		}
	})
}
