//go:build !race

package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/mailbox"
	"github.com/jackdaw-im/jackdaw/admin"
	"github.com/jackdaw-im/jackdaw/client"
	"github.com/jackdaw-im/jackdaw/cluster/trust"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/adminpb"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/store/memstore"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

// TestClusterStatus: each node shows the same cluster, through its socket too.
func TestClusterStatus(t *testing.T) {
	r := newClusterRig(t, 3)
	r.until("all agree", func() bool {
		for i := range r.nodes {
			st, err := r.ops(i).ClusterStatus(t.Context())
			if err != nil || !st.GetAgreed() {
				return false
			}
			for _, m := range st.GetMembers() { // who hasn't told yet is taken to agree
				if m.GetView() != st.GetView() {
					return false
				}
			}
		}
		return true
	})
	a, err := admin.Connect(t.Context(), r.nodes[1].cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Close() }() // it has nothing left to say
	st, err := a.ClusterStatus(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if st.GetCluster() == "" || st.GetNode() != string(r.nodes[1].sys.Node()) || st.GetUnowned() != 0 || len(st.GetMembers()) != 3 {
		t.Errorf("%v", st)
	}
	if b := st.GetBundle(); b.GetVersion() < 2 || b.GetRotating() || len(b.GetLagging()) > 0 || b.GetStores() != "postgres://jackdaw:(secret)@db.example/mail" || len(b.GetAuthorities()) != 1 {
		t.Errorf("%v", b)
	}
	owned := int64(0)
	for i, m := range st.GetMembers() {
		owned += m.GetOwned()
		left := int64(0)
		for _, s := range m.GetLost() {
			left += s.GetPartitions()
		}
		own := m.GetOwn()
		if m.GetName() != fmt.Sprintf("n%d", i+1) || m.GetState() != "active" || m.GetWeight() != 100 || m.GetView() != st.GetView() || len(m.GetLost()) != 2 || left != ident.Partitions ||
			m.GetSilent() != "" || m.GetGossip() == "" || m.GetClient() != fmt.Sprintf("127.0.0.%d:5222", i+1) || m.GetRelease() == "" || m.GetBundle() != st.GetBundle().GetVersion() {
			t.Errorf("%v", m)
		}
		if own.GetMine() != m.GetOwned() || own.GetNotReady() != "" || own.GetStore() != "serving" || len(own.GetLinks()) != 6 || own.GetDrain().GetPhase() != "none" ||
			own.GetView() != st.GetView() || time.Until(time.UnixMicro(own.GetCertificateEnds())) < 24*time.Hour {
			t.Errorf("%v", own)
		}
	}
	if owned != ident.Partitions {
		t.Errorf("%d partitions are owned", owned)
	}
	if _, err := a.DrainStatus(t.Context(), "n9"); !errors.Is(err, admin.ErrInvalid) || !strings.Contains(err.Error(), "there are n1, n2, n3") {
		t.Errorf("no such node: %v", err)
	}
	if st, err := a.DrainStatus(t.Context(), string(r.nodes[2].sys.Node())); err != nil || st.GetNode() != string(r.nodes[2].sys.Node()) {
		t.Errorf("by its id: %v, %v", st, err)
	}
	text, err := metricsOf(r.nodes[0])
	if err != nil || !strings.Contains(text, `jackdaw_cluster_members{state="active"} 3`) || !strings.Contains(text, `jackdaw_link_queue{class="messages",peer="n3"}`) ||
		!strings.Contains(text, "jackdaw_cluster_agreed 1") {
		t.Errorf("%v\n%s", err, text)
	}
}

func metricsOf(n *Node) (string, error) {
	resp, err := http.Get("http://" + n.Listening().Admin + "/metrics")
	if err != nil {
		return "", err
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer func() { _ = resp.Body.Close() }() // it is read to its end
	var b strings.Builder
	_, err = io.Copy(&b, resp.Body)
	return b.String(), err
}

// TestDrainOfANode: another node is asked to empty one, which has a client, and to fill it again.
func TestDrainOfANode(t *testing.T) {
	r := newClusterRig(t, 3)
	r.user("juliet@localhost")
	n := r.nodes[1]
	c, _ := login(t, n, "juliet@localhost/balcony", client.Config{Management: true})
	ops := r.ops(0)
	st, err := ops.Drain(t.Context(), &adminpb.DrainNode{Node: "n2", OverMs: 100, TimeoutMs: 60_000})
	if err != nil || st.GetNode() != string(n.sys.Node()) || st.GetPhase() != "lightening" || st.GetWeight() != 75 {
		t.Fatalf("%v, %v", st, err)
	}
	if err := n.Ready(); err == nil || err.Error() != "draining" {
		t.Errorf("it is ready while it is emptied: %v", err)
	}
	r.until("it is empty", func() bool {
		st, err = ops.DrainStatus(t.Context(), "n2")
		return err == nil && st.GetPhase() == "drained"
	})
	if st.GetPartitions() != 0 || st.GetTold() != 1 || st.GetLeft() != 0 || st.GetElapsedMs() < 300 {
		t.Errorf("%v", st)
	}
	<-c.Done()
	end := (*xmpp.StreamError)(nil)
	if !errors.As(c.Err(), &end) || end.Condition != xmpp.SeeOtherHost || end.Host != "127.0.0.1:5222" && end.Host != "127.0.0.3:5222" {
		t.Errorf("the client was told %v", c.Err())
	}
	r.until("the others have its share", func() bool { return r.share() == ident.Partitions })
	if _, err := net.Dial("tcp", n.Listening().C2STLS); err == nil {
		t.Error("an empty node takes clients")
	}
	if st, err = ops.Undrain(t.Context(), "n2"); err != nil || st.GetPhase() != "returning" {
		t.Fatalf("%v, %v", st, err)
	}
	r.until("it has its share again", func() bool { return n.Ready() == nil && n.cluster.Status().Mine > 1000 })
	c, in := login(t, n, "juliet@localhost/garden", client.Config{})
	send(t, c, "echo@localhost", "hello")
	in.want("chat echo@localhost: hello")
}

// TestDrainGoesOn: when the node's parts are started anew, the drain is not forgotten.
func TestDrainGoesOn(t *testing.T) {
	r := newClusterRig(t, 2)
	n := r.nodes[1]
	if _, err := r.ops(1).Drain(t.Context(), &adminpb.DrainNode{TimeoutMs: 60_000}); err != nil {
		t.Fatal(err)
	}
	r.until("it is empty", func() bool { return n.drain.DrainProgress().GetPhase() == "drained" })
	if _, err := r.ops(1).Drain(t.Context(), &adminpb.DrainNode{Node: "n1", TimeoutMs: 60_000}); !errors.Is(err, admin.ErrBusy) {
		t.Errorf("the last node is emptied: %v", err)
	}
	if _, err := r.ops(0).Drain(t.Context(), &adminpb.DrainNode{OverMs: 2, TimeoutMs: 1}); !errors.Is(err, admin.ErrInvalid) {
		t.Errorf("no time for all of it: %v", err)
	}
	again := n.gateway.Load()
	if err := n.sys.Exit(actors.Ref{Kind: "service", ID: "gateway"}, actors.Crashed(errors.New("on purpose"))); err != nil {
		t.Fatal(err)
	}
	r.until("there is another gateway", func() bool { return n.gateway.Load() != again })
	r.until("it is empty again", func() bool {
		st := n.drain.DrainProgress()
		return st.GetPhase() == "drained" && st.GetPartitions() == 0 && n.gateway.Load().Draining().Draining
	})
}

// TestChangesOfTheCluster: what one node is told, all have soon.
func TestChangesOfTheCluster(t *testing.T) {
	r := newClusterRig(t, 3)
	ops := r.ops(2)
	all := func(version uint64) func() bool {
		return func() bool {
			for i := range r.nodes {
				if b := r.bundle(i); b.Version < version || b.Rotating() {
					return false
				}
			}
			return true
		}
	}
	pin := &adminpb.Pin{Kind: mailbox.Kind, Id: "hot@localhost", Node: "n2"}
	for _, change := range []*adminpb.ChangeCluster{
		{Kind: &adminpb.ChangeCluster_Pin{Pin: pin}},
		{Kind: &adminpb.ChangeCluster_Rotate{Rotate: &adminpb.Rotate{What: adminpb.Rotate_TICKETS}}},
		{Kind: &adminpb.ChangeCluster_Rotate{Rotate: &adminpb.Rotate{What: adminpb.Rotate_TOKEN}}},
		{Kind: &adminpb.ChangeCluster_Rotate{Rotate: &adminpb.Rotate{}}},
	} {
		done, err := ops.ChangeCluster(t.Context(), change)
		if err != nil || done.GetWhat() == "" {
			t.Fatalf("%v: %v, %v", change, done, err)
		}
		if change.GetRotate() != nil && change.GetRotate().GetWhat() == adminpb.Rotate_ALL {
			if _, err := ops.ChangeCluster(t.Context(), change); !errors.Is(err, admin.ErrBusy) {
				t.Errorf("in the midst of a rotation: %v", err)
			}
		}
		r.until(done.GetWhat(), all(done.GetVersion()))
	}
	st, err := r.ops(0).ClusterStatus(t.Context())
	if err != nil || len(st.GetPins()) != 1 || st.GetPins()[0].GetNode() != "n2" {
		t.Errorf("%v, %v", st.GetPins(), err)
	}
	if local := r.nodes[1].cluster.Local(mailbox.Ref("hot@localhost")); !local {
		t.Error("what is pinned isn't there")
	}
	if share := r.share(); share != ident.Partitions {
		t.Errorf("%d partitions after the rotations", share)
	}
	for name, change := range map[string]*adminpb.ChangeCluster{
		"itself":     {Kind: &adminpb.ChangeCluster_Revoke{Revoke: "n3"}},
		"no name":    {Kind: &adminpb.ChangeCluster_Revoke{Revoke: "N 3"}},
		"readmitted": {Kind: &adminpb.ChangeCluster_Readmit{Readmit: "n1"}},
		"no kind":    {Kind: &adminpb.ChangeCluster_Pin{Pin: &adminpb.Pin{Kind: "session", Id: "x", Node: "n1"}}},
		"no id":      {Kind: &adminpb.ChangeCluster_Pin{Pin: &adminpb.Pin{Kind: mailbox.Kind, Node: "n1"}}},
		"no store":   {Kind: &adminpb.ChangeCluster_Stores{Stores: &adminpb.SetStores{Stores: []string{"postgres://a/b"}}}},
		"no change":  {},
		"no key":     {Kind: &adminpb.ChangeCluster_Rotate{Rotate: &adminpb.Rotate{What: 99}}},
	} {
		if _, err := ops.ChangeCluster(t.Context(), change); !errors.Is(err, admin.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ops.ClusterToken(t.Context(), 365*24*time.Hour); !errors.Is(err, admin.ErrInvalid) {
		t.Errorf("a token for a year: %v", err)
	}
}

// movable is a store that can be reached by other addresses.
type movable struct {
	store.Engine
	mu    sync.Mutex
	moves []string
}

func (m *movable) Readdress(_ context.Context, list, directory string, check bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if strings.Contains(list, "wrong") {
		return errors.New("password authentication failed")
	}
	m.moves = append(m.moves, fmt.Sprintf("%s %s %v", list, directory, check))
	return nil
}

func (m *movable) last() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.moves) == 0 {
		return ""
	}
	return m.moves[len(m.moves)-1]
}

// TestOtherAddressesOfTheStores: they are tried where they come, and used everywhere.
func TestOtherAddressesOfTheStores(t *testing.T) {
	r := newClusterRig(t, 2)
	var engines []*movable
	for _, n := range r.nodes {
		m := &movable{Engine: n.engine}
		n.engine = m
		engines = append(engines, m)
	}
	set := func(list ...string) error {
		_, err := r.ops(0).ChangeCluster(t.Context(), &adminpb.ChangeCluster{Kind: &adminpb.ChangeCluster_Stores{Stores: &adminpb.SetStores{Stores: list, Directory: "postgres://u:new@h/dir"}}})
		return err
	}
	before := r.bundle(0).Version
	if err := set("postgres://u:wrong@h/mail"); !errors.Is(err, admin.ErrInvalid) || !strings.Contains(err.Error(), "nothing is changed: password authentication failed") || r.bundle(0).Version != before {
		t.Errorf("a wrong password: %v", err)
	}
	if err := set("postgres://u:new@h/mail", "postgres://u:new@h2/mail"); err != nil {
		t.Fatal(err)
	}
	const want = "postgres://u:new@h/mail,postgres://u:new@h2/mail postgres://u:new@h/dir "
	if tried := engines[0].moves[0]; tried != want+"true" {
		t.Errorf("tried %q", tried)
	}
	r.until("both nodes use them", func() bool { return engines[0].last() == want+"false" && engines[1].last() == want+"false" })
	if r.share() != ident.Partitions {
		t.Errorf("%d partitions", r.share())
	}
}

// TestRevokedNode: the others go on without it, and it may come again once it is readmitted. It serves nobody any more.
func TestRevokedNode(t *testing.T) {
	r := newClusterRig(t, 3)
	r.user("juliet@localhost")
	thief := r.nodes[2]
	c, _ := login(t, thief, "juliet@localhost/balcony", client.Config{Management: true})
	done, err := r.ops(0).ChangeCluster(t.Context(), &adminpb.ChangeCluster{Kind: &adminpb.ChangeCluster_Revoke{Revoke: "n3"}})
	if err != nil {
		t.Fatal(err)
	}
	r.until("the others have all of it", func() bool {
		return r.nodes[0].cluster.Status().Mine+r.nodes[1].cluster.Status().Mine == ident.Partitions && !r.bundle(0).Rotating() && !r.bundle(1).Rotating()
	})
	st, err := r.ops(1).ClusterStatus(t.Context())
	if err != nil || fmt.Sprint(st.GetBundle().GetRevoked()) != "[n3]" || st.GetBundle().GetVersion() <= done.GetVersion() {
		t.Errorf("%v, %v", st.GetBundle(), err)
	}
	r.until("its client is told to go", func() bool {
		select {
		case <-c.Done():
			return true
		default:
			return false
		}
	})
	end := (*xmpp.StreamError)(nil)
	if !errors.As(c.Err(), &end) || end.Condition != xmpp.SeeOtherHost || end.Host != "127.0.0.1:5222" && end.Host != "127.0.0.2:5222" {
		t.Errorf("its client was told %v", c.Err())
	}
	r.until("it serves nobody", func() bool {
		conn, err := net.Dial("tcp", thief.Listening().C2STLS)
		if err == nil {
			_ = conn.Close() // it is only looked whether it opens
		}
		return err != nil && thief.cluster.Status().Mine == 0
	})
	if err := thief.Ready(); err == nil || !strings.Contains(err.Error(), "doesn't accept this node any more") {
		t.Errorf("it says %v", err)
	}
	if _, err := r.ops(2).Undrain(t.Context(), ""); !errors.Is(err, admin.ErrBusy) || !strings.Contains(err.Error(), "doesn't accept this node") {
		t.Errorf("it is to serve again: %v", err)
	}
	if _, err := r.ops(1).ChangeCluster(t.Context(), &adminpb.ChangeCluster{Kind: &adminpb.ChangeCluster_Readmit{Readmit: "n3"}}); err != nil {
		t.Error(err)
	}
}

// TestElsewhereIsNamed: an actor of another node is looked for there.
func TestElsewhereIsNamed(t *testing.T) {
	r := newClusterRig(t, 2)
	of := func(i int) actors.Ref {
		for u := 0; ; u++ {
			if ref := mailbox.Ref(ident.UserID(fmt.Sprintf("u%d@localhost", u))); r.nodes[i].cluster.Local(ref) {
				return ref
			}
		}
	}
	n := r.nodes[0]
	in := inspector{n.sys, n.refuseElsewhere}
	for _, c := range []struct {
		ref       actors.Ref
		says, not string
	}{
		{of(1), "isn't on this node, n1: by its view n2 at 127.0.0.1 has it, if it is alive. Run the same command on that machine", "no actor"},
		{actors.Ref{Kind: "session", ID: "7", Node: r.nodes[1].sys.Node()}, "by its view n2 at 127.0.0.1 has it", "no actor"},
		{of(0), "no actor mailbox/u", "isn't on this node"},
		{actors.Ref{Kind: "session", ID: "7"}, "no actor session/7 is alive", "isn't on this node"},
	} {
		if _, err := in.State(t.Context(), c.ref); !errors.Is(err, admin.ErrNoActor) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), c.not) {
			t.Errorf("%v: %v", c.ref, err)
		}
	}
}

