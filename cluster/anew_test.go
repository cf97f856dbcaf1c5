package cluster_test

import (
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
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
