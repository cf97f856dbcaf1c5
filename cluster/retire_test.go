package cluster_test

import (
	"sync"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/cluster"
	"github.com/jackdaw-im/jackdaw/cluster/placement"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// stubborn is a box that a test can hold up: a Presence holds its handler until gate is closed, or is a call that it never
// answers. It never says that it may go.
type stubborn struct {
	box
	gate chan struct{}
}

func (s *stubborn) Handle(ctx *actors.Context, msg any) error {
	if _, ok := msg.(*nodepb.Presence); ok {
		<-s.gate
		return nil
	}
	return s.box.Handle(ctx, msg)
}

func (s *stubborn) HandleCall(ctx *actors.Context, from actors.From, req any) (any, error) {
	if _, ok := req.(*nodepb.Presence); ok {
		return actors.NoReply, nil
	}
	return s.box.HandleCall(ctx, from, req)
}

func (s *stubborn) Retire(*actors.Context) bool { return false }

// stubbornly makes boxes of that sort, and returns what lets all their handlers go on.
func (r *rig) stubbornly() (release func()) {
	gate := make(chan struct{})
	r.newBox = func(n *node) actors.Behaviour { return &stubborn{box: box{n: n}, gate: gate} }
	return sync.OnceFunc(func() { close(gate) })
}

// eachMove runs a test for each of the two ways in which an actor comes from a to b: with its partition, and by a pin. Nodes wait for it as
// long as hold says.
func eachMove(t *testing.T, hold time.Duration, f func(t *testing.T, r *rig, ref actors.Ref, a, b *node, move func())) {
	for _, pin := range []bool{false, true} {
		t.Run(map[bool]string{false: "its partition", true: "a pin"}[pin], func(t *testing.T) {
			run(t, func(r *rig) {
				long := func(o *cluster.Options) { o.Hold = hold }
				a, b := r.start("a@1", long), r.start("b@1", long)
				both, first := []*node{a, b}, []*node{a}
				ref := boxOf(b, a, b)
				if pin {
					first, ref = both, boxOf(a, a, b)
				}
				r.view(both, first...)
				r.settle(50 * time.Millisecond)
				f(t, r, ref, a, b, func() {
					if !pin {
						r.view(both, a, b)
						return
					}
					pins := placement.MakePins([]placement.Pin{{Kind: ref.Kind, ID: ref.ID, Node: "b"}})
					a.c.SetPins(pins)
					b.c.SetPins(pins)
				})
			})
		})
	}
}

// TestOverdue: an actor whose handler hangs is waited for until RetireTime and half a second are over. Then it is released without having
// gone, which is counted, and the next of its name begins.
func TestOverdue(t *testing.T) {
	eachMove(t, time.Minute, func(t *testing.T, r *rig, ref actors.Ref, a, b *node, move func()) {
		release := r.stubbornly()
		defer release()
		p := b.peer("p")
		p.do(func(ctx *actors.Context) { _ = ctx.Cast(ref, &nodepb.Presence{}) })
		r.settle(50 * time.Millisecond)
		begin := time.Now()
		move()
		r.settle(5 * time.Millisecond)
		p.do(func(ctx *actors.Context) { _ = ctx.Cast(ref, number(1)) })
		for a.c.Counters().Overdue.Load() == 0 && time.Since(begin) < 50*time.Second {
			if b.sys.Alive(ref) {
				t.Fatalf("it runs on b after %v", time.Since(begin))
			}
			r.settle(10 * time.Millisecond)
		}
		if d := time.Since(begin); d < 2500*time.Millisecond || d > 2600*time.Millisecond {
			t.Errorf("it is overdue after %v", d)
		}
		r.settle(10 * time.Millisecond)
		r.wantsBox(ref, "b@1 1")
		if n, s := a.c.Counters().Overdue.Load(), a.c.Status(); n != 1 || s.Leaving != 0 || b.c.Status().Waiting != 0 {
			t.Errorf("%d are overdue; %+v", n, s)
		}
		release()
		r.settle(time.Second)
		if a.sys.Alive(ref) || !b.sys.Alive(ref) {
			t.Error("once it can, it doesn't go")
		}
	})
}

// TestStartedAsItLeft: an actor that was started on the node that it had just left, by a sender who didn't know yet, goes within a second.
func TestStartedAsItLeft(t *testing.T) {
	eachMove(t, time.Minute, func(t *testing.T, r *rig, ref actors.Ref, a, b *node, move func()) {
		p := b.peer("p")
		p.do(func(ctx *actors.Context) { _ = ctx.Cast(ref, number(1)) })
		r.settle(50 * time.Millisecond)
		move()
		r.settle(5 * time.Millisecond)
		for a.sys.Alive(ref) {
			r.settle(time.Millisecond)
		}
		r.settle(20 * time.Millisecond) // it is seen that it has gone
		if err := a.sys.Receive(ref, actors.Signal{How: actors.HowCast, Msg: number(2), Opening: true}); err != nil || !a.sys.Alive(ref) {
			t.Fatalf("it isn't there: %v", err)
		}
		r.settle(time.Second)
		if a.sys.Alive(ref) {
			t.Error("it is there for good")
		}
	})
}
