package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/actorstest"
	"github.com/jackdaw-im/jackdaw/admin"
	"github.com/jackdaw-im/jackdaw/proto/adminpb"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// counter shows and takes its number, and waits in its handler if told to.
type counter struct{ n int }

type (
	add  int
	tell struct{ to actors.Ref }
	hang struct{ until chan struct{} }
)

func (c *counter) Init(_ *actors.Context, args any) error { c.n, _ = args.(int); return nil }

func (c *counter) Handle(ctx *actors.Context, msg any) error {
	switch m := msg.(type) {
	case add:
		if c.n += int(m); c.n < 0 {
			return errors.New("counter: below nothing, says juliet")
		}
	case tell:
		return ctx.Cast(m.to, add(1))
	case hang:
		<-m.until
	}
	return nil
}

func (c *counter) FormatStatus() any { return map[string]int{"n": c.n} }

func (c *counter) ReplaceState(_ *actors.Context, doc []byte) error {
	var to struct{ N int }
	if err := json.Unmarshal(doc, &to); err != nil {
		return fmt.Errorf("counter: %w", err)
	}
	c.n = to.N
	return nil
}

// plain shows and takes nothing.
type plain struct{}

func (*plain) Init(*actors.Context, any) error   { return nil }
func (*plain) Handle(*actors.Context, any) error { return nil }

func counters() []supervision.ChildSpec {
	spec := actors.Spec{Kind: "counter", New: func() actors.Behaviour { return &counter{} }}
	return []supervision.ChildSpec{
		supervision.Actor("a", spec, 1), supervision.Actor("juliet@localhost", spec, 2),
		supervision.Actor("p", actors.Spec{Kind: "plain", New: func() actors.Behaviour { return &plain{} }}, nil),
	}
}

var first = actors.Ref{Kind: "counter", ID: "a"}

func TestInspector(t *testing.T) {
	actorstest.Run(t, func(t *testing.T, k *actorstest.Kit) {
		k.Start(counters()...)
		if err := k.System().Register("first", first); err != nil {
			t.Fatal(err)
		}
		in, ctx := inspector{sys: k.System()}, t.Context()
		state := func() string {
			t.Helper()
			doc, err := in.State(ctx, actors.Named("first"))
			if err != nil {
				t.Error(err)
			}
			return string(doc)
		}
		if got := state(); got != `{"n":1}` {
			t.Errorf("state %s", got)
		}
		if err := in.Suspend(ctx, first); err != nil {
			t.Error(err)
		}
		k.Cast(first, add(5))
		if got := state(); got != `{"n":1}` {
			t.Errorf("suspended, and yet %s", got)
		}
		st, err := in.ActorStatus(ctx, first)
		if err != nil || st.GetPhase() != "suspended" || st.GetQueue() != 1 || st.GetBehaviour() != "*node.counter" || st.GetStuck() ||
			len(st.GetWaiting()) != 1 || st.GetWaiting()[0].GetKind() != "node.add" || st.GetMemoryBytes() <= 0 || st.GetRef() != "counter/a" {
			t.Errorf("status %v, %v", st, err)
		}
		if err := errors.Join(in.Replace(ctx, first, []byte(`{"n":10}`)), in.Resume(ctx, first)); err != nil {
			t.Error(err)
		}
		got := state()
		for range 1000 { // a question about an actor may overtake what waits for it
			if got == `{"n":10}` {
				got = state()
			}
		}
		if got != `{"n":15}` {
			t.Errorf("resumed with another state: %s", got)
		}
		doc, err := in.State(ctx, actors.Ref{Kind: "plain", ID: "p"})
		if err != nil || !strings.Contains(string(doc), "*node.plain") {
			t.Errorf("a state that isn't shown: %s, %v", doc, err)
		}
		if err := in.Replace(ctx, actors.Ref{Kind: "plain", ID: "p"}, []byte("{}")); !errors.Is(err, admin.ErrInvalid) || !strings.Contains(err.Error(), "takes no other state") {
			t.Errorf("replacing what can't be: %v", err)
		}
		if err := in.Replace(ctx, first, []byte(`{"n":"x"}`)); err == nil || !strings.Contains(err.Error(), "counter: json") {
			t.Errorf("a document that makes no sense: %v", err)
		}
	})
}

