package actors_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/jackdaw-im/jackdaw/actors"
)

// onDemand starts an actor of the kind "guest" for each message to one that isn't there.
type onDemand struct {
	s    *actors.System
	spec actors.Spec
	own  actors.Owner
}

func (a *onDemand) Activate(ref actors.Ref) error {
	if _, err := a.s.Spawn(a.spec, ref, nil, a.own); err != nil && !errors.Is(err, actors.ErrExists) {
		return err
	}
	return nil
}

// TestInitThatFailsAgain: an Init that fails after a restart is a crash like the first one, and its owner hears of each.
func TestInitThatFailsAgain(t *testing.T) {
	for name, fail := range map[string]func(*actors.Context) error{
		"error": func(*actors.Context) error { return errors.New("not yet") },
		"panic": func(*actors.Context) error { panic("not yet") },
		"stop": func(ctx *actors.Context) error {
			ctx.Stop(actors.Crashed(errors.New("not yet")))
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := system(t, actors.Config{Workers: 1})
				inits, ended := 0, 0
				var got []any
				own := &restarter{restart: true}
				c := spawn(t, s, "a", own, &probe{
					init: func(ctx *actors.Context, _ any) error {
						if inits++; inits == 2 || inits == 3 {
							return fail(ctx)
						}
						return nil
					},
					handle: func(_ *actors.Context, m any) error {
						if m == "crash" {
							return errors.New("on purpose")
						}
						got = append(got, m)
						return nil
					},
					terminate: func(*actors.Context, actors.Reason) { ended++ },
				})
				_ = s.Cast(c.Ref(), "crash")
				_ = s.Cast(c.Ref(), "after")
				synctest.Wait()
				if fmt.Sprint(got) != "[after]" || inits != 4 || len(own.reasons) != 3 || ended != 3 {
					t.Errorf("%d starts, %d ends, the owner heard %v, handled %v", inits, ended, own.reasons, got)
				}
				stop(t, s)
			})
		})
	}
}

// TestAnswersToOneThatIsBeingStarted: many at a time start the same actor with their first message, and all are heard.
func TestAnswersToOneThatIsBeingStarted(t *testing.T) {
	s := system(t, actors.Config{Workers: 4})
	defer stop(t, s)
	var heard sync.WaitGroup
	s.SetActivator("guest", &onDemand{s, actors.Spec{Kind: "guest", New: func() actors.Behaviour {
		return &probe{handle: func(*actors.Context, any) error { heard.Done(); return nil }}
	}}, &restarter{}})
	for i := range 2000 {
		ref := actors.Ref{Kind: "guest", ID: fmt.Sprint(i)}
		heard.Add(4)
		for range 4 {
			go func() {
				if err := s.Answer(ref, "hello"); err != nil {
					t.Error(err)
					heard.Done()
				}
			}()
		}
	}
	heard.Wait()
}

// TestSendsToOneThatEnds: what is sent on demand finds an actor even while the one before is going.
func TestSendsToOneThatEnds(t *testing.T) {
	s := system(t, actors.Config{Workers: 4})
	defer stop(t, s)
	s.SetActivator("guest", &onDemand{s, actors.Spec{Kind: "guest", New: func() actors.Behaviour {
		return &probe{handle: func(ctx *actors.Context, _ any) error { ctx.Stop(actors.Normal); return nil }}
	}}, &restarter{}})
	ref := actors.Ref{Kind: "guest", ID: "a"}
	var senders sync.WaitGroup
	for range 4 {
		senders.Go(func() {
			for range 20_000 {
				if err := s.Cast(ref, "go"); err != nil && !errors.Is(err, actors.ErrOverloaded) {
					t.Error(err)
					return
				}
			}
		})
	}
	senders.Wait()
}

