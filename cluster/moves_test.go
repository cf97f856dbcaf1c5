package cluster_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/cluster"
	"github.com/jackdaw-im/jackdaw/cluster/placement"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// TestForwardedThenLost: who watches by a node that sends on hears of it, whatever becomes of the third.
func TestForwardedThenLost(t *testing.T) {
	run(t, func(r *rig) {
		a, b, c := r.start("a@1"), r.start("b@1"), r.start("c@1")
		all := []*node{a, b, c}
		r.view(all, a, b)
		r.settle(3 * time.Second)
		var ref actors.Ref
		for i := 0; ; i++ {
			ref = actors.Ref{Kind: "box", ID: fmt.Sprint("box", i)}
			if boxIn(ref, a, b) == b.id && boxIn(ref, a, b, c) == c.id {
				break
			}
		}
		// c joins; b and c know, a not yet.
		r.seeView(c, all, all)
		r.seeView(b, all, all)
		r.settle(time.Second)
		p := a.peer("p")
		p.do(func(ctx *actors.Context) { ctx.Monitor(ref); _ = ctx.Cast(ref, number(1)) })
		r.settle(time.Second)
		c.die()
		two := []*node{a, b}
		r.seeView(b, two, two)
		r.seeView(a, two, two)
		r.settle(20 * time.Second)
		p.wants("down " + ref.ID + " noconnection")
	})
}

// TestStartAgain: what was stopped can be started, as a supervisor does, and acts upon views.
func TestStartAgain(t *testing.T) {
	run(t, func(r *rig) {
		a, b := r.start("a@1"), r.start("b@1")
		both := []*node{a, b}
		r.view(both, a)
		r.settle(3 * time.Second)
		if err := a.c.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		if err := a.c.Start(); err != nil {
			t.Fatal(err)
		}
		r.settle(time.Second)
		r.view(both, a, b)
		r.settle(10 * time.Second)
		if got := a.c.Status(); got.Mine == ident.Partitions {
			t.Errorf("started again, it acts upon no view: %+v", got)
		}
		func() {
			defer func() {
				if v := recover(); v != nil {
					t.Errorf("the second Stop: %v", v)
				}
			}()
			_ = a.c.Stop(context.Background())
		}()
		a.c, _ = cluster.New(cluster.Options{System: a.sys})
	})
}

// TestPinsAreToldOf: who watches an actor that a pin moves hears so.
func TestPinsAreToldOf(t *testing.T) {
	run(t, func(r *rig) {
		a, b := r.start("a@1"), r.start("b@1")
		both := []*node{a, b}
		r.view(both, a, b)
		r.settle(3 * time.Second)
		ref := boxOf(a, a, b)
		p, q := a.peer("p"), b.peer("q")
		p.do(func(ctx *actors.Context) { ctx.Monitor(ref) })
		q.do(func(ctx *actors.Context) { ctx.Monitor(ref) })
		pins := placement.MakePins([]placement.Pin{{Kind: ref.Kind, ID: ref.ID, Node: "b"}})
		a.c.SetPins(pins)
		b.c.SetPins(pins)
		r.settle(3 * time.Second)
		p.wants("down " + ref.ID + " noconnection")
		q.wants("down " + ref.ID + " noconnection")
	})
}

// TestTwoIncarnations: of two that come up at once the later one can be reached.
func TestTwoIncarnations(t *testing.T) {
	for range 20 {
		run(t, func(r *rig) {
			a, b := r.start("a@1"), r.start("b@2")
			v := cluster.View{ID: 1, Peers: map[ident.NodeID]string{"b@1": "old", "b@2": "there"}}
			v.Placed = []placement.Node{{ID: "a@1", Weight: 100}, {ID: "b@2", Weight: 100}}
			a.c.SetView(v)
			r.seeView(b, []*node{a, b}, []*node{a, b})
			r.settle(5 * time.Second)
			q := b.peer("q")
			p := a.peer("p")
			p.do(func(ctx *actors.Context) {
				if err := ctx.Cast(q.ref, number(1)); err != nil {
					t.Errorf("%v: %v", q.ref, err)
				}
			})
		})
		if t.Failed() {
			break
		}
	}
}

