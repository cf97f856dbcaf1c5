package cluster_test

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/cluster"
	"github.com/jackdaw-im/jackdaw/cluster/link"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// slowly makes frames from one node to another take their time, by the class of their link; usually it is a millisecond.
func (r *rig) slowly(late func(from, to ident.NodeID, class nodepb.LinkClass) time.Duration) {
	r.carrier = func(n *node, to link.Peer, f *nodepb.Frame) error {
		f = proto.Clone(f).(*nodepb.Frame)
		time.AfterFunc(time.Millisecond+late(n.id, to.ID, f.GetClass()), func() {
			r.mu.Lock()
			there := r.nodes[to.ID]
			ok := there != nil && !there.dead && !n.dead
			r.mu.Unlock()
			if ok {
				there.links.Receive(f)
			}
		})
		return nil
	}
}

// notice is a box that notes presence, too: it has links of its own.
type notice struct{ box }

func (b *notice) Handle(ctx *actors.Context, msg any) error {
	if m, ok := msg.(*nodepb.Presence); ok {
		b.n.r.mu.Lock()
		b.n.r.boxes[b.id] = append(b.n.r.boxes[b.id], fmt.Sprint(b.n.id, " ", m.GetId()))
		b.n.r.mu.Unlock()
		return nil
	}
	return b.box.Handle(ctx, msg)
}

// TestWayByTheOldOwnerIsWaitedFor: what a third node has sent by way of the old owner, however long that takes, comes before what it sends
// directly, though nothing of the partition was at the old owner. By each class of link, and whether its actor is there or not.
func TestWayByTheOldOwnerIsWaitedFor(t *testing.T) {
	for _, class := range []nodepb.LinkClass{nodepb.LinkClass_MESSAGES, nodepb.LinkClass_PRESENCE} {
		for _, leg := range []string{"to the old owner", "to the new owner"} {
			for _, there := range []bool{false, true} {
				t.Run(fmt.Sprint(class, " ", leg, " ", there), func(t *testing.T) {
					run(t, func(r *rig) {
						r.newBox = func(n *node) actors.Behaviour { return &notice{box{n: n}} }
						late := map[[2]ident.NodeID]time.Duration{}
						r.slowly(func(from, to ident.NodeID, of nodepb.LinkClass) time.Duration {
							if of != class {
								return 0
							}
							return late[[2]ident.NodeID{from, to}]
						})
						a, b, c, _, ref := r.movers()
						p, all := b.peer("p"), []*node{a, b, c}
						say := func(n uint64) {
							p.do(func(ctx *actors.Context) {
								if class == nodepb.LinkClass_PRESENCE {
									_ = ctx.Cast(ref, &nodepb.Presence{Id: fmt.Sprint(n)})
								} else {
									_ = ctx.Cast(ref, number(n))
								}
							})
						}
						want := []string{"c@1 1", "c@1 2"}
						if there {
							say(0)
							r.settle(5 * time.Millisecond)
							want = append([]string{"a@1 0"}, want...)
						}
						if leg == "to the old owner" {
							late[[2]ident.NodeID{b.id, a.id}] = 300 * time.Millisecond
						} else {
							late[[2]ident.NodeID{a.id, c.id}] = 300 * time.Millisecond
						}
						r.seeView(a, all, all)
						r.seeView(c, all, all)
						say(1)
						r.settle(2 * time.Millisecond)
						r.seeView(b, all, all)
						r.settle(2 * time.Millisecond)
						say(2)
						r.settle(900 * time.Millisecond)
						r.wantsBox(ref, want...)
						p.wants()
						if s := a.c.Status(); s.Leaving != 0 {
							t.Errorf("%d partitions are leaving", s.Leaving)
						}
					})
				})
			}
		}
	}
}

