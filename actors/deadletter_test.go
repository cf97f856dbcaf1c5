package actors_test

import (
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/jackdaw-im/jackdaw/actors"
)

// TestDrain: what an actor leaves in its queue becomes dead letters, each message once and in order, and the calls among them are
// answered.
func TestDrain(t *testing.T) {
	var dead []any
	cfg := actors.Config{Workers: 1, DeadLetter: func(to actors.Ref, m any) { dead = append(dead, fmt.Sprint(to.ID, m)) }}
	bubble(t, cfg, func(t *testing.T, s *actors.System) {
		a, asker := newAgent(t, s, "a", &restarter{}, func(s *actors.Spec) { s.Blocking = true }), newAgent(t, s, "asker", &restarter{})
		g := make(gate)
		_ = a.cast(func(ctx *actors.Context) error {
			ctx.SendAfter(0, "timer")
			ctx.Stop(actors.Normal)
			return g.wait(ctx)
		})
		var want []any
		for i := range 300 {
			_ = s.Cast(a.ref(), i)
			want = append(want, fmt.Sprint("a", i))
		}
		_ = s.Answer(a.ref(), -1) // of the other lane: before them
		asker.do(func(ctx *actors.Context) { ctx.Call(a.ref(), 300, 1<<40) })
		called := make(chan error, 1)
		go func() {
			_, err := s.Call(t.Context(), a.ref(), 301)
			called <- err
		}()
		synctest.Wait()
		close(g)
		asker.wants(t, fmt.Sprintf("[reply 1 <nil> %v]", actors.ErrNoProc))
		if err := <-called; !errors.Is(err, actors.ErrNoProc) {
			t.Errorf("the call from outside: %v", err)
		}
		want = append([]any{"a-1"}, append(want, "a300", "a301")...)
		if fmt.Sprint(dead) != fmt.Sprint(want) {
			t.Errorf("dead letters %v, want %v", dead, want)
		}
		a.wants(t, "[]")
		snap := s.Snapshot()
		if want := map[string]int64{"agent": int64(len(want))}; !maps.Equal(snap.DeadLetters, want) || snap.LateReplies != 0 {
			t.Errorf("counted %v, %d late replies", snap.DeadLetters, snap.LateReplies)
		}
	})
}

// TestDeadLettersOfNobody: what is sent to a name that nobody has is one, too; what is refused is not: its sender knows.
func TestDeadLettersOfNobody(t *testing.T) {
	var dead []any
	cfg := actors.Config{Node: "here@1", DeadLetter: func(to actors.Ref, m any) { dead = append(dead, fmt.Sprint(to, " ", m)) }}
	bubble(t, cfg, func(t *testing.T, s *actors.System) {
		full := newAgent(t, s, "full", &restarter{}, func(s *actors.Spec) { s.QueueLen = 1; s.Blocking = true })
		g := make(gate)
		_ = full.cast(g.wait)
		_ = full.cast("last")
		nobody := actors.Ref{Kind: "no", ID: "body"}
		for _, err := range []error{
			s.Cast(nobody, 1), s.Answer(nobody, 2), s.Cast(actors.Ref{Kind: "no", ID: "body", Node: "there@1"}, 3), s.Cast(actors.Ref{}, 4),
		} {
			if !errors.Is(err, actors.ErrNoProc) {
				t.Errorf("got %v", err)
			}
		}
		if _, err := s.Call(t.Context(), nobody, 5); !errors.Is(err, actors.ErrNoProc) {
			t.Errorf("got %v", err)
		}
		if err := s.Cast(full.ref(), 6); !errors.Is(err, actors.ErrOverloaded) {
			t.Errorf("got %v", err)
		}
		close(g)
		if want := "[no/body 1 no/body 2 no/body@there@1 3 / 4 no/body 5]"; fmt.Sprint(dead) != want {
			t.Errorf("dead letters %v, want %v", dead, want)
		}
	})
}