// TestPinnedNodeJoins: a pin becomes effective as its node joins, and the actor doesn't stay where it was.
func TestPinnedNodeJoins(t *testing.T) {
	run(t, func(r *rig) {
		a, b := r.start("a@1"), r.start("b@1")
		both := []*node{a, b}
		ref := boxOf(a, a, b) // its partition stays a's
		pins := placement.MakePins([]placement.Pin{{Kind: ref.Kind, ID: ref.ID, Node: "b"}})
		a.c.SetPins(pins)
		b.c.SetPins(pins)
		r.view(both, a)
		r.settle(3 * time.Second)
		p := a.peer("p")
		p.do(func(ctx *actors.Context) { ctx.Monitor(ref); _ = ctx.Cast(ref, number(1)) })
		r.settle(time.Second)
		if !a.sys.Alive(ref) {
			t.Fatal("not there")
		}
		r.view(both, a, b)
		r.settle(20 * time.Second)
		p.do(func(ctx *actors.Context) { _ = ctx.Cast(ref, number(2)) })
		r.settle(time.Second)
		if a.sys.Alive(ref) && b.sys.Alive(ref) {
			t.Errorf("%v is alive on both nodes 20 s later; who watches it heard %q", ref, p.heard())
		}
	})
}

// TestPinnedNodeDrains: a node that drains doesn't keep what is pinned to it.
func TestPinnedNodeDrains(t *testing.T) {
	run(t, func(r *rig) {
		a, b := r.start("a@1"), r.start("b@1")
		both := []*node{a, b}
		ref := boxOf(a, a, b)
		pins := placement.MakePins([]placement.Pin{{Kind: ref.Kind, ID: ref.ID, Node: "b"}})
		a.c.SetPins(pins)
		b.c.SetPins(pins)
		r.view(both, a, b)
		r.settle(3 * time.Second)
		q := b.peer("q")
		q.do(func(ctx *actors.Context) { ctx.Monitor(ref); _ = ctx.Cast(ref, number(1)) })
		r.settle(time.Second)
		r.view(both, a) // b drains
		r.settle(20 * time.Second)
		if b.sys.Alive(ref) {
			t.Errorf("%v is still alive on the drained node, whose status is %+v; who watches it heard %q", ref, b.c.Status(), q.heard())
		}
	})
}

// TestParkedThenPinned: what was parked goes where its actor is pinned to by then.
func TestParkedThenPinned(t *testing.T) {
	run(t, func(r *rig) {
		a, b := r.start("a@1"), r.start("b@1")
		both := []*node{a, b}
		ref := boxOf(a, a, b)
		r.seeView(a, both, []*node{b})
		r.seeView(b, both, both)
		r.settle(3 * time.Second)
		q := b.peer("q")
		q.do(func(ctx *actors.Context) { _ = ctx.Cast(ref, number(1)) }) // parked at a
		r.settle(100 * time.Millisecond)
		pins := placement.MakePins([]placement.Pin{{Kind: ref.Kind, ID: ref.ID, Node: "b"}})
		a.c.SetPins(pins)
		b.c.SetPins(pins)
		r.settle(10 * time.Millisecond)
		r.seeView(a, both, both)
		r.settle(20 * time.Second)
		if a.sys.Alive(ref) {
			t.Errorf("%v runs on a, and is pinned to b", ref)
		}
	})
}

// TestQueueIsNotOvertaken: what waits in the queue of an actor that moves comes before what its sender sends later.
func TestQueueIsNotOvertaken(t *testing.T) {
	run(t, func(r *rig) {
		a, b := r.start("a@1"), r.start("b@1")
		both := []*node{a, b}
		r.view(both, a)
		r.settle(3 * time.Second)
		ref := boxOf(b, a, b)
		p := a.peer("p")
		p.do(func(ctx *actors.Context) { _ = ctx.Cast(ref, number(1)) })
		a.sys.Retire(ref, 2*time.Second)
		p.do(func(ctx *actors.Context) {
			for i := 2; i <= 5; i++ {
				_ = ctx.Cast(ref, number(uint64(i)))
			}
		})
		r.seeView(a, both, both)
		r.seeView(b, both, both)
		r.settle(time.Millisecond)
		p.do(func(ctx *actors.Context) {
			for i := 6; i <= 8; i++ {
				_ = ctx.Cast(ref, number(uint64(i)))
			}
		})
		r.settle(10 * time.Second)
		p.do(func(ctx *actors.Context) { ctx.Call(ref, &nodepb.Relay{}, time.Second) })
		r.settle(time.Second)
		p.wants("reply b@1 [2 3 4 5 6 7 8] <nil>")
	})
}

