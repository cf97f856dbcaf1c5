package actors_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
)

// flipper is a router that moves a name away right after it has said that it is local: as a view that changes at that moment.
type flipper struct {
	*side
	flip func()
}

func (f *flipper) Local(to actors.Ref) bool {
	ok := f.side.Local(to)
	if f.flip != nil && to.ID == "a sleeper" {
		g := f.flip
		f.flip = nil
		g()
	}
	return ok
}

// TestMonitorAsItLeaves: a monitor that is set as its target moves away hears so.
func TestMonitorAsItLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{systems: map[string]*actors.System{}, moved: map[string]string{}, watches: map[*actors.Watch]func(){}}
		a := actors.NewSystem(actors.Config{Workers: 1, Node: "a@1"})
		f := &flipper{side: &side{w, "a@1"}}
		a.SetRouter(f)
		w.systems["a@1"] = a
		if err := a.Start(); err != nil {
			t.Fatal(err)
		}
		defer stop(t, a)
		a.SetActivator("sleeper", &onDemand{a, actors.Spec{Kind: "sleeper"}, &restarter{}})
		near := newAgent(t, a, "asker", &restarter{})
		f.flip = func() {
			w.moved["a sleeper"] = "b@1"
			a.Disconnect(func(ref actors.Ref) bool { return ref.ID == "a sleeper" })
		}
		near.do(func(ctx *actors.Context) { ctx.Monitor(actors.Ref{Kind: "sleeper", ID: "a sleeper"}) })
		time.Sleep(time.Hour)
		synctest.Wait()
		near.wants(t, "[down a sleeper noconnection]")
	})
}

// shaky panics the first time it is asked to retire.
type shaky struct {
	agent
	asked *int
}

func (m *shaky) Retire(*actors.Context) bool {
	*m.asked++
	if *m.asked == 1 {
		panic("on purpose")
	}
	return true
}

// TestRetirePanics: an actor that crashes when it is asked to retire leaves all the same.
func TestRetirePanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := actors.NewSystem(actors.Config{Workers: 1, Node: "a@1"})
		if err := a.Start(); err != nil {
			t.Fatal(err)
		}
		defer stop(t, a)
		asked := 0
		o := &restarter{restart: true}
		ref := actors.Ref{Kind: "agent", ID: "x"}
		if _, err := a.Spawn(actors.Spec{Kind: "shaky", New: func() actors.Behaviour { return &shaky{agent: agent{s: a}, asked: &asked} }}, ref, nil, o); err != nil {
			t.Fatal(err)
		}
		a.Retire(ref, 2*time.Second)
		time.Sleep(time.Minute)
		synctest.Wait()
		if a.Alive(ref) {
			_, err := a.CallTimeout(ref, "hello", time.Minute)
			t.Errorf("it lives on after its time, asked %d times, and a call to it: %v", asked, err)
		}
	})
}

// TestExitFrom: an exit signal of another node says whose it is.
func TestExitFrom(t *testing.T) {
	twoNodes(t, func(t *testing.T, w *world, a, b *actors.System) {
		asker := newAgent(t, a, "asker", &restarter{})
		trap := newAgent(t, b, "server", &restarter{})
		trap.do(func(ctx *actors.Context) { ctx.TrapExit(true) })
		asker.do(func(ctx *actors.Context) { ctx.Exit(trap.ref(), actors.Shutdown) })
		synctest.Wait()
		trap.wants(t, "[exit asker shutdown]")
	})
}