// TestMonitorOnDemand: one who watches an actor that starts on demand hears of every end from then on, be it of the very first
// life; until there is one there is no end to tell.
func TestMonitorOnDemand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := system(t, actors.Config{Workers: 1})
		s.SetActivator("guest", &onDemand{s, actors.Spec{Kind: "guest", New: func() actors.Behaviour {
			return &probe{handle: func(*actors.Context, any) error { return errors.New("on purpose") }}
		}}, &restarter{}})
		var downs []any
		watcher := spawn(t, s, "w", &restarter{}, &probe{handle: func(ctx *actors.Context, m any) error {
			if m == "watch" {
				ctx.Monitor(actors.Ref{Kind: "guest", ID: "a"})
				ctx.Monitor(actors.Ref{Kind: "guest", ID: "pinned", Node: "elsewhere@1"})
			} else {
				downs = append(downs, m.(actors.Down).Target.ID, m.(actors.Down).Reason.Code)
			}
			return nil
		}})
		_ = s.Cast(watcher.Ref(), "watch")
		synctest.Wait()
		if want := fmt.Sprint([]any{"pinned", actors.CodeNoProc}); fmt.Sprint(downs) != want {
			t.Errorf("before there was one, heard %v, want %v", downs, want)
		}
		downs = nil
		_ = s.Cast(actors.Ref{Kind: "guest", ID: "a"}, "crash")
		synctest.Wait()
		if want := fmt.Sprint([]any{"a", actors.CodeCrashed}); fmt.Sprint(downs) != want {
			t.Errorf("at its end, heard %v, want %v", downs, want)
		}
		stop(t, s)
	})
}

// TestStopWhileTerminating: an actor that stops itself as it terminates stops nobody else.
func TestStopWhileTerminating(t *testing.T) {
	for name, end := range map[string]func(*actors.Context) error{
		"error": crash,
		"panic": func(*actors.Context) error { panic("on purpose") },
		"stop":  func(ctx *actors.Context) error { ctx.Stop(actors.Normal); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, actors.Config{Workers: 1}, func(t *testing.T, s *actors.System) {
				own, other := &deaf{}, &restarter{}
				c := spawn(t, s, "a", own, &probe{
					handle:    func(ctx *actors.Context, m any) error { return m.(func(*actors.Context) error)(ctx) },
					terminate: func(ctx *actors.Context, _ actors.Reason) { ctx.Stop(actors.Shutdown) },
				})
				b := newAgent(t, s, "b", other)
				synctest.Wait()
				_ = s.Cast(c.Ref(), end)
				synctest.Wait()
				if own.n != 1 {
					t.Errorf("the owner heard %d", own.n)
				}
				_ = b.cast("still here")
				b.wants(t, "[still here]")
				if len(other.reasons) != 0 {
					t.Errorf("heard %v", other.reasons)
				}
			})
		})
	}
}

// deaf is an owner that only counts.
type deaf struct{ n int }

func (d *deaf) Exited(*actors.Child, actors.Reason) { d.n++ }

// TestGivenUpWhileItTerminates: the owner of a crashed actor that hangs as it terminates gives it up, and hears no more of it; who
// watches the next of that name isn't told of the one before.
func TestGivenUpWhileItTerminates(t *testing.T) {
	bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
		own := &restarter{}
		hang := make(gate)
		c := spawn(t, s, "a", own, &probe{
			handle:    func(*actors.Context, any) error { return errOnPurpose },
			terminate: func(*actors.Context, actors.Reason) { <-hang },
		})
		_ = s.Cast(c.Ref(), "crash")
		synctest.Wait()
		c.End(actors.Killed)
		spawn(t, s, "a", &restarter{}, &probe{})
		w := newAgent(t, s, "w", &restarter{})
		w.do(func(ctx *actors.Context) { ctx.Monitor(c.Ref()) })
		close(hang)
		w.wants(t, "[]")
		if len(own.reasons) != 0 {
			t.Errorf("the owner heard %v", own.reasons)
		}
	})
}
