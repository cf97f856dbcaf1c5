package actors_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
)

// TestTimersComeInOrder: of their time, and those of one tick as they were set; what has passed already comes at once.
func TestTimersComeInOrder(t *testing.T) {
	bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
		a := newAgent(t, s, "a", &restarter{})
		a.do(func(ctx *actors.Context) {
			for i, d := range []time.Duration{10 * time.Minute, 30 * time.Second, 29 * time.Second, 30 * time.Second, 3 * time.Second, 30 * time.Second, -time.Second, 0} {
				ctx.SendAfter(d, fmt.Sprint(d, " ", i))
			}
		})
		a.wants(t, "[]")
		advance(20 * time.Millisecond)
		a.wants(t, "[-1s 6 0s 7]")
		advance(time.Minute)
		a.wants(t, "[3s 4 29s 2 30s 1 30s 3 30s 5]")
		advance(10 * time.Minute)
		a.wants(t, "[10m0s 0]")
	})
}

// TestCancelTimer: true as long as the message has not been seen, be it on its way.
func TestCancelTimer(t *testing.T) {
	bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
		a := newAgent(t, s, "a", &restarter{}, func(s *actors.Spec) { s.Blocking = true })
		var ref [4]actors.TimerRef
		cancel := func(i int, want bool) {
			t.Helper()
			a.do(func(ctx *actors.Context) {
				if got := ctx.CancelTimer(ref[i]); got != want {
					t.Errorf("cancelling timer %d: %v", i, got)
				}
			})
		}
		if cancel(0, false); a.lives != 1 { // nothing was ever set
			t.Fatal("no life")
		}
		a.do(func(ctx *actors.Context) {
			for i := range ref {
				ref[i] = ctx.SendAfter(time.Duration(i+1)*time.Second, i)
			}
		})
		cancel(0, true)
		cancel(0, false)
		advance(2500 * time.Millisecond)
		a.wants(t, "[1]")
		cancel(1, false)
		g := make(gate)
		_ = a.cast(func(ctx *actors.Context) error {
			<-g
			if !ctx.CancelTimer(ref[2]) {
				t.Error("a timer that fired while its actor was busy, and was not seen, can't be cancelled")
			}
			return nil
		})
		advance(time.Second)
		close(g)
		advance(10 * time.Second)
		a.wants(t, "[3]")
		cancel(3, false)
	})
}

// TestTimersOfAnEarlierLife: neither those that fire later nor those that are due while there is no life, nor do their names
// mean anything to the next.
func TestTimersOfAnEarlierLife(t *testing.T) {
	bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
		own := &undertaker{}
		a := newAgent(t, s, "a", own)
		var first actors.TimerRef
		a.do(func(ctx *actors.Context) {
			first = ctx.SendAfter(time.Second, "between")
			ctx.SendAfter(time.Minute, "after")
		})
		_ = a.cast(crash)
		advance(2 * time.Second)
		own.crashed.Restart()
		a.do(func(ctx *actors.Context) {
			ctx.SendAfter(3*time.Minute, "mine")
			if ctx.CancelTimer(first) {
				t.Error("an earlier life's timer can be cancelled")
			}
		})
		advance(2 * time.Minute)
		a.wants(t, "[]")
		advance(2 * time.Minute)
		a.wants(t, "[mine]")
	})
}

// TestTimersOfTheEnded: they are no dead letters, and no life.
func TestTimersOfTheEnded(t *testing.T) {
	dead := 0
	bubble(t, actors.Config{DeadLetter: func(actors.Ref, any) { dead++ }}, func(t *testing.T, s *actors.System) {
		for i, end := range []func(*agent){
			func(a *agent) { a.child.Stop(actors.Shutdown) },
			func(a *agent) { a.child.End(actors.Killed) },
			func(a *agent) { _ = a.cast(crash) },
		} {
			a := newAgent(t, s, fmt.Sprint(i), &restarter{})
			a.do(func(ctx *actors.Context) { ctx.SendAfter(time.Second, "ring"); ctx.Call(ctx.Self(), "?", time.Minute) })
			a.wants(t, "[reply 2 ? <nil>]")
			end(a)
			advance(2 * time.Minute)
			if a.wants(t, "[]"); dead != 0 {
				t.Fatalf("%d dead letters", dead)
			}
		}
	})
}

// TestThousandTimersOfAnActor: with the wheel's own goroutine, while it sets and cancels more of them.
func TestThousandTimersOfAnActor(t *testing.T) {
	bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
		a := newAgent(t, s, "a", &restarter{})
		rnd := rand.New(rand.NewPCG(5, 6))
		begin := time.Now()
		due := map[int]time.Duration{}
		var set func(ctx *actors.Context, n int)
		set = func(ctx *actors.Context, n int) {
			d := time.Duration(rnd.Int64N(int64(time.Minute)))
			at := time.Since(begin) + d
			ref := ctx.SendAfter(d, do(func(ctx *actors.Context) error {
				now := time.Since(begin)
				if want, ok := due[n]; !ok || now < want || now >= want+20*time.Millisecond {
					t.Errorf("timer %d of %v came at %v (due: %v)", n, want, now, ok)
				}
				delete(due, n)
				if n < 2000 {
					set(ctx, n+1000)
				}
				return nil
			}))
			if due[n] = at; n%3 == 0 {
				delete(due, n)
				ctx.CancelTimer(ref)
			}
		}
		a.do(func(ctx *actors.Context) {
			for n := range 1000 {
				set(ctx, n)
			}
		})
		advance(5 * time.Minute)
		if len(due) != 0 {
			t.Fatalf("%d timers never came, %v among them", len(due), slices.Sorted(func(yield func(int) bool) {
				for n := range due {
					yield(n)
					return
				}
			}))
		}
	})
}
