package cluster_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/cluster"
	"github.com/jackdaw-im/jackdaw/cluster/link"
	"github.com/jackdaw-im/jackdaw/cluster/placement"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// rig is a cluster in one bubble: real links between real systems. Its nodes see what the test tells them.
type rig struct {
	t       testing.TB
	mu      sync.Mutex
	boxes   map[string][]string // by their names: the node and the number of each message
	nodes   map[ident.NodeID]*node
	cut     map[[2]ident.NodeID]bool
	views   uint64
	revoked []string // in the next views
	// newBox makes a placed actor; nil: a box. carrier takes a node's frames; nil: they come a moment later.
	newBox  func(n *node) actors.Behaviour
	carrier func(from *node, to link.Peer, f *nodepb.Frame) error
}

// node is one of them.
type node struct {
	r       *rig
	id      ident.NodeID
	sys     *actors.System
	root    *supervision.Root
	links   *link.Links
	c       *cluster.Cluster
	claimed [][]ident.Partition
	dead    bool
}

// box is a placed actor: it notes what it is sent, and answers calls with its node and how much it has.
type box struct {
	n       *node
	id      string
	got     []string
	retires int
}

func (b *box) Init(ctx *actors.Context, args any) error { b.id = args.(string); return nil }

func (b *box) Handle(ctx *actors.Context, msg any) error {
	switch m := msg.(type) {
	case *nodepb.RelayFailed:
		b.got = append(b.got, fmt.Sprint(m.Tag))
		b.n.r.mu.Lock()
		b.n.r.boxes[b.id] = append(b.n.r.boxes[b.id], fmt.Sprint(b.n.id, " ", m.Tag))
		b.n.r.mu.Unlock()
	case *nodepb.Attach: // crash, or end
		if m.Connected {
			return fmt.Errorf("on purpose")
		}
		ctx.Stop(actors.Normal)
	}
	return nil
}

func (b *box) HandleCall(ctx *actors.Context, _ actors.From, req any) (any, error) {
	if req.(*nodepb.Relay).Tag == 99 {
		return nil, fmt.Errorf("an error of its own")
	}
	return &nodepb.Relay{Resource: string(b.n.id), Stanza: []byte(fmt.Sprint(b.got))}, nil
}

func (b *box) Retire(*actors.Context) bool { b.retires++; return b.retires > 2 }

// peer is an actor of one node that notes what it hears and does what it is told.
type peer struct {
	n   *node
	ref actors.Ref
	mu  sync.Mutex
	got []string
}

func (p *peer) Init(*actors.Context, any) error { return nil }

func (p *peer) Handle(ctx *actors.Context, msg any) error {
	switch m := msg.(type) {
	case func(*actors.Context):
		m(ctx)
		return nil
	case *actors.Reply:
		p.note("reply %s %v", answer(m.Value), m.Err)
	case actors.Down:
		p.note("down %s %v", m.Target.ID, m.Reason)
	case *nodepb.RelayFailed:
		p.note("%d", m.Tag)
	default:
		p.note("%v", msg)
	}
	return nil
}

func (p *peer) Undelivered(_ *actors.Context, u actors.Undelivered) error {
	p.note("undelivered %s %d %v", u.To.ID, u.Msg.(*nodepb.RelayFailed).GetTag(), u.Err)
	return nil
}

func answer(v any) string {
	if m, ok := v.(*nodepb.Relay); ok && m != nil {
		return m.Resource + " " + string(m.Stanza)
	}
	return fmt.Sprint(v)
}

func (p *peer) note(f string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.got = append(p.got, fmt.Sprintf(f, args...))
}

// heard is what it has noted since the last time.
func (p *peer) heard() []string {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	got := p.got
	p.got = nil
	return got
}

func (p *peer) do(f func(ctx *actors.Context)) {
	if err := p.n.sys.Cast(p.ref, f); err != nil {
		p.n.r.t.Fatal(err)
	}
	synctest.Wait()
}

func run(t *testing.T, f func(r *rig)) {
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, boxes: map[string][]string{}, nodes: map[ident.NodeID]*node{}, cut: map[[2]ident.NodeID]bool{}}
		f(r)
	})
}

func (r *rig) start(id ident.NodeID, change ...func(*cluster.Options)) *node {
	n := &node{r: r, id: id}
	n.sys = actors.NewSystem(actors.Config{Workers: 2, Node: id})
	opts := cluster.Options{System: n.sys, Placed: []string{"box"}, Claim: func(list []ident.Partition, done func([]ident.Partition)) {
		r.mu.Lock()
		n.claimed = append(n.claimed, list)
		r.mu.Unlock()
		time.AfterFunc(time.Millisecond, func() { done(list) })
	}}
	for _, f := range change {
		f(&opts)
	}
	var err error
	if n.c, err = cluster.New(opts); err != nil {
		r.t.Fatal(err)
	}
	n.links = link.New(link.Options{Self: id, Carrier: link.CarrierFunc(n.carry), Deliver: n.c.Receive, Return: n.c.Returned, Anew: n.c.Anew, Mutual: n.c.Mutual})
	n.c.SetLinks(n.links)
	n.sys.SetRouter(n.c)
	if err := n.sys.Start(); err != nil {
		r.t.Fatal(err)
	}
	boxes := supervision.NewDynamic(n.sys, supervision.DynamicSpec{ID: "boxes", Entities: true, Restart: supervision.Permanent,
		Child: actors.Spec{Kind: "box", New: func() actors.Behaviour { return r.boxed(n) }}})
	if n.root, err = supervision.StartRoot(n.sys, supervision.SupervisorSpec{ID: "root", Children: []supervision.ChildSpec{boxes.Child()}}); err != nil {
		r.t.Fatal(err)
	}
	if err := n.c.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.mu.Lock()
	r.nodes[id] = n
	r.mu.Unlock()
	r.t.Cleanup(n.stop)
	return n
}

