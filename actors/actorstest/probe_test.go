package actorstest_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/actorstest"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

func TestProbeNotesAndActs(t *testing.T) {
	actorstest.Run(t, func(t *testing.T, k *actorstest.Kit) {
		k.Start(tallyChild("a"))
		p := k.Probe("p")
		if p.Ref() != (actors.Ref{Kind: actorstest.ProbeKind, ID: "p"}) {
			t.Errorf("it is called %v", p.Ref())
		}
		p.Cast(tallyRef("a"), add{5})
		id := p.Call(tallyRef("a"), "sum?", time.Second)
		p.Expect(&actors.Reply{ID: id, Value: sum{5}})
		p.Call(tallyRef("a"), errOnPurpose, time.Second)
		p.Expect(&actors.Reply{Err: errOnPurpose})
		p.Do(func(ctx *actors.Context) { ctx.SendAfter(time.Minute, "tea") })
		if took := p.Await(time.Hour, "tea"); took < time.Minute || took > time.Minute+time.Second {
			t.Errorf("a minute took %v", took)
		}
		p.ExpectNone(0)
	})
}

func TestProbeTakesAnyPlace(t *testing.T) {
	actorstest.Run(t, func(t *testing.T, k *actorstest.Kit) {
		for _, ref := range []actors.Ref{{Kind: "mailbox", ID: "romeo@example.org"}, {Kind: "mailbox", ID: "juliet@example.org"}, {Kind: "session", ID: "1", Node: actorstest.DefaultNode}} {
			p := k.ProbeAt(ref)
			k.Cast(ref, ref.ID)
			p.Expect(ref.ID)
		}
	})
}

func TestProbeMonitors(t *testing.T) {
	actorstest.Run(t, func(t *testing.T, k *actorstest.Kit) {
		k.Start(tallyChild("a"))
		p, q := k.Probe("p"), k.Probe("q")
		m := p.Monitor(tallyRef("a"))
		k.Cast(tallyRef("a"), errOnPurpose)
		p.Expect(actors.Down{Monitor: m, Target: tallyRef("a"), Reason: actors.Crashed(errOnPurpose)})
		p.Monitor(q.Ref())
		q.Stop(actors.Killed)
		p.Expect(actors.Down{Target: q.Ref(), Reason: actors.Killed})
		p.Monitor(q.Ref())
		p.Expect(actors.Down{Target: q.Ref(), Reason: actors.NoProc})
	})
}

func TestProbeAnswersCalls(t *testing.T) {
	actorstest.Run(t, func(t *testing.T, k *actorstest.Kit) {
		server, client := k.Probe("server"), k.Probe("client")
		one := client.Call(server.Ref(), "one", time.Minute)
		two := client.Call(server.Ref(), "two", time.Minute)
		three := client.Call(server.Ref(), "three", time.Minute)
		first, second := server.ExpectCall("one"), server.ExpectCall(actorstest.Type[string]())
		client.ExpectNone(time.Second)
		second.Reply(2)
		first.Fail(errOnPurpose)
		client.Expect(&actors.Reply{ID: two, Value: 2}, &actors.Reply{ID: one, Err: errOnPurpose})
		if took := client.Await(time.Hour, &actors.Reply{ID: three, Err: actors.ErrTimeout}); took > time.Minute {
			t.Errorf("a minute took %v", took)
		}
		server.OnCall(func(_ *actors.Context, req any) (any, error) { return fmt.Sprint(req, "!"), nil })
		k.ExpectCall(server.Ref(), "four", "four!")
		server.OnCall(nil)
		if _, err := k.Call(server.Ref(), "five"); !errors.Is(err, actors.ErrTimeout) {
			t.Errorf("a call without answer: %v", err)
		}
		if c := server.Waiting()[0].(*actorstest.Call); c.Req != "three" {
			t.Errorf("waiting %v", server.Waiting())
		}
		server.Skip()
		server.ExpectNone(0)
	})
}

func TestProbeReacts(t *testing.T) {
	actorstest.Run(t, func(t *testing.T, k *actorstest.Kit) {
		p, q := k.Probe("p"), k.Probe("q")
		p.OnMessage(func(ctx *actors.Context, msg any) error {
			if msg == "crash" {
				return errOnPurpose
			}
			return ctx.Cast(q.Ref(), fmt.Sprint("heard ", msg))
		})
		k.Cast(p.Ref(), "this")
		q.Expect("heard this")
		p.OnMessage(nil)
		k.Cast(p.Ref(), "that")
		q.ExpectNone(0)
		p.Expect("this", "that")
		p.OnMessage(func(*actors.Context, any) error { return errOnPurpose })
		q.Monitor(p.Ref())
		k.Cast(p.Ref(), "die")
		q.Expect(actors.Down{Target: p.Ref(), Reason: actors.Crashed(nil)})
	})
}

func TestExpectations(t *testing.T) {
	actorstest.Run(t, func(t *testing.T, k *actorstest.Kit) {
		p := k.Probe("p")
		out := &nodepb.Outcome{Seq: 7, Code: nodepb.Code_OK}
		for _, m := range []any{1, add{2}, out, &add{3}, "x", sum{1}, sum{2}, sum{1}, fmt.Errorf("wrapped: %w", errOnPurpose)} {
			k.Cast(p.Ref(), m)
		}
		p.Expect(1, add{2}, &nodepb.Outcome{Seq: 7, Code: nodepb.Code_OK}, &add{3})
		if s := actorstest.ExpectType[string](p); s != "x" {
			t.Errorf("got %q", s)
		}
		p.ExpectAll(actorstest.Match("is two", func(s sum) bool { return s.N == 2 }), errOnPurpose, sum{1}, sum{1})
		p.ExpectNone(time.Second)
		p.ExpectAll()
		p.Expect()
	})
}
