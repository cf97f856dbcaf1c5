package actors_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
)

// pair starts two agents whose owner ends those that crash, linked by the first.
func pair(t *testing.T, s *actors.System, traps bool) (a, b *agent) {
	t.Helper()
	a, b = newAgent(t, s, "a", &undertaker{}), newAgent(t, s, "b", &undertaker{})
	a.do(func(ctx *actors.Context) { ctx.TrapExit(traps); ctx.Link(b.ref()) })
	return a, b
}

// TestLinkedEndTogether: whatever ends one of two that are linked, but for normal ends, the other ends with the same reason; one that
// traps hears of it instead.
func TestLinkedEndTogether(t *testing.T) {
	for name, c := range map[string]struct {
		end      func(*agent)
		trapped  string
		together string // how the other one ends if it doesn't trap
	}{
		"normal":   {func(b *agent) { b.do(func(ctx *actors.Context) { ctx.Stop(actors.Normal) }) }, "[exit b normal]", "[]"},
		"shutdown": {func(b *agent) { b.child.Stop(actors.Shutdown) }, "[exit b shutdown]", "[shutdown]"},
		"crash":    {func(b *agent) { _ = b.cast(crash) }, "[exit b crashed: on purpose]", "[crashed: on purpose]"},
		"killed":   {func(b *agent) { b.child.End(actors.Killed) }, "[exit b killed]", "[killed]"},
		"exit": {func(b *agent) { _ = b.s.Exit(b.ref(), actors.Crashed(errOnPurpose)) },
			"[exit b crashed: on purpose]", "[crashed: on purpose]"},
		"kill": {func(b *agent) { _ = b.s.Exit(b.ref(), actors.Killed) }, "[exit b killed]", "[killed]"},
	} {
		for _, traps := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, trapped %v", name, traps), func(t *testing.T) {
				bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
					a, b := pair(t, s, traps)
					c.end(b)
					synctest.Wait()
					if traps {
						if a.wants(t, c.trapped); len(a.ends) != 0 {
							t.Errorf("one that traps ends: %v", a.ends)
						}
						return
					}
					if got := fmt.Sprint(a.ends); got != c.together {
						t.Errorf("the other one's ends: %s, want %s", got, c.together)
					}
				})
			})
		}
	}
}

// TestLinkIsOfBothSides: the one that was linked ends with the one that linked it.
func TestLinkIsOfBothSides(t *testing.T) {
	bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
		a, b := pair(t, s, false)
		_ = a.cast(crash)
		if fmt.Sprint(b.ends) != "[crashed: on purpose]" {
			t.Errorf("ends %v", b.ends)
		}
	})
}

// TestLinkToNobody: the signal comes at once; one that starts on demand isn't started for it.
func TestLinkToNobody(t *testing.T) {
	bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
		s.SetActivator("guest", &onDemand{s, actors.Spec{Kind: "guest", New: func() actors.Behaviour { return plain{} }}, &undertaker{}})
		a := newAgent(t, s, "a", &undertaker{})
		a.do(func(ctx *actors.Context) {
			ctx.TrapExit(true)
			ctx.Link(actors.Ref{Kind: "agent", ID: "nobody"})
			ctx.Link(actors.Ref{Kind: "guest", ID: "resting"})
		})
		a.wants(t, "[exit nobody noproc exit resting noproc]")
		if n := s.Snapshot().Live["guest"]; n != 0 {
			t.Errorf("%d guests were started", n)
		}
		a.do(func(ctx *actors.Context) { ctx.TrapExit(false); ctx.Link(actors.Ref{Kind: "agent", ID: "nobody"}) })
		if synctest.Wait(); fmt.Sprint(a.ends) != "[noproc]" {
			t.Errorf("ends %v", a.ends)
		}
	})
}

