package actors_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/jackdaw-im/jackdaw/actors"
)

// router takes what is for the node "there@1" and, of what is placed, the ids that begin with "far".
type router struct {
	asked []string
	taken []any
	err   error
}

func (r *router) Local(to actors.Ref) bool {
	r.asked = append(r.asked, to.String())
	return to.Node != "there@1" && (to.Node != "" || to.ID < "far" || to.ID >= "fas")
}

func (r *router) Send(_ actors.Ref, sig actors.Signal) error {
	r.taken = append(r.taken, sig.Msg)
	return r.err
}

// TestRouter: it is asked about everything but what is pinned here; what it doesn't take is local, and its word on the rest is the
// sender's answer.
func TestRouter(t *testing.T) {
	dead := 0
	synctest.Test(t, func(t *testing.T) {
		s := actors.NewSystem(actors.Config{Workers: 1, Node: "here@1", DeadLetter: func(actors.Ref, any) { dead++ }})
		r := &router{}
		s.SetRouter(r)
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
		defer stop(t, s)
		near, pinned := &agent{s: s}, &agent{s: s}
		for _, a := range []struct {
			a   *agent
			ref actors.Ref
		}{{near, actors.Ref{Kind: "agent", ID: "near"}}, {pinned, actors.Ref{Kind: "agent", ID: "near", Node: "here@1"}}} {
			var err error
			if a.a.child, err = s.Spawn(actors.Spec{Kind: a.ref.String(), New: func() actors.Behaviour { return a.a }}, a.ref, nil, &restarter{}); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range []struct {
			to    actors.Ref
			asked bool
			err   error
		}{
			{near.ref(), true, nil},
			{pinned.ref(), false, nil},
			{actors.Ref{Kind: "agent", ID: "far away"}, true, nil},
			{actors.Ref{Kind: "agent", ID: "near", Node: "there@1"}, true, nil},
			{actors.Ref{Kind: "agent", ID: "near", Node: "here@0"}, true, actors.ErrNoProc}, // of an earlier incarnation
			{actors.Ref{Kind: "agent", ID: "nobody"}, true, actors.ErrNoProc},
		} {
			r.asked = nil
			if err := s.Cast(c.to, c.to.String()); !errors.Is(err, c.err) || err == nil != (c.err == nil) {
				t.Errorf("%v: got %v, want %v", c.to, err, c.err)
			}
			if len(r.asked) != 0 != c.asked {
				t.Errorf("%v: the router was asked about %v", c.to, r.asked)
			}
		}
		near.wants(t, "[agent/near]")
		pinned.wants(t, "[agent/near@here@1]")
		if fmt.Sprint(r.taken) != "[agent/far away agent/near@there@1]" || dead != 2 {
			t.Errorf("the router took %v, %d dead letters", r.taken, dead)
		}
		routerRefuses(t, s, r)
	})
}

// routerRefuses: an error of what was taken is the sender's, be it a caller, and no dead letter here.
func routerRefuses(t *testing.T, s *actors.System, r *router) {
	far := actors.Ref{Kind: "agent", ID: "far"}
	before := s.Snapshot().DeadLetters["agent"]
	r.err = actors.ErrOverloaded
	if err := s.Answer(far, 1); err != r.err {
		t.Errorf("answer: %v", err)
	}
	if _, err := s.Call(t.Context(), far, 2); err != r.err {
		t.Errorf("call: %v", err)
	}
	asker := newAgent(t, s, "asker", &restarter{})
	asker.do(func(ctx *actors.Context) { ctx.Call(far, 3, 1<<40) })
	asker.wants(t, fmt.Sprintf("[reply 1 <nil> %v]", r.err))
	if n := s.Snapshot().DeadLetters["agent"]; n != before {
		t.Errorf("%d dead letters more", n-before)
	}
}

// counting starts guests and counts how often it was asked to, and how often it had to.
type counting struct {
	onDemand
	asked, started atomic.Int64
	refuse         atomic.Bool
}

func (c *counting) Activate(ref actors.Ref) error {
	c.asked.Add(1)
	if c.refuse.Load() {
		return errOnPurpose
	}
	if _, err := c.s.Spawn(c.spec, ref, ref.ID, c.own); err == nil {
		c.started.Add(1)
	}
	return nil
}

// TestActivator: asked for those of its kind that aren't there, with every kind of message, but not for pinned names.
func TestActivator(t *testing.T) {
	bubble(t, actors.Config{Node: "here@1"}, func(t *testing.T, s *actors.System) {
		a := &agent{s: s}
		act := &counting{onDemand: onDemand{s, actors.Spec{Kind: "guest", New: func() actors.Behaviour { return a }}, &restarter{}}}
		s.SetActivator("guest", act)
		ref := actors.Ref{Kind: "guest", ID: "a"}
		if err := s.Cast(actors.Ref{Kind: "guest", ID: "a", Node: "here@1"}, "pinned"); !errors.Is(err, actors.ErrNoProc) || act.asked.Load() != 0 {
			t.Fatalf("a pinned name: %v, asked %d times", err, act.asked.Load())
		}
		act.refuse.Store(true)
		if err := s.Cast(ref, "refused"); !errors.Is(err, errOnPurpose) || s.Snapshot().DeadLetters["guest"] != 2 {
			t.Fatalf("the activator's error: %v", err)
		}
		act.refuse.Store(false)
		if err := s.Cast(ref, "first"); err != nil {
			t.Fatal(err)
		}
		a.wants(t, "[first]")
		if err := s.Answer(ref, "second"); err != nil {
			t.Fatal(err)
		}
		a.wants(t, "[second]")
		if v, err := s.Call(t.Context(), ref, "third"); v != "third" || err != nil {
			t.Fatalf("got %v, %v", v, err)
		}
		if act.asked.Load() != 2 || act.started.Load() != 1 {
			t.Fatalf("asked %d times, started %d", act.asked.Load(), act.started.Load())
		}
		_ = s.Cast(ref, do(func(ctx *actors.Context) error { ctx.Stop(actors.Normal); return nil }))
		synctest.Wait()
		if v, err := s.Call(t.Context(), ref, "fourth"); v != "fourth" || err != nil || act.started.Load() != 2 {
			t.Fatalf("after its end: %v, %v, started %d", v, err, act.started.Load())
		}
		s.SetActivator("guest", nil)
		if err := s.Cast(actors.Ref{Kind: "guest", ID: "b"}, "nobody"); !errors.Is(err, actors.ErrNoProc) {
			t.Fatalf("without an activator: %v", err)
		}
	})
}

// TestManyAskForOne: of a hundred senders at a time each is heard by the one actor that starts.
func TestManyAskForOne(t *testing.T) {
	bubble(t, actors.Config{Workers: 4}, func(t *testing.T, s *actors.System) {
		var heard atomic.Int64
		act := &counting{onDemand: onDemand{s, actors.Spec{Kind: "guest", New: func() actors.Behaviour {
			return &probe{handle: func(*actors.Context, any) error { heard.Add(1); return nil }}
		}}, &restarter{}}}
		s.SetActivator("guest", act)
		const names, senders = 50, 100
		var wg sync.WaitGroup
		for i := range names * senders {
			wg.Go(func() {
				if err := s.Cast(actors.Ref{Kind: "guest", ID: fmt.Sprint(i % names)}, i); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		if live := s.Snapshot().Live["guest"]; act.started.Load() != names || heard.Load() != names*senders || live != names {
			t.Fatalf("%d started, %d live, %d heard", act.started.Load(), live, heard.Load())
		}
	})
}