// TestNothingIsLostWithoutAWord: while actors end at any moment, each message is handled, a dead letter, or refused.
func TestNothingIsLostWithoutAWord(t *testing.T) {
	var dead, handled, refused atomic.Int64
	cfg := actors.Config{Workers: 4, DeadLetter: func(actors.Ref, any) { dead.Add(1) }}
	bubble(t, cfg, func(t *testing.T, s *actors.System) {
		const rounds, senders, each = 100, 4, 100
		for i := range rounds {
			a := spawn(t, s, fmt.Sprint(i), &restarter{}, &probe{handle: func(*actors.Context, any) error { handled.Add(1); return nil }})
			var wg sync.WaitGroup
			for n := range senders {
				wg.Go(func() {
					for k := range each {
						if n == 0 && k == each/2 {
							if i%2 == 0 {
								a.Stop(actors.Normal)
							} else {
								a.End(actors.Killed)
							}
						}
						if err := s.Cast(a.Ref(), k); err != nil {
							refused.Add(1)
						}
					}
				})
			}
			wg.Wait()
		}
		synctest.Wait()
		// A refused message is a dead letter, too: its addressee was gone.
		if got := handled.Load() + dead.Load(); got != rounds*senders*each || refused.Load() > dead.Load() {
			t.Fatalf("%d handled, %d dead letters, %d refused of %d", handled.Load(), dead.Load(), refused.Load(), rounds*senders*each)
		}
		if n := s.Snapshot().DeadLetters["probe"]; n != dead.Load() {
			t.Fatalf("%d dead letters counted, %d seen", n, dead.Load())
		}
	})
}

// TestBoundsAreExact: as many senders as one likes leave no more than QueueLen messages in a queue, and each refusal is counted;
// the other lane has room for all answers, and goes first.
func TestBoundsAreExact(t *testing.T) {
	for _, bound := range []int{1, 2, 100, actors.DefaultQueueLen} {
		t.Run(fmt.Sprint(bound), func(t *testing.T) {
			bubble(t, actors.Config{Workers: 4}, func(t *testing.T, s *actors.System) {
				a := newAgent(t, s, "a", &restarter{}, func(s *actors.Spec) {
					if s.Blocking = true; bound != actors.DefaultQueueLen { // which is what 0 means
						s.QueueLen = bound
					}
				})
				g := make(gate)
				_ = a.cast(g.wait)
				var taken, refused atomic.Int64
				var wg sync.WaitGroup
				for range 10 {
					wg.Go(func() {
						for range bound {
							switch err := s.Cast(a.ref(), "user"); err {
							case nil:
								taken.Add(1)
							case actors.ErrOverloaded:
								refused.Add(1)
							default:
								t.Error(err)
							}
							if err := s.Answer(a.ref(), "answer"); err != nil {
								t.Error(err)
							}
						}
					})
				}
				wg.Wait()
				if n := s.Snapshot().Overloads; taken.Load() != int64(bound) || refused.Load() != int64(9*bound) || n != int64(9*bound) {
					t.Errorf("%d taken, %d refused, %d counted; the bound is %d", taken.Load(), refused.Load(), n, bound)
				}
				close(g)
				synctest.Wait()
				if len(a.got) != 11*bound {
					t.Fatalf("%d messages arrived, want %d", len(a.got), 11*bound)
				}
				for i, m := range a.got {
					if (m == "answer") != (i < 10*bound) {
						t.Fatalf("%v came at %d", m, i)
					}
				}
				if err := a.cast("again"); err != nil {
					t.Fatalf("after the queue was empty: %v", err)
				}
			})
		})
	}
}

// TestNilIsNoMessage: it is refused, and stops nobody from hearing what comes after it.
func TestNilIsNoMessage(t *testing.T) {
	bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
		a := newAgent(t, s, "a", &restarter{}, func(s *actors.Spec) { s.Blocking = true })
		g := make(gate)
		_ = a.cast(g.wait)
		for i := range 3 {
			if s.Cast(a.ref(), nil) == nil || s.Answer(a.ref(), nil) == nil {
				t.Error("nil is taken")
			}
			_ = s.Cast(a.ref(), i)
		}
		if v, err := s.Call(t.Context(), actors.Ref{Kind: "agent", ID: "nobody"}, nil); v != nil || !errors.Is(err, actors.ErrNoProc) {
			t.Errorf("a call is a message, whatever it asks: %v, %v", v, err)
		}
		close(g)
		a.wants(t, "[0 1 2]")
	})
}
