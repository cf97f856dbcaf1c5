package cluster_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/cluster/placement"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// TestWayByTheOldHomeIsWaitedFor: what a third node has sent by way of an actor's old home comes before what it sends directly to where a pin
// has put it, by each class of link; so it is when the pin is taken away.
func TestWayByTheOldHomeIsWaitedFor(t *testing.T) {
	for _, class := range []nodepb.LinkClass{nodepb.LinkClass_MESSAGES, nodepb.LinkClass_PRESENCE} {
		for _, leg := range []string{"to the old home", "to the new home"} {
			for _, back := range []bool{false, true} {
				t.Run(fmt.Sprint(class, " ", leg, " ", back), func(t *testing.T) {
					run(t, func(r *rig) {
						r.newBox = func(n *node) actors.Behaviour { return &notice{box{n: n}} }
						late := map[[2]ident.NodeID]time.Duration{}
						r.slowly(func(from, to ident.NodeID, of nodepb.LinkClass) time.Duration {
							if of != class {
								return 0
							}
							return late[[2]ident.NodeID{from, to}]
						})
						a, b, c := r.three()
						ref := boxOf(a, a, b, c)
						pin := placement.MakePins([]placement.Pin{{Kind: ref.Kind, ID: ref.ID, Node: "c"}})
						old, home := a, c
						if back {
							old, home = c, a
							for _, n := range []*node{a, b, c} {
								n.c.SetPins(pin)
							}
							r.settle(5 * time.Second)
							pin = placement.Pins{}
						}
						p := b.peer("p")
						say := func(n uint64) {
							p.do(func(ctx *actors.Context) {
								if class == nodepb.LinkClass_PRESENCE {
									_ = ctx.Cast(ref, &nodepb.Presence{Id: fmt.Sprint(n)})
								} else {
									_ = ctx.Cast(ref, number(n))
								}
							})
						}
						say(0)
						r.settle(5 * time.Millisecond)
						if leg == "to the old home" {
							late[[2]ident.NodeID{b.id, old.id}] = 300 * time.Millisecond
						} else {
							late[[2]ident.NodeID{old.id, home.id}] = 300 * time.Millisecond
						}
						old.c.SetPins(pin)
						home.c.SetPins(pin)
						say(1)
						r.settle(2 * time.Millisecond)
						b.c.SetPins(pin)
						r.settle(2 * time.Millisecond)
						say(2)
						r.settle(900 * time.Millisecond)
						r.wantsBox(ref, fmt.Sprint(old.id, " 0"), fmt.Sprint(home.id, " 1"), fmt.Sprint(home.id, " 2"))
						p.wants()
						if s := home.c.Status(); s.Waiting+s.Held != 0 {
							t.Errorf("%+v", s)
						}
					})
				})
			}
		}
	}
}

// TestFullLinkIsAnsweredAgain: a pin's home opens an actor soon after there is room for the answer on a link that had none for it.
func TestFullLinkIsAnsweredAgain(t *testing.T) {
	for _, class := range []nodepb.LinkClass{nodepb.LinkClass_MESSAGES, nodepb.LinkClass_PRESENCE} {
		run(t, func(r *rig) {
			a, b, c := r.three()
			until := time.Now().Add(200 * time.Millisecond)
			a.c.SetLinks(narrow{a.links, func(_ ident.NodeID, of nodepb.LinkClass, what nodepb.Envelope_How) bool {
				return what == nodepb.Envelope_YIELDED && of == class && time.Now().Before(until)
			}})
			ref := boxOf(a, a, b, c)
			pin := placement.MakePins([]placement.Pin{{Kind: ref.Kind, ID: ref.ID, Node: "c"}})
			for _, n := range []*node{a, b, c} {
				n.c.SetPins(pin)
			}
			r.settle(time.Millisecond)
			if err := b.sys.Cast(ref, number(1)); err != nil {
				t.Fatal(err)
			}
			r.settle(150 * time.Millisecond)
			r.wantsBox(ref)
			r.settle(150 * time.Millisecond)
			r.wantsBox(ref, "c@1 1")
		})
	}
}
