package actorstest_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/actorstest"
	"github.com/jackdaw-im/jackdaw/supervision"
)

func TestCrashes(t *testing.T) {
	actorstest.Run(t, func(t *testing.T, k *actorstest.Kit) {
		many := supervision.NewDynamic(k.System(), supervision.DynamicSpec{ID: "many", Partitions: 1, Entities: true, Child: tallySpec})
		k.Start(tallyChild("a"), many.Child())
		p := k.Probe("p")
		p.Monitor(tallyRef("a"))
		k.CrashNext(tallyRef("a"), errOnPurpose)
		k.Cast(tallyRef("a"), add{1})
		k.Cast(tallyRef("a"), add{2}) // for the next life
		p.Expect(actors.Down{Target: tallyRef("a"), Reason: actors.Crashed(errOnPurpose)})
		k.ExpectCall(tallyRef("a"), "sum?", sum{2})

		k.Cast(tallyRef("b"), add{1})
		k.CrashOn(tallyRef("b"), "sum?", errOnPurpose)
		k.Cast(tallyRef("b"), add{1})
		k.ExpectCall(tallyRef("b"), "how much?", sum{2})
		k.ExpectCall(tallyRef("b"), "sum?", actors.ErrCrashed)
		k.ExpectCall(tallyRef("b"), "sum?", sum{})
		k.ExpectRestarts(tallyRef("b"), 1, "many")

		k.Cast(tallyRef("b"), p.Ref())
		k.Cast(tallyRef("b"), wake{time.Minute})
		k.PanicNext(tallyRef("b"), "in pieces")
		k.Advance(2 * time.Minute) // it crashes on its timer
		k.ExpectRestarts(tallyRef("b"), 2, "many")
		if c := k.Crashes(); c[len(c)-1].Reason != "crashed: panic: in pieces ..." {
			t.Errorf("reported %v", c)
		}
		p.ExpectNone(0)
	})
}

func TestExit(t *testing.T) {
	actorstest.Run(t, func(t *testing.T, k *actorstest.Kit) {
		k.Start(tallyChild("a"))
		p, q, r := k.Probe("p"), k.Probe("q"), k.Probe("r")
		p.TrapExit()
		p.Link(q.Ref())
		p.Monitor(tallyRef("a"))
		r.Link(q.Ref())
		k.Exit(tallyRef("a"), actors.Killed)
		p.Expect(actors.Down{Target: tallyRef("a"), Reason: actors.Killed})
		k.ExpectCall(tallyRef("a"), "sum?", sum{}) // a permanent child
		q.Stop(actors.Shutdown)
		p.Expect(actors.Exit{From: q.Ref(), Reason: actors.Shutdown})
		p.Monitor(r.Ref()) // which has not trapped it
		p.Expect(actors.Down{Target: r.Ref(), Reason: actors.NoProc})
	})
}

func TestLookingInside(t *testing.T) {
	actorstest.Run(t, func(t *testing.T, k *actorstest.Kit) {
		k.Start(tallyChild("a"))
		k.Cast(tallyRef("a"), add{7})
		k.ExpectIdle(tallyRef("a"))
		if b := actorstest.BehaviourOf[*tally](k, tallyRef("a")); b.sum != 7 {
			t.Errorf("its sum is %d", b.sum)
		}
		k.CrashOn(tallyRef("a"), "never", errOnPurpose)
		if b := actorstest.BehaviourOf[*tally](k, tallyRef("a")); b.sum != 7 {
			t.Errorf("its sum is %d", b.sum)
		}
		k.Cast(tallyRef("a"), "never")
		k.Inspect(tallyRef("a"), func(i *actors.Inspection) {
			if f := i.Facts(); f.Restarts != 1 {
				t.Errorf("facts %+v", f)
			}
		})
	})
}

// TestAbilitiesBeforeACrash: until the message comes the actor does what it does.
func TestAbilitiesBeforeACrash(t *testing.T) {
	actorstest.Run(t, func(t *testing.T, k *actorstest.Kit) {
		heard := k.Probe("heard")
		k.Start(supervision.Actor("all", actors.Spec{Kind: "able", New: func() actors.Behaviour { return new(able) }}, heard.Ref()),
			supervision.Actor("none", actors.Spec{Kind: "unable", New: func() actors.Behaviour { return new(unable) }}, nil))
		all, none := actors.Ref{Kind: "able", ID: "all"}, actors.Ref{Kind: "unable", ID: "none"}
		for _, ref := range []actors.Ref{all, none} {
			k.CrashOn(ref, "crash", errOnPurpose)
			k.Inspect(ref, func(i *actors.Inspection) {
				status := i.Behaviour().(actors.StatusFormatter).FormatStatus()
				err := i.Behaviour().(actors.StateReplacer).ReplaceState(i.Context(), nil)
				stays := !i.Behaviour().(actors.Passivator).MayPassivate(i.Context())
				if able := ref == all; able != (err == nil) || able != stays || able != (status == "as it is") {
					t.Errorf("%v: status %v, replaced %v, stays %v", ref, status, err, stays)
				}
			})
		}
		k.ExpectCall(all, "?", "!")
		k.ExpectCall(none, "?", actors.ErrNoCall)
		k.Cast(all, "crash")
		k.Cast(none, "crash")
		k.ExpectRestarts(none, 1, actorstest.TreeID)
		k.ExpectRestarts(all, 1, actorstest.TreeID)
		heard.Expect("end of a batch", "end of a batch")
		if said := heard.Waiting(); !slices.ContainsFunc(said, func(m any) bool { _, ok := m.(actors.Reason); return ok }) {
			t.Errorf("it ended without a word: %v", said)
		}
	})
}