// TestJoinerWaits: a node whose first view has it active waits for those who had its share until then.
func TestJoinerWaits(t *testing.T) {
	run(t, func(r *rig) {
		a, b := r.start("a@1"), r.start("b@1")
		both := []*node{a, b}
		r.seeView(a, both, []*node{a})
		r.settle(3 * time.Second)
		ref := boxOf(b, a, b)
		p, q := a.peer("p"), b.peer("q")
		p.do(func(ctx *actors.Context) { _ = ctx.Cast(ref, number(1)) })
		r.seeView(b, both, both) // its first view; a's comes 300 ms later, by gossip
		r.settle(50 * time.Millisecond)
		q.do(func(ctx *actors.Context) { _ = ctx.Cast(ref, number(2)) })
		r.settle(50 * time.Millisecond)
		if a.sys.Alive(ref) && b.sys.Alive(ref) {
			t.Errorf("%v runs on both nodes: the one that joins has waited for nobody", ref)
		}
		r.seeView(a, both, both)
		r.settle(3 * time.Second)
	})
}

// TestPinnedBeginsAnew: an actor that a pin puts on a node begins anew as other nodes return: they may have had it meanwhile.
func TestPinnedBeginsAnew(t *testing.T) {
	run(t, func(r *rig) {
		a, b := r.start("a@1"), r.start("b@1")
		both := []*node{a, b}
		ref := boxOf(a, a, b) // its partition is a's
		pins := placement.MakePins([]placement.Pin{{Kind: ref.Kind, ID: ref.ID, Node: "b"}})
		a.c.SetPins(pins)
		b.c.SetPins(pins)
		r.view(both, a, b)
		r.settle(10 * time.Second)
		q := b.peer("q")
		q.do(func(ctx *actors.Context) { ctx.Monitor(ref); _ = ctx.Cast(ref, number(1)) })
		r.settle(time.Second)
		r.view([]*node{b}, b)
		r.settle(time.Second)
		r.view(both, a, b)
		r.settle(10 * time.Second)
		q.do(func(ctx *actors.Context) { _ = ctx.Cast(ref, number(2)); ctx.Call(ref, &nodepb.Relay{}, time.Second) })
		q.wants("down "+ref.ID+" noconnection", "reply b@1 [2] <nil>")
	})
}

// TestPinnedGivenUp: a node that was given up and doesn't know, as after a pause, lets what is pinned to it begin anew when it hears so: the
// owner of its partition has had it.
func TestPinnedGivenUp(t *testing.T) {
	run(t, func(r *rig) {
		a, b := r.start("a@1"), r.start("b@1")
		both := []*node{a, b}
		ref := boxOf(a, a, b) // its partition is a's
		pins := placement.MakePins([]placement.Pin{{Kind: ref.Kind, ID: ref.ID, Node: "b"}})
		a.c.SetPins(pins)
		b.c.SetPins(pins)
		r.view(both, a, b)
		r.settle(10 * time.Second)
		p, q := a.peer("p"), b.peer("q")
		q.do(func(ctx *actors.Context) { ctx.Monitor(ref); _ = ctx.Cast(ref, number(1)) })
		r.settle(time.Second)
		r.view([]*node{a}, a)
		r.settle(time.Second)
		p.do(func(ctx *actors.Context) { _ = ctx.Cast(ref, number(2)) })
		r.settle(time.Second)
		r.view([]*node{a}, a, b)
		r.settle(time.Second)
		q.do(func(ctx *actors.Context) { _ = ctx.Cast(ref, number(3)) })
		p.do(func(ctx *actors.Context) { _ = ctx.Cast(ref, number(4)) })
		r.settle(time.Second)
		q.do(func(ctx *actors.Context) { ctx.Call(ref, &nodepb.Relay{}, time.Second) })
		q.wants("down "+ref.ID+" noconnection", "reply b@1 [3 4] <nil>")
		if want := []string{"b@1 1", "a@1 2", "b@1 3", "b@1 4"}; !slices.Equal(r.boxes[ref.ID], want) || a.sys.Alive(ref) {
			t.Errorf("got %v, want %v", r.boxes[ref.ID], want)
		}
	})
}

