package cluster_test

import (
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/cluster"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// TestGivenUpByOneSide: a node that was given up by another, and doesn't know, hears so when that one is back: whoever watches an actor
// there, or waits for an answer, is told.
func TestGivenUpByOneSide(t *testing.T) {
	run(t, func(r *rig) {
		a, b := r.start("a@1"), r.start("b@1")
		both := []*node{a, b}
		r.view(both, a, b)
		r.settle(time.Second)
		p, far := a.peer("p"), boxOf(b, a, b)
		q, near := b.peer("q"), boxOf(a, a, b)
		p.do(func(ctx *actors.Context) { ctx.Monitor(far); _ = ctx.Cast(far, number(1)) })
		q.do(func(ctx *actors.Context) { ctx.Monitor(near); _ = ctx.Cast(near, number(1)) })
		r.settle(time.Second)
		r.view([]*node{b}, b) // b has lost a, and a hears nothing of that
		r.settle(time.Second)
		q.wants("down " + near.ID + " noconnection")
		p.wants()
		r.view(both, a, b)
		r.settle(time.Second)
		p.wants("down " + far.ID + " noconnection")
		p.do(func(ctx *actors.Context) { ctx.Monitor(far); _ = ctx.Cast(far, &nodepb.Attach{}) })
		r.settle(time.Second)
		p.wants("down " + far.ID + " normal")
		q.wants()
	})
}

// TestReunited: both sides hear that they were parted and no longer are, also the one that had lost nobody. A node that is new, or leaves, is
// no reunion.
func TestReunited(t *testing.T) {
	run(t, func(r *rig) {
		times, lost := map[ident.NodeID]int{}, map[ident.NodeID]int{}
		start := func(id ident.NodeID) *node {
			return r.start(id, func(o *cluster.Options) {
				o.GivenUp = func() {
					r.mu.Lock()
					defer r.mu.Unlock()
					lost[id]++
				}
				o.Reunited = func() {
					r.mu.Lock()
					defer r.mu.Unlock()
					times[id]++
				}
			})
		}
		want := func(what string, at ...int) {
			t.Helper()
			r.settle(time.Second)
			r.mu.Lock()
			defer r.mu.Unlock()
			for i, id := range []ident.NodeID{"a@1", "b@1", "c@1"} {
				if times[id] != at[i] {
					t.Fatalf("%s: %v", what, times)
				}
			}
		}
		a, b := start("a@1"), start("b@1")
		r.view([]*node{a, b}, a, b)
		p := a.peer("p")
		p.do(func(ctx *actors.Context) { _ = ctx.Cast(boxOf(b, a, b), number(1)) })
		want("at first", 0, 0, 0)
		c := start("c@1")
		r.view([]*node{a, b, c}, a, b, c)
		want("one more", 0, 0, 0)
		r.view([]*node{a, b}, a, b)
		want("one less", 0, 0, 0)
		r.view([]*node{a, b, c}, a, b, c)
		want("it is back, and was itself lost by both", 1, 1, 2)
		if len(lost) != 1 || lost["c@1"] != 2 {
			t.Errorf("lost by others: %v", lost)
		}
		r.view([]*node{a}, a)
		r.view([]*node{b}, b)
		r.view([]*node{a, b, c}, a, b, c)
		r.settle(time.Second)
		r.mu.Lock()
		defer r.mu.Unlock()
		if times["a@1"] < 2 || times["b@1"] < 2 {
			t.Errorf("after a cut: %v", times)
		}
		if lost["a@1"] != 1 || lost["b@1"] != 1 || lost["c@1"] != 4 {
			t.Errorf("after a cut, lost by others: %v", lost)
		}
	})
}

// TestWatchedByWhoHasNotHeardYet: a monitor that reaches a node after that had given the watcher's up, and before the watcher's knows
// that, ends on both.
func TestWatchedByWhoHasNotHeardYet(t *testing.T) {
	run(t, func(r *rig) {
		a, b := r.start("a@1"), r.start("b@1")
		both := []*node{a, b}
		r.view(both, a, b)
		r.settle(time.Second)
		p, far := a.peer("p"), boxOf(b, a, b)
		p.do(func(ctx *actors.Context) { _ = ctx.Cast(far, number(1)) })
		r.settle(time.Second)
		cut := func(on bool) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.cut[[2]ident.NodeID{b.id, a.id}] = on
		}
		cut(true)
		r.view([]*node{b}, b)
		r.view([]*node{b}, a, b)
		r.settle(time.Second)
		p.do(func(ctx *actors.Context) { ctx.Monitor(far) })
		r.settle(100 * time.Millisecond)
		if n := b.c.Status().Watchers; n != 1 {
			t.Fatalf("%d monitors have come", n)
		}
		cut(false)
		r.settle(time.Minute)
		p.wants("down " + far.ID + " noconnection")
		if x, y := a.c.Status(), b.c.Status(); x.Watches != 0 || y.Watchers != 0 {
			t.Errorf("%d monitors are left, %d over there", x.Watches, y.Watchers)
		}
	})
}
