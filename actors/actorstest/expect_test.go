package actorstest_test

import (
	"errors"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/actorstest"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

func TestFailedExpectations(t *testing.T) {
	fails(t, "another message", `
actorstest: probe/p: got another message than wanted
    want: actorstest_test.sum{N:3}
     got: actorstest_test.sum{N:2}
  all it has got (+ expected, - not yet):
    + 1. after 0s: actorstest_test.sum{N:1}
    - 2. after 1m0s: actorstest_test.sum{N:2}
    - 3. after 1m0s: "more"`, func(k *actorstest.Kit) {
		p := k.Probe("p")
		k.Cast(p.Ref(), sum{1})
		p.Expect(sum{1})
		k.Advance(time.Minute)
		k.Cast(p.Ref(), sum{2})
		k.Cast(p.Ref(), "more")
		p.Expect(sum{3}, "more")
	})
	fails(t, "nothing", `
actorstest: probe/p: nothing more has come
    want: any *nodepb.Outcome
  it has got no message at all`, func(k *actorstest.Kit) { actorstest.ExpectType[*nodepb.Outcome](k.Probe("p")) })
	fails(t, "nothing more", `
actorstest: probe/p: nothing more has come
    want: actorstest_test.sum that is large
  all it has got (+ expected, - not yet):
    + 1. after 0s: actorstest_test.sum{N:1}`, func(k *actorstest.Kit) {
		p := k.Probe("p")
		k.Cast(p.Ref(), sum{1})
		p.Expect(actorstest.Any(), actorstest.Match("is large", func(s sum) bool { return s.N > 1000 }))
	})
	fails(t, "something", `
actorstest: probe/p: nothing was to come
    not wanted:
      &actorstest_test.add{N:1}
  all it has got (+ expected, - not yet):
    - 1. after 10ms: &actorstest_test.add{N:1}`, func(k *actorstest.Kit) {
		p := k.Probe("p")
		p.Do(func(ctx *actors.Context) { ctx.SendAfter(10*time.Millisecond, &add{1}) })
		p.ExpectNone(time.Second)
	})
	fails(t, "not in time", `
actorstest: probe/p: nothing came within 1m0s
    want: "tea"
  it has got no message at all`, func(k *actorstest.Kit) {
		p := k.Probe("p")
		p.Do(func(ctx *actors.Context) { ctx.SendAfter(time.Hour, "tea") })
		p.Await(time.Minute, "tea")
	})
	fails(t, "others in any order", `
actorstest: probe/p: got other messages than wanted
    missing:
      int(4)
    not wanted:
      int(2)
      int(3)
  all it has got (+ expected, - not yet):
    - 1. after 0s: int(1)
    - 2. after 0s: int(2)
    - 3. after 0s: int(3)`, func(k *actorstest.Kit) {
		p := k.Probe("p")
		for i := range 3 {
			k.Cast(p.Ref(), i+1)
		}
		p.ExpectAll(4, 1)
	})
}

func TestFailedCalls(t *testing.T) {
	fails(t, "a call for a message", `
actorstest: probe/p: got another message than wanted
    want: "how many?"
     got: call "how many?"
  all it has got (+ expected, - not yet):
    - 1. after 0s: call "how many?"`, func(k *actorstest.Kit) {
		p := k.Probe("p")
		k.Probe("q").Call(p.Ref(), "how many?", time.Minute)
		p.Expect("how many?")
	})
	fails(t, "a message for a call", `
actorstest: probe/p: got another message than wanted
    want: call "how many?"
     got: "how many?"
  all it has got (+ expected, - not yet):
    - 1. after 0s: "how many?"`, func(k *actorstest.Kit) {
		p := k.Probe("p")
		k.Cast(p.Ref(), "how many?")
		p.ExpectCall("how many?").Reply(1)
	})
	fails(t, "an answer's failure", `
actorstest: probe/p: got another message than wanted
    want: actors.Reply{0: int(7)}
     got: actors.Reply{1: error actors: no such actor}
  all it has got (+ expected, - not yet):
    - 1. after 0s: actors.Reply{1: error actors: no such actor}
  dead letters:
    to tally/a: "sum?"`, func(k *actorstest.Kit) {
		p := k.Probe("p")
		p.Call(tallyRef("a"), "sum?", time.Minute)
		p.Expect(&actors.Reply{Value: 7})
	})
	fails(t, "a probe that has ended", `
actorstest: the probe probe/p does nothing more: actors: no such actor`, func(k *actorstest.Kit) {
		p := k.Probe("p")
		p.Stop(actors.Normal)
		p.Cast(tallyRef("a"), 1)
	})
	fails(t, "a cast to nobody", `
actorstest: probe/p casts int(1) to tally/a: actors: no such actor
  dead letters:
    to tally/a: int(1)`, func(k *actorstest.Kit) { k.Probe("p").Cast(tallyRef("a"), 1) })
	fails(t, "another end", `
actorstest: probe/p: got another message than wanted
    want: actors.Down{probe/q: normal}
     got: actors.Down{probe/q: crashed: panic: on purpose ...}
  all it has got (+ expected, - not yet):
    - 1. after 0s: actors.Down{probe/q: crashed: panic: on purpose ...}`, func(k *actorstest.Kit) {
		p, q := k.Probe("p"), k.Probe("q")
		p.Monitor(q.Ref())
		q.Do(func(*actors.Context) { panic(errors.New("on purpose")) })
		p.Expect(actors.Down{Target: q.Ref(), Reason: actors.Normal})
	})
}
