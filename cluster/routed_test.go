package cluster_test

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/actors"
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