// unable has no ability, able has all.
type unable struct{}

func (*unable) Init(*actors.Context, any) error   { return nil }
func (*unable) Handle(*actors.Context, any) error { return nil }

type able struct {
	unable
	tell actors.Ref
}

func (b *able) Init(_ *actors.Context, args any) error { b.tell = args.(actors.Ref); return nil }
func (b *able) HandleCall(*actors.Context, actors.From, any) (any, error) {
	return "!", nil
}
func (b *able) Terminate(ctx *actors.Context, r actors.Reason)   { _ = ctx.Cast(b.tell, r) }
func (b *able) EndBatch(ctx *actors.Context) error               { return ctx.Cast(b.tell, "end of a batch") }
func (b *able) MayPassivate(*actors.Context) bool                { return false }
func (b *able) FormatStatus() any                                { return "as it is" }
func (b *able) ReplaceState(_ *actors.Context, doc []byte) error { return nil }

func TestFailuresAboutInjection(t *testing.T) {
	fails(t, "nobody there", `
actorstest: tally/a can't be inspected: actors: no such actor`, func(k *actorstest.Kit) { k.CrashNext(tallyRef("a"), errOnPurpose) })
	fails(t, "nobody to exit", `
actorstest: tally/a can't be told to exit: actors: no such actor`, func(k *actorstest.Kit) { k.Exit(tallyRef("a"), actors.Killed) })
	fails(t, "no crash", `
actorstest: tally/a was to crash (on purpose) on anything, which never came`, func(k *actorstest.Kit) {
		k.Start(tallyChild("a"))
		k.CrashNext(tallyRef("a"), errOnPurpose)
	})
	fails(t, "no panic", `
actorstest: tally/a was to crash (panic: oh) on anything, which never came`, func(k *actorstest.Kit) {
		k.Start(tallyChild("a"))
		k.PanicNext(tallyRef("a"), "oh")
	})
	fails(t, "not idle", `
actorstest: tally/a isn't idle: 0 messages, 1 timers, 0 calls, 0 monitors, 0 links`, func(k *actorstest.Kit) {
		k.Start(tallyChild("a"))
		k.Cast(tallyRef("a"), wake{time.Hour})
		k.ExpectIdle(tallyRef("a"))
	})
	fails(t, "another behaviour", `
actorstest: the behaviour of tally/a is *actorstest_test.tally, not *actorstest_test.able`, func(k *actorstest.Kit) {
		k.Start(tallyChild("a"))
		actorstest.BehaviourOf[*able](k, tallyRef("a"))
	})
}

// TestCallsInACircle: the fault is found whether anybody waited or not, unless it is allowed; what waited is never.
func TestCallsInACircle(t *testing.T) {
	fails(t, "one after the other", `
actorstest: actors call each other in a circle, so that they could all wait for each other; against the message's path go casts:
    here/p calls there/q
    there/q calls here/p`, func(k *actorstest.Kit) { callAround(k, true) })
	fails(t, "at the same time", `
actorstest: actors have waited for each other in a circle:
    there/q calls here/p
    here/p calls there/q`, func(k *actorstest.Kit) { callAround(k, false) })
	fails(t, "allowed but waited", `
actorstest: actors have waited for each other in a circle:
    there/q calls here/p
    here/p calls there/q`, func(k *actorstest.Kit) {
		k.AllowCalls("there", "here")
		callAround(k, false)
	})
	actorstest.Run(t, func(t *testing.T, k *actorstest.Kit) {
		k.AllowCalls("there", "here")
		callAround(k, true)
	})
}

// callAround makes two actors call each other.
func callAround(k *actorstest.Kit, answered bool) {
	p, q := k.ProbeAt(actors.Ref{Kind: "here", ID: "p"}), k.ProbeAt(actors.Ref{Kind: "there", ID: "q"})
	if answered {
		q.OnCall(func(*actors.Context, any) (any, error) { return nil, errors.New("no") })
	}
	p.Call(q.Ref(), "?", time.Minute)
	q.Call(p.Ref(), "?", time.Minute)
}