// TestSenderBehind: a node that sends for a partition of its own, of which it doesn't know yet that it is, to the node that had it, gets that
// back and keeps it until it knows.
func TestSenderBehind(t *testing.T) {
	run(t, func(r *rig) {
		a, b, c, _, ref := r.movers()
		p, all := c.peer("p"), []*node{a, b, c}
		r.seeView(a, all, all)
		r.seeView(b, all, all)
		r.settle(time.Millisecond)
		p.do(func(ctx *actors.Context) { _ = ctx.Cast(ref, number(1)) })
		r.settle(100 * time.Millisecond)
		if a, c := a.c.Status().Held, c.c.Status().Held; a != 0 || c != 1 {
			t.Errorf("%d wait at a, %d at c", a, c)
		}
		r.seeView(c, all, all)
		r.settle(time.Millisecond)
		p.do(func(ctx *actors.Context) { _ = ctx.Cast(ref, number(2)) })
		r.settle(100 * time.Millisecond)
		r.wantsBox(ref, "c@1 1", "c@1 2")
		p.wants()
	})
}

// TestNeitherHasIt: what two nodes have each given to the other, by views that only they have had, doesn't go to and fro between them
// until it is refused. It waits for another view.
func TestNeitherHasIt(t *testing.T) {
	run(t, func(r *rig) {
		a, b, c := r.three()
		all := []*node{a, b, c}
		p, ref := c.peer("p"), boxOf(a, all...)
		r.seeView(b, all, []*node{b})
		r.settle(100 * time.Millisecond)
		r.seeView(a, all, []*node{b})
		r.seeView(b, all, []*node{a})
		r.settle(time.Millisecond)
		p.do(func(ctx *actors.Context) { _ = ctx.Cast(ref, number(1)) })
		r.settle(100 * time.Millisecond)
		if n := a.c.Status().Held + b.c.Status().Held; n != 1 {
			t.Errorf("%d wait", n)
		}
		p.wants()
	})
}

// narrow are links that have no room for some envelopes.
type narrow struct {
	cluster.Links
	full func(to ident.NodeID, class nodepb.LinkClass, how nodepb.Envelope_How) bool
}

func (l narrow) Send(to ident.NodeID, class nodepb.LinkClass, b []byte, reserved bool) error {
	var e nodepb.Envelope
	if proto.Unmarshal(b, &e) == nil && l.full(to, class, e.GetHow()) {
		return link.ErrFull
	}
	return l.Links.Send(to, class, b, reserved)
}

// TestFullLinkIsToldAgain: what nodes tell each other of routes and releases gets there though a link has no room for it for a while, and the
// partition is open soon after that. By each class of link, as the other may have taken it.
func TestFullLinkIsToldAgain(t *testing.T) {
	for _, how := range []nodepb.Envelope_How{nodepb.Envelope_ROUTED, nodepb.Envelope_RELEASED} {
		for _, class := range []nodepb.LinkClass{nodepb.LinkClass_MESSAGES, nodepb.LinkClass_PRESENCE} {
			t.Run(fmt.Sprint(how, " ", class), func(t *testing.T) {
				run(t, func(r *rig) {
					a, b, c, _, ref := r.movers()
					until := time.Now().Add(200 * time.Millisecond)
					refused := 0
					for _, n := range []*node{a, b} {
						n.c.SetLinks(narrow{n.links, func(to ident.NodeID, of nodepb.LinkClass, what nodepb.Envelope_How) bool {
							full := what == how && of == class && time.Now().Before(until)
							if full {
								r.mu.Lock()
								refused++
								r.mu.Unlock()
							}
							return full
						}})
					}
					p, all := b.peer("p"), []*node{a, b, c}
					r.seeView(a, all, all)
					r.seeView(c, all, all)
					r.seeView(b, all, all)
					r.settle(time.Millisecond)
					p.do(func(ctx *actors.Context) { _ = ctx.Cast(ref, number(1)) })
					r.settle(150 * time.Millisecond)
					r.wantsBox(ref)
					r.settle(150 * time.Millisecond)
					r.wantsBox(ref, "c@1 1")
					if s := a.c.Status(); s.Leaving != 0 || refused == 0 {
						t.Errorf("%d partitions are leaving; %d refused", s.Leaving, refused)
					}
				})
			})
		}
	}
}
