package actors_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
)

// undertaker lets crashed children lie until it is told what to do.
type undertaker struct{ crashed *actors.Child }

func (u *undertaker) Exited(c *actors.Child, reason actors.Reason) {
	if !reason.Ended() {
		u.crashed = c
	}
}

// between runs a test with an actor that has crashed; got is what it has handled, in all lives.
func between(t *testing.T, test func(s *actors.System, own *undertaker, ref actors.Ref, got *[]any, dead *[]any)) {
	synctest.Test(t, func(t *testing.T) {
		var got, dead []any
		s := system(t, actors.Config{Workers: 1, DeadLetter: func(_ actors.Ref, m any) { dead = append(dead, m) }})
		own := &undertaker{}
		c := spawn(t, s, "a", own, &probe{handle: func(_ *actors.Context, m any) error {
			if m == "crash" {
				panic("on purpose")
			}
			got = append(got, m)
			return nil
		}})
		_ = s.Cast(c.Ref(), "crash")
		_ = s.Cast(c.Ref(), "user 1")
		synctest.Wait()
		_ = s.Answer(c.Ref(), "answer 1")
		synctest.Wait()
		_ = s.Answer(c.Ref(), "answer 2")
		_ = s.Cast(c.Ref(), "user 2")
		synctest.Wait()
		if len(got) != 0 {
			t.Fatalf("handled %v without a life", got)
		}
		test(s, own, c.Ref(), &got, &dead)
		stop(t, s)
	})
}

// TestAnswersBetweenTwoLives: what was sent with reserved room is not lost because the actor has just crashed.
func TestAnswersBetweenTwoLives(t *testing.T) {
	between(t, func(s *actors.System, own *undertaker, ref actors.Ref, got, dead *[]any) {
		own.crashed.Restart()
		_ = s.Answer(ref, "answer 3")
		synctest.Wait()
		if fmt.Sprint(*got) != "[answer 1 answer 2 answer 3 user 1 user 2]" || len(*dead) != 0 {
			t.Fatalf("handled %v, dead %v", *got, *dead)
		}
	})
}

// TestCrashOnAHeldAnswer: the rest is kept for the life after.
func TestCrashOnAHeldAnswer(t *testing.T) {
	between(t, func(s *actors.System, own *undertaker, ref actors.Ref, got, _ *[]any) {
		_ = s.Answer(ref, "crash")
		_ = s.Answer(ref, "answer 3")
		synctest.Wait()
		own.crashed.Restart()
		synctest.Wait()
		own.crashed.Restart()
		synctest.Wait()
		if fmt.Sprint(*got) != "[answer 1 answer 2 answer 3 user 1 user 2]" {
			t.Fatalf("handled %v", *got)
		}
	})
}

func TestHeldAnswersBecomeDeadLetters(t *testing.T) {
	between(t, func(s *actors.System, own *undertaker, ref actors.Ref, got, dead *[]any) {
		own.crashed.End(actors.Shutdown)
		synctest.Wait()
		if len(*got) != 0 || fmt.Sprint(*dead) != "[answer 1 answer 2 user 1 user 2]" {
			t.Fatalf("handled %v, dead %v", *got, *dead)
		}
		if err := s.Answer(ref, "late"); err != actors.ErrNoProc {
			t.Fatalf("an ended actor takes answers: %v", err)
		}
	})
}

// TestAnswerWhilePassivating: whatever the order of events, an answer finds this life, the next one, or an error.
func TestAnswerWhilePassivating(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := system(t, actors.Config{Workers: 1})
		var got []any
		slow := &probe{
			handle: func(_ *actors.Context, m any) error { got = append(got, m); return nil },
			terminate: func(ctx *actors.Context, _ actors.Reason) {
				if len(got) == 0 {
					_ = ctx.Answer(ctx.Self(), "while it ends")
				}
			},
		}
		own := &undertaker{}
		spec := actors.Spec{Kind: "idle", IdleTimeout: time.Second, New: func() actors.Behaviour { return slow }}
		if _, err := s.Spawn(spec, actors.Ref{Kind: "idle", ID: "a"}, nil, own); err != nil {
			t.Fatal(err)
		}
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		if fmt.Sprint(got) != "[while it ends]" {
			t.Fatalf("handled %v", got)
		}
		time.Sleep(5 * time.Second)
		stop(t, s)
	})
}