// TestUnlink: no signal comes afterwards, not even one that was on its way; linking twice is one link; oneself is none.
func TestUnlink(t *testing.T) {
	bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
		a, b := pair(t, s, true)
		a.do(func(ctx *actors.Context) { ctx.Link(b.ref()); ctx.Link(a.ref()) })
		a.do(func(ctx *actors.Context) {
			b.child.End(actors.Killed) // its signal waits in the control lane
			ctx.Unlink(b.ref())
			ctx.Unlink(b.ref())
		})
		a.wants(t, "[]")
		c := newAgent(t, s, "c", &undertaker{})
		a.do(func(ctx *actors.Context) { ctx.Link(c.ref()); ctx.Unlink(c.ref()) })
		_ = a.cast(crash)
		if len(c.ends) != 0 {
			t.Errorf("the other side of a link that was taken away ended: %v", c.ends)
		}
	})
}

// TestLinksAreOfOneLife: a crash breaks them, though the Ref lives on; so does passivation, with a normal end.
func TestLinksAreOfOneLife(t *testing.T) {
	bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
		a, b := newAgent(t, s, "a", &undertaker{}), newAgent(t, s, "b", &restarter{restart: true})
		a.do(func(ctx *actors.Context) { ctx.TrapExit(true); ctx.Link(b.ref()) })
		_ = b.cast(crash)
		a.wants(t, "[exit b crashed: on purpose]")
		if _ = b.cast(crash); b.lives != 3 {
			t.Fatalf("%d lives", b.lives)
		}
		a.wants(t, "[]")
		a.child.Stop(actors.Shutdown)
		synctest.Wait()
		if b.lives != 3 || len(b.ends) != 2 {
			t.Errorf("a life that was not linked ended: %v", b.ends)
		}
	})
}

// TestExitSignals: OTP's table of what a signal does. Normal does nothing, Killed can't be trapped.
func TestExitSignals(t *testing.T) {
	for _, c := range []struct {
		reason     actors.Reason
		traps      bool
		hears      string
		end        string
		supervised int // what its owner hears
	}{
		{actors.Normal, false, "[]", "[]", 0},
		{actors.Normal, true, "[exit sender normal]", "[]", 0},
		{actors.Shutdown, false, "[]", "[shutdown]", 1},
		{actors.Shutdown, true, "[exit sender shutdown]", "[]", 0},
		{actors.Crashed(errOnPurpose), false, "[]", "[crashed: on purpose]", 1},
		{actors.Crashed(errOnPurpose), true, "[exit sender crashed: on purpose]", "[]", 0},
		{actors.Killed, false, "[]", "[killed]", 1},
		{actors.Killed, true, "[]", "[killed]", 1},
	} {
		t.Run(fmt.Sprintf("%v, trapped %v", c.reason, c.traps), func(t *testing.T) {
			bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
				own := &restarter{}
				to, sender := newAgent(t, s, "to", own), newAgent(t, s, "sender", &restarter{})
				to.do(func(ctx *actors.Context) { ctx.TrapExit(c.traps) })
				sender.do(func(ctx *actors.Context) {
					ctx.Exit(to.ref(), c.reason)
					ctx.Exit(actors.Ref{Kind: "no", ID: "body"}, c.reason)
				})
				to.wants(t, c.hears)
				if fmt.Sprint(to.ends) != c.end || len(own.reasons) != c.supervised {
					t.Errorf("ends %v, its owner heard %v", to.ends, own.reasons)
				}
			})
		})
	}
	bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
		if err := s.Exit(actors.Ref{Kind: "no", ID: "body"}, actors.Killed); !errors.Is(err, actors.ErrNoProc) {
			t.Errorf("got %v", err)
		}
		self := newAgent(t, s, "self", &restarter{})
		self.do(func(ctx *actors.Context) { ctx.Exit(self.ref(), actors.Normal) })
		if fmt.Sprint(self.ends) != "[normal]" {
			t.Errorf("a normal signal to oneself: %v", self.ends)
		}
	})
}