// TestPinWaits: while a pin moves an actor, what is sent to it on any node waits until the old one has gone, and comes once.
func TestPinWaits(t *testing.T) {
	run(t, func(r *rig) {
		a, b, c := r.start("a@1"), r.start("b@1"), r.start("c@1")
		all := []*node{a, b, c}
		r.view(all, a, b, c)
		r.settle(3 * time.Second)
		ref := boxOf(a, all...)
		peers := []*peer{a.peer("p"), b.peer("q"), c.peer("s")}
		n := 0
		say := func() {
			n++
			for i, p := range peers {
				p.do(func(ctx *actors.Context) { _ = ctx.Cast(ref, number(uint64(1000*i+n))) })
			}
			r.settle(2 * time.Millisecond)
		}
		for k, node := range []string{"b", "c", "", "c", "b"} {
			pins := placement.MakePins([]placement.Pin{{Kind: ref.Kind, ID: ref.ID, Node: node}})
			for i, x := range all {
				time.AfterFunc(time.Duration((i*7+k*5)%11)*5*time.Millisecond, func() { x.c.SetPins(pins) })
			}
			for range 60 {
				say()
				there := 0
				for _, x := range all {
					if x.sys.Alive(ref) {
						there++
					}
				}
				if there > 1 {
					t.Fatalf("%d nodes have it", there)
				}
			}
			r.settle(time.Second)
		}
		came := map[int]int{}
		for _, got := range r.boxes[ref.ID] {
			var on string
			var tag int
			fmt.Sscan(got, &on, &tag)
			came[tag]++
		}
		for i, p := range peers {
			p.wants()
			for tag := 1000*i + 1; tag <= 1000*i+n; tag++ {
				if came[tag] != 1 {
					t.Errorf("%d came %d times", tag, came[tag])
				}
			}
		}
		for _, x := range all {
			if s := x.c.Status(); s.Waiting+s.Leaving+s.Held > 0 {
				t.Errorf("%s: %+v", x.id, s)
			}
		}
	})
}

// TestPinOfOldNode: a node that doesn't know the question isn't waited for for ever.
func TestPinOfOldNode(t *testing.T) {
	run(t, func(r *rig) {
		a, b := r.start("a@1"), r.start("b@1")
		r.view([]*node{a, b}, a, b)
		r.settle(3 * time.Second)
		ref := boxOf(a, a, b)
		r.mu.Lock()
		r.cut[[2]ident.NodeID{a.id, b.id}] = true
		r.mu.Unlock()
		q := b.peer("q")
		b.c.SetPins(placement.MakePins([]placement.Pin{{Kind: ref.Kind, ID: ref.ID, Node: "b"}}))
		r.settle(time.Second)
		q.do(func(ctx *actors.Context) { _ = ctx.Cast(ref, number(1)) })
		r.settle(900 * time.Millisecond)
		if b.sys.Alive(ref) || b.c.Status().Held != 1 {
			t.Fatalf("it didn't wait: %+v", b.c.Status())
		}
		r.settle(200 * time.Millisecond)
		if !b.sys.Alive(ref) {
			t.Errorf("it waits for ever: %+v", b.c.Status())
		}
	})
}

// hasty is a box that leaves at once, with whatever waits for it.
type hasty struct{ b box }

func (h *hasty) Init(ctx *actors.Context, args any) error  { return h.b.Init(ctx, args) }
func (h *hasty) Handle(ctx *actors.Context, msg any) error { return h.b.Handle(ctx, msg) }

// TestQueueIsHandedOnInOrder: a sender that doesn't stop while an actor leaves overtakes nothing of its own that waits in the actor's queue.
func TestQueueIsHandedOnInOrder(t *testing.T) {
	moved := 0
	for round := range 8 {
		run(t, func(r *rig) {
			r.newBox = func(n *node) actors.Behaviour { return &hasty{b: box{n: n}} }
			a, b, c, _, ref := r.movers()
			nodes := []*node{a, b, c}
			said := make(chan struct{})
			go func() {
				defer close(said)
				for i, more := uint64(0), 1000; more > 0; i++ { // as many after it was to leave
					if i == uint64(100*round) {
						r.seeView(a, nodes, nodes)
					}
					_ = a.sys.Cast(ref, number(i+1)) // what the queue or the link has no room for
					if !a.c.Local(ref) {
						more--
					}
				}
			}()
			<-said
			r.seeView(b, nodes, nodes)
			r.seeView(c, nodes, nodes)
			r.settle(3 * time.Second)
			last := 0
			all := r.opened(ref)
			for i, got := range all {
				var on string
				var tag int
				fmt.Sscan(got, &on, &tag)
				if tag <= last {
					t.Fatalf("round %d: %d came after %d: %v", round, tag, last, all[max(0, i-9):i+9])
				}
				if last = tag; on == "c@1" {
					moved++
				}
			}
		})
	}
	if moved == 0 {
		t.Error("nothing waited for the actor as it left, ever")
	}
}