// TestAuthorityByHand: it isn't said to be rotated by who can't.
func TestAuthorityByHand(t *testing.T) {
	r := &clusterRig{t: t, store: memstore.New(memstore.Options{Shared: true}), log: zap.NewNop()}
	dir := t.TempDir()
	h, err := trust.MakeHandFolder(dir, time.Now())
	if err == nil {
		_, err = h.IssueTo(dir, "n1", "", time.Hour, time.Now())
	}
	if err != nil {
		t.Fatal(err)
	}
	cfg := r.config()
	cfg.Cluster.Authority, cfg.Cluster.NodeCert, cfg.Cluster.NodeKey = filepath.Join(dir, trust.AuthorityFile), filepath.Join(dir, "n1.pem"), filepath.Join(dir, "n1.key")
	n, err := r.open(cfg)
	if err == nil {
		err = n.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.stop(n) })
	r.nodes = append(r.nodes, n)
	rotate := func(what adminpb.Rotate_What) (*adminpb.Changed, error) {
		return r.ops(0).ChangeCluster(t.Context(), &adminpb.ChangeCluster{Kind: &adminpb.ChangeCluster_Rotate{Rotate: &adminpb.Rotate{What: what}}})
	}
	before := r.bundle(0).Version
	if _, err := rotate(adminpb.Rotate_AUTHORITY); !errors.Is(err, admin.ErrInvalid) || !strings.Contains(err.Error(), "jackdaw cert rotate DIR") || r.bundle(0).Version != before {
		t.Errorf("%v", err)
	}
	if done, err := rotate(adminpb.Rotate_TOKEN); err != nil || strings.Contains(done.GetWhat(), "by hand") {
		t.Errorf("%v, %v", done, err)
	}
	if done, err := rotate(adminpb.Rotate_ALL); err != nil || !strings.Contains(done.GetWhat(), "certificates that are made by hand stay as they are") {
		t.Errorf("%v, %v", done, err)
	}
}

// TestAloneIsNoCluster: a node without a cluster says so.
func TestAloneIsNoCluster(t *testing.T) {
	cfg := testConfig(t)
	n := startNode(t, cfg)
	a, err := admin.Connect(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Close() }() // it has nothing left to say
	if _, err := a.ClusterStatus(t.Context()); !errors.Is(err, admin.ErrInvalid) || !strings.Contains(err.Error(), "isn't part of a cluster") {
		t.Errorf("%v", err)
	}
	if _, err := a.Drain(t.Context(), &adminpb.DrainNode{}); !errors.Is(err, admin.ErrInvalid) {
		t.Errorf("%v", err)
	}
	if n.newOperations() != nil || n.clusterSource() != nil || n.operationServices() != nil {
		t.Error("parts of a cluster without one")
	}
}
