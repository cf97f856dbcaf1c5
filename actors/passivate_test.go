package actors_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
)

// sleeper is an agent that may refuse to be passivated.
type sleeper struct {
	agent
	asked int
	may   func(ctx *actors.Context) bool
	last  func(ctx *actors.Context)
}

func (p *sleeper) MayPassivate(ctx *actors.Context) bool {
	onStage()
	p.asked++
	return p.may == nil || p.may(ctx)
}

func (p *sleeper) Terminate(ctx *actors.Context, r actors.Reason) {
	p.agent.Terminate(ctx, r)
	if p.last != nil {
		p.last(ctx)
	}
}

// sleepers runs a test with an actor that is passivated after a second.
func sleepers(t *testing.T, f func(t *testing.T, p *sleeper, own *restarter)) {
	bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
		p, own := &sleeper{agent: agent{s: s}}, &restarter{restart: true}
		var err error
		p.child, err = s.Spawn(actors.Spec{Kind: "sleeper", IdleTimeout: time.Second, New: func() actors.Behaviour { return p }}, actors.Ref{Kind: "sleeper", ID: "a"}, nil, own)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		f(t, p, own)
	})
}

// gone wants the actor to have ended within the time it may idle.
func (p *sleeper) gone(t *testing.T, own *restarter) {
	t.Helper()
	advance(1100 * time.Millisecond)
	if err := p.cast("too late"); err != actors.ErrNoProc {
		t.Fatalf("an idle actor answers %v", err)
	}
	if n := len(own.reasons); n == 0 || own.reasons[n-1] != actors.Normal || p.ends[len(p.ends)-1] != actors.Normal {
		t.Fatalf("the owner heard %v, the actor %v", own.reasons, p.ends)
	}
	if snap := p.s.Snapshot(); snap.Live["sleeper"] != 0 || snap.DeadLetters["sleeper"] != 1 {
		t.Fatalf("%d live, %d dead letters", snap.Live["sleeper"], snap.DeadLetters["sleeper"])
	}
}

func TestIdleActorEnds(t *testing.T) {
	sleepers(t, func(t *testing.T, p *sleeper, own *restarter) {
		watcher := newAgent(t, p.s, "w", &restarter{})
		watcher.do(func(ctx *actors.Context) { ctx.Monitor(p.ref()) })
		p.gone(t, own)
		watcher.wants(t, "[down a normal]")
		if p.asked != 1 || len(p.ends) != 1 {
			t.Fatalf("asked %d times, ended %d times", p.asked, len(p.ends))
		}
	})
}

// TestMessagesKeepItAwake: casts, answers and calls, each of which is shortly before the time is over.
func TestMessagesKeepItAwake(t *testing.T) {
	sleepers(t, func(t *testing.T, p *sleeper, own *restarter) {
		for i, wake := range []func() error{
			func() error { return p.cast("cast") },
			func() error { return p.s.Answer(p.ref(), "answer") },
			func() error { _, err := p.s.Call(t.Context(), p.ref(), "call"); return err },
			func() error { return p.cast("cast") },
		} {
			advance(950 * time.Millisecond)
			if err := wake(); err != nil {
				t.Fatalf("after %d messages: %v", i, err)
			}
		}
		if p.asked != 0 {
			t.Fatalf("asked %d times", p.asked)
		}
		p.gone(t, own)
	})
}

// TestOneThatStays is asked again each time that it has idled for as long.
func TestOneThatStays(t *testing.T) {
	sleepers(t, func(t *testing.T, p *sleeper, own *restarter) {
		p.may = func(*actors.Context) bool { return false }
		advance(10*time.Second + 500*time.Millisecond)
		if p.asked < 9 || p.asked > 10 || len(p.ends) != 0 || len(own.reasons) != 0 {
			t.Fatalf("asked %d times in 10 s, ended %v", p.asked, p.ends)
		}
		p.may = nil
		p.gone(t, own)
	})
}