func TestNobody(t *testing.T) {
	actorstest.Run(t, func(t *testing.T, k *actorstest.Kit) {
		k.Start(counters()...)
		pinned := k.ProbeAt(actors.Ref{Kind: "session", ID: "7", Node: actorstest.DefaultNode})
		in := inspector{sys: k.System()}
		if st, err := in.ActorStatus(t.Context(), actors.Ref{Kind: "session", ID: "7"}); err != nil || st.GetRef() != pinned.Ref().String() {
			t.Errorf("the node left out: %v, %v", st, err)
		}
		for _, c := range []struct {
			ref  actors.Ref
			want string
		}{
			{actors.Ref{Kind: "counter", ID: "juleit@localhost"}, "admin: no actor counter/juleit@localhost is alive; of its kind there are counter/juliet@localhost, counter/a"},
			{actors.Ref{Kind: "countre", ID: "a"}, "admin: no actor countre/a is alive, nor any of its kind; there are the kinds counter, "},
			{actors.Ref{Kind: "session", ID: "7", Node: "other@1"}, "admin: no actor session/7@other@1 is alive; of its kind there are session/7@test@1"},
			{actors.Named("second"), `admin: nobody has the name "second"`},
		} {
			err := in.Suspend(t.Context(), c.ref)
			if !errors.Is(err, admin.ErrNoActor) || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("%v: %v", c.ref, err)
			}
		}
	})
}

func TestStuckActor(t *testing.T) {
	actorstest.Run(t, func(t *testing.T, k *actorstest.Kit) {
		k.Start(counters()...)
		in, until := inspector{sys: k.System()}, make(chan struct{})
		if err := k.System().Cast(first, hang{until}); err != nil {
			t.Fatal(err)
		}
		k.Advance(0)
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		err := in.Suspend(ctx, first)
		if !errors.Is(err, admin.ErrBusy) || !strings.Contains(err.Error(), "counter/a did not come to it in time: it has been handling a node.hang for 3") {
			t.Errorf("%v", err)
		}
		st, err := in.ActorStatus(t.Context(), first)
		if err != nil || !st.GetStuck() || st.GetRunning() != "node.hang" || st.GetRunningUs() < 3e6 {
			t.Errorf("status %v, %v", st, err)
		}
		close(until)
	})
}

func TestInspectorTraces(t *testing.T) {
	actorstest.Run(t, func(t *testing.T, k *actorstest.Kit) {
		k.Start(counters()...)
		in, probe := inspector{sys: k.System()}, k.Probe("p")
		var seen []*adminpb.TraceEvent
		ended := make(chan error, 1)
		go func() {
			ended <- in.Trace(t.Context(), first, 3, func(e *adminpb.TraceEvent) error { seen = append(seen, e); return nil })
		}()
		k.Advance(0)
		k.Cast(first, add(1))
		k.Cast(first, tell{probe.Ref()})
		k.Cast(first, add(-100))
		if err := <-ended; err != nil || len(seen) != 3 {
			t.Fatalf("%v, %v", seen, err)
		}
		k.ExpectRestarts(first, 1, actorstest.TreeID)
		if e := seen[0]; e.GetKind() != "node.add" || e.GetHow() != "cast" || e.GetTime() == 0 {
			t.Errorf("%v", e)
		}
		if e := seen[1]; len(e.GetSent()) != 1 || e.GetSent()[0].GetTo() != "probe/p" || e.GetSent()[0].GetKind() != "node.add" {
			t.Errorf("%v", e)
		}
		if e := seen[2]; !strings.HasPrefix(e.GetError(), "an error of type ") || strings.Contains(e.String(), "juliet") {
			t.Errorf("%v", e)
		}
		go func() { ended <- in.Trace(t.Context(), first, 3, func(*adminpb.TraceEvent) error { return nil }) }()
		k.Advance(0)
		go func() { ended <- in.Trace(t.Context(), first, 1, func(*adminpb.TraceEvent) error { return nil }) }()
		if err := <-ended; !errors.Is(err, admin.ErrInvalid) || !strings.Contains(err.Error(), "another trace") {
			t.Errorf("a second trace: %v", err)
		}
		k.Cast(first, add(1))
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "a", 0}, {"", "abc", 3}, {"juliet", "juleit", 2}, {"juliet", "juliet@localhost", 1}, {"lanes", "jackdaw.messaging.lanes", 1},
		{"messaging", "jackdaw.messaging.lanes", 2}, {"kitten", "sitting", 3}, {strings.Repeat("a", 200), strings.Repeat("b", 300), maxCompared},
	} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("%q %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