func (r *rig) boxed(n *node) actors.Behaviour {
	if r.newBox != nil {
		return r.newBox(n)
	}
	return &box{n: n}
}

// carry brings a frame to another node after a moment, unless the way is cut.
func (n *node) carry(to link.Peer, f *nodepb.Frame) error {
	if n.r.carrier != nil {
		return n.r.carrier(n, to, f)
	}
	c := proto.Clone(f).(*nodepb.Frame)
	time.AfterFunc(time.Millisecond, func() {
		n.r.mu.Lock()
		there := n.r.nodes[to.ID]
		ok := there != nil && !there.dead && !n.dead && !n.r.cut[[2]ident.NodeID{n.id, to.ID}]
		n.r.mu.Unlock()
		if ok {
			there.links.Receive(c)
		}
	})
	return nil
}

func (n *node) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := n.root.Stop(ctx); err != nil {
		n.r.t.Error(err)
	}
	_ = n.c.Stop(ctx)
	n.links.Close()
	_ = n.sys.Stop(ctx)
}

// die makes nobody hear of the node any more.
func (n *node) die() {
	n.r.mu.Lock()
	defer n.r.mu.Unlock()
	n.dead = true
}

// view tells nodes who is there.
func (r *rig) view(to []*node, placed ...*node) {
	r.views++
	v := cluster.View{ID: r.views, Revoked: r.revoked}
	for _, n := range placed {
		v.Placed = append(v.Placed, placement.Node{ID: n.id, Weight: placement.UsualWeight})
	}
	for _, n := range to {
		own := v
		own.Peers, own.Hears = map[ident.NodeID]string{}, map[ident.NodeID]bool{}
		for _, other := range placed {
			if other != n {
				own.Peers[other.id], own.Hears[other.id] = "there", true
			}
		}
		for _, other := range to {
			if other != n {
				own.Peers[other.id], own.Hears[other.id] = "there", true
			}
		}
		n.c.SetView(own)
	}
}

func (r *rig) settle(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// peer starts an actor that is pinned to the node.
func (n *node) peer(id string) *peer {
	p := &peer{n: n}
	d := &owner{}
	ch, err := n.sys.Spawn(actors.Spec{Kind: "peer " + id, New: func() actors.Behaviour { return p }}, actors.Ref{Kind: "peer", ID: id, Node: n.id}, nil, d)
	if err != nil {
		n.r.t.Fatal(err)
	}
	p.ref = ch.Ref()
	return p
}

type owner struct{}

func (*owner) Exited(*actors.Child, actors.Reason) {}

// boxOf is a box that a node owns among some.
func boxOf(owner *node, placed ...*node) actors.Ref {
	var nodes []placement.Node
	for _, n := range placed {
		nodes = append(nodes, placement.Node{ID: n.id, Weight: placement.UsualWeight})
	}
	t := placement.Make(nodes)
	for i := 0; ; i++ {
		id := fmt.Sprint("box", i)
		if t.Owner(ident.PartitionOf("box", id)) == owner.id {
			return actors.Ref{Kind: "box", ID: id}
		}
	}
}

func number(n uint64) *nodepb.RelayFailed { return &nodepb.RelayFailed{Tag: n} }

func boxOfID(owner *node, ref actors.Ref, placed ...*node) bool {
	var nodes []placement.Node
	for _, n := range placed {
		nodes = append(nodes, placement.Node{ID: n.id, Weight: placement.UsualWeight})
	}
	return placement.Make(nodes).Owner(ident.PartitionOf(ref.Kind, ref.ID)) == owner.id
}

// seeView tells one node who is there, and who owns partitions.
func (r *rig) seeView(n *node, all []*node, placed []*node) {
	r.views++
	v := cluster.View{ID: r.views, Peers: map[ident.NodeID]string{}, Hears: map[ident.NodeID]bool{}}
	for _, p := range placed {
		v.Placed = append(v.Placed, placement.Node{ID: p.id, Weight: placement.UsualWeight})
	}
	for _, p := range all {
		if p != n {
			v.Peers[p.id], v.Hears[p.id] = "there", true
		}
	}
	n.c.SetView(v)
}

// claims is what the node has claimed so far.
func (n *node) claims() [][]ident.Partition {
	n.r.mu.Lock()
	defer n.r.mu.Unlock()
	return slices.Clone(n.claimed)
}
