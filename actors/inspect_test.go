package actors_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
)

// inspect runs f on an agent's turn.
func (a *agent) inspect(t *testing.T, f func(*actors.Inspection)) {
	t.Helper()
	if err := a.s.Inspect(t.Context(), a.ref(), f); err != nil {
		t.Fatal(err)
	}
}

func TestInspect(t *testing.T) {
	bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
		a := newAgent(t, s, "a", holder{})
		a.inspect(t, func(i *actors.Inspection) {
			if i.Behaviour() != actors.Behaviour(a) || i.Context().Self() != a.ref() {
				t.Errorf("saw %v of %v", i.Behaviour(), i.Context().Self())
			}
		})
		if err := s.Inspect(t.Context(), a.ref(), func(*actors.Inspection) { panic("oops") }); err == nil || !strings.Contains(err.Error(), "oops") || len(a.ends) != 0 {
			t.Errorf("a panic of the inspector: %v, ends %v", err, a.ends)
		}
		g := make(gate)
		_ = a.cast(g.wait)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := s.Inspect(ctx, a.ref(), func(*actors.Inspection) { t.Error("ran after its time") }); !errors.Is(err, actors.ErrTimeout) {
			t.Errorf("a handler that hangs: %v", err)
		}
		close(g)
		_ = a.cast(crash)
		a.inspect(t, func(i *actors.Inspection) {
			if f := i.Facts(); i.Behaviour() != nil || f.Phase != "crashed" || i.Replace(a) {
				t.Errorf("between two lives: %v, %+v", i.Behaviour(), f)
			}
		})
		_ = a.cast("waits") // so that the queue isn't empty at the end
		asked := make(chan error)
		h := newAgent(t, s, "h", holder{})
		g = make(gate)
		_ = h.cast(g.wait)
		go func() { asked <- s.Inspect(t.Context(), h.ref(), func(*actors.Inspection) {}) }()
		synctest.Wait()
		h.child.End(actors.Killed)
		if err := <-asked; !errors.Is(err, actors.ErrNoProc) {
			t.Errorf("one that ended before: %v", err)
		}
		close(g)
		a.child.End(actors.Killed)
		if err := s.Inspect(t.Context(), a.ref(), func(*actors.Inspection) {}); !errors.Is(err, actors.ErrNoProc) {
			t.Errorf("one that has ended: %v", err)
		}
	})
}

// TestReplace: another value takes over, with the queue and the timers.
func TestReplace(t *testing.T) {
	bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
		a, b := newAgent(t, s, "a", holder{}), &agent{}
		a.do(func(ctx *actors.Context) { ctx.SendAfter(time.Second, "ring") })
		a.inspect(t, func(i *actors.Inspection) { i.Replace(b) })
		_ = a.cast("hello")
		advance(2 * time.Second)
		a.wants(t, "[]")
		b.wants(t, "[hello ring]")
	})
}

// TestSuspend: everything for the behaviour waits, in order within its lane, and nothing for the runtime does.
func TestSuspend(t *testing.T) {
	bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
		a := newAgent(t, s, "a", &undertaker{}, func(s *actors.Spec) { s.QueueLen, s.IdleTimeout = 3, time.Second })
		b := newAgent(t, s, "b", &undertaker{})
		a.do(func(ctx *actors.Context) {
			ctx.TrapExit(true)
			ctx.SendAfter(10*time.Millisecond, "ring")
			ctx.Monitor(b.ref())
			ctx.Link(b.ref())
			ctx.Call(b.ref(), "?", time.Second)
			ctx.System()
		})
		a.wants(t, "[reply 3 ? <nil>]")
		a.inspect(t, (*actors.Inspection).Suspend)
		for i := range 4 {
			if err := a.cast(i); (err != nil) != (i == 3) {
				t.Fatalf("message %d: %v", i, err)
			}
		}
		_ = s.Answer(a.ref(), "answer")
		b.child.Stop(actors.Shutdown)
		advance(time.Minute) // longer than its idle time, too
		a.wants(t, "[]")
		a.inspect(t, func(i *actors.Inspection) {
			if f := i.Facts(); f.Phase != "suspended" || f.Queue != 3 || f.Oldest < 59*time.Second || f.Waiting["int"] != 3 {
				t.Errorf("while suspended: %+v", f)
			}
			i.Suspend()
		})
		a.inspect(t, (*actors.Inspection).Resume)
		a.wants(t, "[answer exit b shutdown down b shutdown ring 0 1 2]")
		a.inspect(t, (*actors.Inspection).Resume)
		a.inspect(t, (*actors.Inspection).Suspend)
		_ = a.cast("late")
		a.child.Stop(actors.Shutdown)
		if synctest.Wait(); fmt.Sprint(a.ends) != "[shutdown]" {
			t.Errorf("a suspended one can't be stopped: %v", a.ends)
		}
	})
}