// TestAskedActorThatCrashes: as on any other message.
func TestAskedActorThatCrashes(t *testing.T) {
	sleepers(t, func(t *testing.T, p *sleeper, own *restarter) {
		p.may = func(*actors.Context) bool { panic("on purpose") }
		advance(1100 * time.Millisecond)
		if p.may = nil; p.lives != 2 || len(own.reasons) != 1 || own.reasons[0].Code != actors.CodeCrashed {
			t.Fatalf("%d lives, the owner heard %v", p.lives, own.reasons)
		}
		p.gone(t, own)
	})
}

// TestRestartsAskOnce: each life idles for the whole time, and is asked once, however many came before.
func TestRestartsAskOnce(t *testing.T) {
	sleepers(t, func(t *testing.T, p *sleeper, own *restarter) {
		for range 5 {
			advance(700 * time.Millisecond)
			_ = p.cast(crash)
		}
		advance(900 * time.Millisecond)
		if p.lives != 6 || p.asked != 0 {
			t.Fatalf("%d lives, asked %d times", p.lives, p.asked)
		}
		p.gone(t, own)
		if p.asked != 1 {
			t.Fatalf("asked %d times", p.asked)
		}
	})
}

// TestMessagesWhileItEnds: what comes after the last look at the queue is for another life under the same name, in order. Whoever
// watches hears of the end of this one, once.
func TestMessagesWhileItEnds(t *testing.T) {
	sleepers(t, func(t *testing.T, p *sleeper, own *restarter) {
		watcher := newAgent(t, p.s, "w", &restarter{})
		watcher.do(func(ctx *actors.Context) { ctx.Monitor(p.ref()) })
		p.last = func(ctx *actors.Context) {
			p.last = nil
			for i := range 5 {
				if err := ctx.Cast(ctx.Self(), i); err != nil {
					t.Errorf("while it ends: %v", err)
				}
			}
		}
		advance(1100 * time.Millisecond)
		p.wants(t, "[0 1 2 3 4]")
		if p.lives != 2 || len(own.reasons) != 0 {
			t.Fatalf("%d lives, the owner heard %v", p.lives, own.reasons)
		}
		watcher.wants(t, "[down a normal]")
		watcher.do(func(ctx *actors.Context) { ctx.Monitor(p.ref()) })
		p.gone(t, own)
		watcher.wants(t, "[down a normal]")
	})
}

// TestTimersEndWithTheIdle: an actor that is passivated takes its timers with it, also if another life follows at once.
func TestTimersEndWithTheIdle(t *testing.T) {
	sleepers(t, func(t *testing.T, p *sleeper, own *restarter) {
		p.do(func(ctx *actors.Context) { ctx.SendAfter(1500*time.Millisecond, "ring") })
		p.last = func(ctx *actors.Context) { p.last = nil; _ = ctx.Cast(ctx.Self(), "next") }
		advance(2 * time.Second)
		if p.wants(t, "[next]"); p.lives != 2 {
			t.Fatalf("%d lives", p.lives)
		}
		advance(100 * time.Millisecond)
		if n := len(own.reasons); n != 1 {
			t.Fatalf("the owner heard %v", own.reasons)
		}
	})
}

// TestStopWhilePassivating: a stop that meets the passivation ends the actor once.
func TestStopWhilePassivating(t *testing.T) {
	sleepers(t, func(t *testing.T, p *sleeper, own *restarter) {
		p.last = func(*actors.Context) { p.last = nil; p.child.Stop(actors.Shutdown) }
		advance(5 * time.Second)
		if len(own.reasons) != 1 || fmt.Sprint(p.ends[0]) != "normal" {
			t.Fatalf("the owner heard %v, the actor %v", own.reasons, p.ends)
		}
		if n := p.s.Snapshot().Live["sleeper"]; n != 0 {
			t.Fatalf("%d live", n)
		}
	})
}
