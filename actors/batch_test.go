package actors_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
)

// gatherer is an agent that acts once per turn.
type gatherer struct {
	agent
	log strings.Builder
	end func(ctx *actors.Context) error
}

func (g *gatherer) Handle(ctx *actors.Context, msg any) error {
	onStage()
	if f, ok := msg.(do); ok {
		return f(ctx)
	}
	fmt.Fprint(&g.log, msg)
	return nil
}

func (g *gatherer) Terminate(*actors.Context, actors.Reason) { onStage(); g.log.WriteString("x") }

func (g *gatherer) EndBatch(ctx *actors.Context) error {
	onStage()
	g.log.WriteString("|")
	if g.end != nil {
		return g.end(ctx)
	}
	return nil
}

func newGatherer(t *testing.T, s *actors.System, own actors.Owner, batch int) *gatherer {
	t.Helper()
	g := &gatherer{agent: agent{s: s}}
	var err error
	g.child, err = s.Spawn(actors.Spec{Kind: "gatherer", BatchLen: batch, New: func() actors.Behaviour { return g }}, actors.Ref{Kind: "gatherer", ID: "a"}, nil, own)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// within casts messages from a turn of their own, so that they all are there before the next.
func (g *gatherer) within(msgs ...any) {
	g.do(func(ctx *actors.Context) {
		g.log.Reset()
		for _, m := range msgs {
			_ = ctx.Cast(ctx.Self(), m)
		}
	})
}

func (g *gatherer) logged(t *testing.T, want string) {
	t.Helper()
	synctest.Wait()
	if got := g.log.String(); got != want {
		t.Fatalf("did %q, want %q", got, want)
	}
	g.log.Reset()
}

// TestEndBatch comes after the last message before the queue is empty, and after each BatchLen of them; without messages it
// doesn't come.
func TestEndBatch(t *testing.T) {
	bubble(t, actors.Config{Workers: 1}, func(t *testing.T, s *actors.System) {
		g := newGatherer(t, s, &restarter{}, 4)
		g.logged(t, "|") // Init was a message
		advance(time.Minute)
		g.logged(t, "")
		g.within()
		g.logged(t, "|")
		g.within(1)
		g.logged(t, "1|")
		g.within(1, 2, 3) // the one that cast them was the first of four
		g.logged(t, "123|")
		g.within(1, 2, 3, 4, 5, 6, 7, 8)
		g.logged(t, "123|4567|8|")
		if v, err := s.Call(t.Context(), g.ref(), "?"); v != "?" || err != nil {
			t.Fatalf("got %v, %v", v, err)
		}
		g.logged(t, "|")
		g.do(func(ctx *actors.Context) { ctx.SendAfter(time.Second, 9) })
		advance(2 * time.Second)
		g.logged(t, "|9|")
	})
}

// TestEndBatchThatCasts: what it sends is the next batch.
func TestEndBatchThatCasts(t *testing.T) {
	bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
		g := newGatherer(t, s, &restarter{}, 0)
		synctest.Wait()
		n := 0
		g.end = func(ctx *actors.Context) error {
			if n++; n < 4 {
				return ctx.Cast(ctx.Self(), n)
			}
			return nil
		}
		g.within("a")
		g.logged(t, "a|1|2|3|")
	})
}

// TestCrashWithinABatch: the life that has crashed ends no batch; one that crashes as it ends a batch keeps the queue.
func TestCrashWithinABatch(t *testing.T) {
	bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
		own := &undertaker{}
		g := newGatherer(t, s, own, 0)
		g.within(1, do(crash), 2)
		g.logged(t, "1x")
		own.crashed.Restart()
		g.logged(t, "2|")
		g.end = func(*actors.Context) error { return errOnPurpose }
		g.within(3)
		g.logged(t, "3|x")
		g.end = nil
		_ = g.cast(4)
		g.logged(t, "")
		own.crashed.Restart()
		g.logged(t, "4|")
		g.end = func(*actors.Context) error { panic("on purpose") }
		g.within(5)
		g.logged(t, "5|x")
		g.end = nil
		own.crashed.Restart()
		g.logged(t, "|")
		g.within(do(func(ctx *actors.Context) error { ctx.Stop(actors.Normal); return nil }), 6)
		g.logged(t, "x")
	})
}

// TestEndBatchThatHangs is a stuck handler: its worker is replaced, whether the queue was empty or the turn over.
func TestEndBatchThatHangs(t *testing.T) {
	for _, batch := range []int{1, 64} {
		t.Run(fmt.Sprint(batch), func(t *testing.T) {
			bubble(t, actors.Config{Workers: 1}, func(t *testing.T, s *actors.System) {
				g := newGatherer(t, s, &restarter{}, batch)
				other := newAgent(t, s, "other", &restarter{})
				synctest.Wait()
				open := make(gate)
				g.end = open.wait
				_ = s.Cast(g.ref(), 1)
				_ = s.Cast(other.ref(), "hello")
				advance(time.Second)
				other.wants(t, "[hello]")
				if n := s.Snapshot().Stuck; n != 1 {
					t.Errorf("%d stuck", n)
				}
				close(open)
				advance(time.Second)
				if n := s.Snapshot().Spares; n != 0 {
					t.Errorf("%d spares afterwards", n)
				}
				g.logged(t, "|1|")
			})
		})
	}
}

// TestBatchOfOneThatWasGivenUp: nothing is run once what it had under way is forgotten.
func TestBatchOfOneThatWasGivenUp(t *testing.T) {
	bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
		g := newGatherer(t, s, &restarter{}, 0)
		synctest.Wait()
		g.log.Reset()
		hang := make(gate)
		_ = s.Cast(g.ref(), do(hang.wait))
		synctest.Wait()
		g.child.End(actors.Killed)
		close(hang)
		synctest.Wait()
		if g.log.String() != "" {
			t.Errorf("after the end: %s", g.log.String())
		}
	})
}