// TestSuspendedIsKilled: by signals that it doesn't trap; and a crash on what Resume brings is a crash.
func TestSuspendedIsKilled(t *testing.T) {
	bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
		a := newAgent(t, s, "a", &restarter{restart: true})
		a.inspect(t, (*actors.Inspection).Suspend)
		_ = s.Answer(a.ref(), do(crash))
		_ = a.cast("after")
		a.inspect(t, (*actors.Inspection).Resume)
		a.wants(t, "[after]")
		a.inspect(t, (*actors.Inspection).Suspend)
		_ = s.Exit(a.ref(), actors.Crashed(errOnPurpose))
		_ = a.cast("next life") // a new life isn't suspended
		a.wants(t, "[next life]")
		if a.lives != 3 {
			t.Errorf("%d lives", a.lives)
		}
		a.do(func(ctx *actors.Context) { ctx.TrapExit(true) })
		a.inspect(t, (*actors.Inspection).Suspend)
		_ = s.Exit(a.ref(), actors.Shutdown)
		synctest.Wait()
		if a.wants(t, "[]"); len(a.ends) != 2 {
			t.Fatalf("a trapped signal didn't wait: %v", a.ends)
		}
		_ = s.Exit(a.ref(), actors.Killed)
		if synctest.Wait(); fmt.Sprint(a.ends[2:]) != "[killed]" {
			t.Errorf("a suspended one that traps can't be killed: %v", a.ends)
		}
	})
}

// TestTrace: the next messages, how they came, what they made the actor send, and no more.
func TestTrace(t *testing.T) {
	bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
		a, b := newAgent(t, s, "a", &restarter{restart: true}), newAgent(t, s, "b", &undertaker{})
		var events []string
		note := func(e actors.TraceEvent) {
			text := fmt.Sprintf("%s %s", e.How, e.Kind)
			for _, m := range e.Sent {
				text += fmt.Sprintf(" > %v %s", m.To, m.Kind)
			}
			if e.Err != nil {
				text += " ! " + strings.SplitN(e.Err.Error(), "\n", 2)[0]
			}
			events = append(events, text)
		}
		a.inspect(t, func(i *actors.Inspection) { i.Trace(8, note) })
		a.do(func(ctx *actors.Context) {
			ctx.TrapExit(true)
			ctx.Monitor(b.ref())
			ctx.Link(b.ref())
			ctx.SendAfter(time.Millisecond, 1.5)
			ctx.Call(b.ref(), "?", time.Second)
			_ = ctx.Cast(b.ref(), 7)
		})
		_, _ = s.Call(t.Context(), a.ref(), ask(func(*actors.Context, actors.From) (any, error) { return nil, nil }))
		b.child.Stop(actors.Shutdown)
		advance(time.Second)
		_ = a.cast(crash)
		_ = a.cast(func(*actors.Context) error { panic("oops") })
		_ = a.cast("one too many")
		want := []string{"cast actors_test.do > agent/b string > agent/b int", "reply string", "call actors_test.ask", "exit actors.exitSignal", "down actors.Down",
			"timer float64", "cast actors_test.do ! on purpose", "cast actors_test.do ! panic: oops"}
		if fmt.Sprintf("%q", events) != fmt.Sprintf("%q", want) {
			t.Errorf("traced %q\nwant   %q", events, want)
		}
		events = nil
		a.inspect(t, func(i *actors.Inspection) { i.Trace(5, note); i.Trace(0, nil) })
		if _ = a.cast("untraced"); events != nil {
			t.Errorf("traced %v", events)
		}
	})
}