// TestLinkWhileCrashed: one that waits for its supervisor is not there, though it will be.
func TestLinkWhileCrashed(t *testing.T) {
	bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
		a, b := newAgent(t, s, "a", &undertaker{}), newAgent(t, s, "b", holder{})
		_ = b.cast(crash)
		a.do(func(ctx *actors.Context) { ctx.TrapExit(true); ctx.Link(b.ref()) })
		a.wants(t, "[exit b noproc]")
		b.child.End(actors.Killed)
		a.wants(t, "[]")
	})
}

// holder decides nothing about those that crash.
type holder struct{}

func (holder) Exited(*actors.Child, actors.Reason) {}

// TestCrashedWithoutAnError: a signal of a crash without an error is one.
func TestCrashedWithoutAnError(t *testing.T) {
	bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
		own := &restarter{}
		c := spawn(t, s, "a", own, &probe{})
		_ = s.Exit(c.Ref(), actors.Crashed(nil))
		synctest.Wait()
		if len(own.reasons) != 1 {
			t.Errorf("heard %v", own.reasons)
		}
	})
}

// TestRelink: a signal of the link before says nothing of the next one with the same actor.
func TestRelink(t *testing.T) {
	bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
		a, b := newAgent(t, s, "a", &restarter{}), newAgent(t, s, "b", &restarter{restart: true})
		hang := make(gate)
		a.do(func(ctx *actors.Context) { ctx.TrapExit(true); ctx.Link(b.ref()) })
		_ = a.cast(func(ctx *actors.Context) error {
			<-hang
			ctx.Unlink(b.ref())
			ctx.Link(b.ref())
			return nil
		})
		_ = b.cast(crash)
		advance(time.Second) // so that another worker takes over
		if b.lives != 2 {
			t.Fatalf("%d lives, want another one", b.lives)
		}
		close(hang)
		a.wants(t, "[]")
	})
}

// TestLinksOfTheOneBefore: an actor that hangs is given up. Its links break when it returns: not those with the next of its name.
func TestLinksOfTheOneBefore(t *testing.T) {
	bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
		a, b := newAgent(t, s, "a", &restarter{}), newAgent(t, s, "b", &restarter{})
		hang := make(gate)
		b.do(func(ctx *actors.Context) { ctx.Link(a.ref()) })
		_ = b.cast(hang.wait)
		b.child.End(actors.Killed)
		next := newAgent(t, s, "b", &restarter{})
		a.do(func(ctx *actors.Context) { ctx.TrapExit(true) })
		advance(time.Second)
		next.do(func(ctx *actors.Context) { ctx.Link(a.ref()) })
		close(hang)
		a.wants(t, "[]")
		next.child.Stop(actors.Shutdown)
		a.wants(t, "[exit b shutdown]")
	})
}

// TestLinksThatCross: both ask for a link at the same time, and one undoes its own before it hears of the other's: that stands, at
// both ends.
func TestLinksThatCross(t *testing.T) {
	for _, who := range []string{"a", "b"} {
		bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
			a, b := newAgent(t, s, "a", &restarter{}), newAgent(t, s, "b", &restarter{})
			hang := make(gate)
			a.do(func(ctx *actors.Context) { ctx.TrapExit(true) })
			b.do(func(ctx *actors.Context) { ctx.TrapExit(true) })
			_ = a.cast(func(ctx *actors.Context) error {
				<-hang
				ctx.Link(b.ref())
				ctx.Unlink(b.ref())
				return nil
			})
			_ = b.cast(func(ctx *actors.Context) error { ctx.Link(a.ref()); return nil })
			advance(time.Second)
			close(hang)
			synctest.Wait()
			if who == "a" {
				a.child.Stop(actors.Shutdown)
				b.wants(t, "[exit a shutdown]")
			} else {
				b.child.Stop(actors.Shutdown)
				a.wants(t, "[exit b shutdown]")
			}
		})
	}
}
