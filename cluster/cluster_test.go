package cluster_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

func (p *peer) wants(want ...string) {
	p.n.r.t.Helper()
	if got := p.heard(); fmt.Sprint(got) != fmt.Sprint(want) {
		p.n.r.t.Fatalf("heard %q\nwant  %q", got, want)
	}
}

// TestAlone: a node alone owns everything, and its messages go nowhere else.
func TestAlone(t *testing.T) {
	run(t, func(r *rig) {
		a := r.start("a@1")
		p := a.peer("p")
		p.do(func(ctx *actors.Context) {
			if err := ctx.Cast(actors.Ref{Kind: "box", ID: "x"}, number(1)); err != actors.ErrNoConnection {
				t.Errorf("in no view: %v", err)
			}
		})
		r.view([]*node{a}, a)
		r.settle(10 * time.Millisecond)
		p.do(func(ctx *actors.Context) {
			_ = ctx.Cast(actors.Ref{Kind: "box", ID: "x"}, number(1))
			ctx.Call(actors.Ref{Kind: "box", ID: "x"}, &nodepb.Relay{}, time.Second)
		})
		p.wants("reply a@1 [1] <nil>")
		if s := a.c.Status(); s.Mine != ident.Partitions || s.Waiting != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestOnTwoNodes: casts, calls, monitors and exits reach actors wherever they are placed.
func TestOnTwoNodes(t *testing.T) {
	run(t, func(r *rig) {
		a, b := r.start("a@1"), r.start("b@1")
		r.view([]*node{a, b}, a, b)
		r.settle(50 * time.Millisecond)
		if n := a.c.Status().Mine + b.c.Status().Mine; n != ident.Partitions {
			t.Fatalf("%d partitions are open", n)
		}
		p, far := a.peer("p"), boxOf(b, a, b)
		p.do(func(ctx *actors.Context) { _ = ctx.Answer(far, number(9)) })
		r.settle(10 * time.Millisecond)
		p.do(func(ctx *actors.Context) {
			ctx.Monitor(far)
			for i := range 3 {
				_ = ctx.Cast(far, number(uint64(i)))
			}
			ctx.Call(far, &nodepb.Relay{}, time.Second)
			ctx.Call(far, &nodepb.Relay{Tag: 99}, time.Second)
			ctx.Call(actors.Ref{Kind: "peer", ID: "nobody", Node: b.id}, &nodepb.Relay{}, time.Second)
			ctx.Call(far, "no protobuf", time.Second)
		})
		p.wants("reply <nil> cluster: a string is no protobuf message, and " + far.String() + " is on another node")
		r.settle(10 * time.Millisecond)
		got := p.heard()
		slices.Sort(got)
		if want := []string{"reply <nil> " + actors.ErrNoProc.Error(), "reply <nil> an error of its own", "reply b@1 [9 0 1 2] <nil>"}; !slices.Equal(got, want) {
			t.Fatalf("heard %q", got)
		}
		p.do(func(ctx *actors.Context) { _ = ctx.Cast(far, &nodepb.Attach{Connected: true}) })
		r.settle(10 * time.Millisecond)
		p.wants("down " + far.ID + " crashed: on purpose")
		p.do(func(ctx *actors.Context) {
			ctx.Monitor(far)
			m := ctx.Monitor(far)
			ctx.Demonitor(m)
			_ = ctx.Cast(actors.Ref{Kind: "peer", ID: "nobody", Node: b.id}, number(7))
			_ = ctx.Cast(actors.Ref{Kind: "peer", ID: "nobody", Node: "b@0"}, number(8))
		})
		r.settle(10 * time.Millisecond)
		p.wants("undelivered nobody 7 " + actors.ErrNoProc.Error())
		p.do(func(ctx *actors.Context) { ctx.Exit(far, actors.Shutdown) })
		r.settle(10 * time.Millisecond)
		p.wants("down " + far.ID + " shutdown")
		p.do(func(ctx *actors.Context) { ctx.Monitor(far); ctx.Call(far, &nodepb.Relay{}, time.Second) })
		if s := a.c.Status(); s.Calls != 1 || s.Watches != 1 || b.c.Status().Watchers != 0 {
			t.Errorf("on their way: %+v", s)
		}
		r.settle(10 * time.Millisecond)
		if s, there := a.c.Status(), b.c.Status(); s.Calls != 0 || s.Watches != 1 || there.Watchers != 1 {
			t.Errorf("%+v\n%+v", s, there)
		}
	})
}

// TestNodeLost: what was under way to a node that is lost comes back, and its partitions open on another.
func TestNodeLost(t *testing.T) {
	run(t, func(r *rig) {
		a, b := r.start("a@1"), r.start("b@1")
		r.view([]*node{a, b}, a, b)
		r.settle(50 * time.Millisecond)
		p, far := a.peer("p"), boxOf(b, a, b)
		p.do(func(ctx *actors.Context) { ctx.Monitor(far); _ = ctx.Cast(far, number(0)) })
		r.settle(time.Second)
		b.die()
		p.do(func(ctx *actors.Context) {
			_ = ctx.Cast(far, number(1))
			ctx.Call(far, &nodepb.Relay{}, time.Minute)
			_ = ctx.Cast(far, number(2))
		})
		r.settle(time.Second)
		p.wants()
		r.view([]*node{a}, a)
		r.settle(10 * time.Millisecond)
		err := actors.ErrNoConnection.Error()
		p.wants("undelivered "+far.ID+" 1 "+err, "reply <nil> "+err, "undelivered "+far.ID+" 2 "+err, "down "+far.ID+" noconnection")
		p.do(func(ctx *actors.Context) { _ = ctx.Cast(far, number(3)); ctx.Call(far, &nodepb.Relay{}, time.Minute) })
		p.wants("reply a@1 [3] <nil>")
		if got := a.c.Status(); got.Mine != ident.Partitions {
			t.Errorf("%+v", got)
		}
	})
}

// TestJoinMovesInOrder: as a node joins, its share moves there: what waited in an actor's queue, what was sent on and what comes
// later arrives in order, at one actor after the other.
func TestJoinMovesInOrder(t *testing.T) {
	run(t, func(r *rig) {
		a, b := r.start("a@1"), r.start("b@1")
		r.view([]*node{a}, a)
		r.view([]*node{b}, a) // b knows who was before
		r.settle(50 * time.Millisecond)
		ref := boxOf(b, a, b)
		p, q := a.peer("p"), b.peer("q")
		p.do(func(ctx *actors.Context) { ctx.Monitor(ref) })
		q.do(func(ctx *actors.Context) { ctx.Monitor(ref) })
		n := uint64(0)
		more := func(k int) {
			p.do(func(ctx *actors.Context) {
				for range k {
					n++
					if err := ctx.Cast(ref, number(n)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		more(10)
		r.view([]*node{a}, a, b)
		more(10)
		r.settle(5 * time.Millisecond)
		more(10)
		r.view([]*node{b}, a, b)
		more(10)
		for range 20 {
			r.settle(5 * time.Millisecond)
			more(1)
		}
		r.settle(time.Second)
		q.do(func(ctx *actors.Context) { ctx.Call(ref, &nodepb.Relay{}, time.Second) })
		got := q.heard()
		first := uint64(11) // or later: those that the old one has handled
		for first <= 21 && (len(got) != 2 || got[1] != fmt.Sprintf("reply b@1 %v <nil>", sequence(first, n))) {
			first++
		}
		if first > 21 || got[0] != "down "+ref.ID+" noconnection" {
			t.Fatalf("heard %q", got)
		}
		p.wants("down " + ref.ID + " noconnection")
		if s := a.c.Status(); s.Leaving != 0 || s.Waiting != 0 || a.c.Status().Mine+b.c.Status().Mine != ident.Partitions {
			t.Errorf("%+v\n%+v", s, b.c.Status())
		}
		if a.sys.Alive(ref) || !b.sys.Alive(ref) {
			t.Error("it is where it was")
		}
	})
}

// TestUnreleased: the new owner of a partition waits Hold for a release, and gives back what was sent on by who has not released.
func TestUnreleased(t *testing.T) {
	run(t, func(r *rig) {
		a, b, c := r.start("a@1"), r.start("b@1"), r.start("c@1")
		all := []*node{a, b, c}
		r.view(all, a, b)
		r.settle(50 * time.Millisecond)
		// c gets a box of a's; a's way to c is cut.
		var ref actors.Ref
		for i := 0; ; i++ {
			ref = actors.Ref{Kind: "box", ID: fmt.Sprint("box", i)}
			if boxIn(ref, a, b) == a.id && boxIn(ref, a, b, c) == c.id {
				break
			}
		}
		p := b.peer("p")
		p.do(func(ctx *actors.Context) { _ = ctx.Cast(ref, number(1)) })
		r.settle(50 * time.Millisecond)
		r.mu.Lock()
		r.cut[[2]ident.NodeID{a.id, c.id}] = true
		r.mu.Unlock()
		begin := time.Now()
		r.view(all, a, b, c)
		r.settle(50 * time.Millisecond)
		p.do(func(ctx *actors.Context) { ctx.Call(ref, &nodepb.Relay{}, time.Minute) })
		for len(p.heard()) == 0 {
			time.Sleep(10 * time.Millisecond)
		}
		if d := time.Since(begin); d < 2*time.Second || d > 2100*time.Millisecond {
			t.Errorf("it took %v", d)
		}
	})
}

func boxIn(ref actors.Ref, placed ...*node) ident.NodeID {
	for _, n := range placed {
		if boxOfID(n, ref, placed...) {
			return n.id
		}
	}
	return ""
}

// TestViewsDisagree: nodes that each think that the other is the owner keep a message for a while, and then give it back.
func TestViewsDisagree(t *testing.T) {
	run(t, func(r *rig) {
		a, b := r.start("a@1"), r.start("b@1")
		c := &node{id: "c@1"}
		r.nodes[c.id] = c
		c.dead = true
		defer delete(r.nodes, c.id)
		r.view([]*node{a, b}, a, b)
		r.settle(50 * time.Millisecond)
		onA, onB := boxOf(a, a, b), boxOf(b, a, b)
		// Each now thinks that the other is all there is.
		r.view([]*node{a}, b)
		r.view([]*node{b}, a)
		r.settle(5 * time.Second)
		p := a.peer("p")
		for _, ref := range []actors.Ref{onA, onB} {
			p.do(func(ctx *actors.Context) {
				_ = ctx.Cast(ref, number(5))
				ctx.Call(ref, &nodepb.Relay{}, time.Minute)
			})
			r.settle(time.Second)
			p.wants()
			r.settle(3 * time.Second)
			p.wants("undelivered "+ref.ID+" 5 "+actors.ErrOverloaded.Error(), "reply <nil> "+actors.ErrOverloaded.Error())
		}
		if n := a.c.Counters().Forwarded.Load() + b.c.Counters().Forwarded.Load(); n != 0 {
			t.Errorf("%d hops", n)
		}
		synctest.Wait()
	})
}

func sequence(from, to uint64) (all []uint64) {
	for ; from <= to; from++ {
		all = append(all, from)
	}
	return all
}