// TestFacts: what is known from outside, also of one that hangs.
func TestFacts(t *testing.T) {
	bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
		a := newAgent(t, s, "a", &restarter{restart: true})
		_ = a.cast(crash)
		a.do(func(ctx *actors.Context) {
			ctx.Monitor(a.ref())
			ctx.SendAfter(time.Hour, "x")
			ctx.TrapExit(true)
			ctx.Call(actors.Ref{Kind: "agent", ID: "nobody"}, 1, time.Hour)
		})
		a.inspect(t, func(i *actors.Inspection) {
			f := i.Facts()
			if f.Restarts != 1 || f.Monitors != 1 || f.Timers != 1 || f.Calls != 0 || f.Links != 0 || !f.Traps || f.Running != "" {
				t.Errorf("on its turn: %+v", f)
			}
		})
		g := make(gate)
		_ = a.cast(g.wait)
		_ = a.cast(1)
		advance(time.Second)
		_ = a.cast(2)
		_ = a.cast("x")
		f, err := s.Facts(a.ref())
		if err != nil || f.Queue != 3 || f.Running != "actors_test.do" || f.Last != f.Running || f.For.Round(100*time.Millisecond) != time.Second ||
			f.Oldest.Round(100*time.Millisecond) != time.Second || fmt.Sprint(f.Waiting) != "map[int:2 string:1]" || f.Phase != "running" {
			t.Errorf("while it hangs: %v, %+v", err, f)
		}
		close(g)
		synctest.Wait()
		if f, _ := s.Facts(a.ref()); f.Queue != 0 || f.Running != "" || f.Last != "string" || f.Oldest != 0 || f.Waiting != nil {
			t.Errorf("afterwards: %+v", f)
		}
		var all []actors.Ref
		s.Each(func(r actors.Ref) bool { all = append(all, r); return true })
		if fmt.Sprint(all) != "[agent/a]" {
			t.Errorf("live: %v", all)
		}
		if _, err := s.Facts(actors.Ref{Kind: "no", ID: "body"}); !errors.Is(err, actors.ErrNoProc) {
			t.Errorf("of nobody: %v", err)
		}
	})
}

// TestOnCall: the hook hears of each call's begin and end, so that a test can see who waits for whom.
func TestOnCall(t *testing.T) {
	var heard []string
	hook := func(from, to actors.Ref, waits bool) {
		onStage()
		heard = append(heard, fmt.Sprintf("%s-%s %v", from.ID, to.ID, waits))
	}
	bubble(t, actors.Config{OnCall: hook, Workers: 1}, func(t *testing.T, s *actors.System) {
		a, b := newAgent(t, s, "a", &restarter{restart: true}), newAgent(t, s, "b", &undertaker{})
		wants := func(want string) {
			t.Helper()
			if synctest.Wait(); fmt.Sprint(heard) != want {
				t.Errorf("heard %v, want %s", heard, want)
			}
			heard = nil
		}
		a.do(func(ctx *actors.Context) { ctx.Call(b.ref(), 1, time.Second) })
		wants("[a-b true a-b false]")
		a.do(func(ctx *actors.Context) { ctx.Call(actors.Ref{Kind: "no", ID: "body"}, 1, time.Second) })
		wants("[a-body true a-body false]")
		later := ask(func(*actors.Context, actors.From) (any, error) { return actors.NoReply, nil })
		a.do(func(ctx *actors.Context) { ctx.Call(b.ref(), later, time.Second) })
		wants("[a-b true]")
		advance(2 * time.Second)
		wants("[a-b false]")
		a.do(func(ctx *actors.Context) { ctx.Call(b.ref(), later, time.Second) })
		_ = a.cast(crash)
		wants("[a-b true a-b false]")
		advance(2 * time.Second)
		wants("[]")
	})
}
