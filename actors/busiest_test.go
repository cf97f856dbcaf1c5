package actors_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
)

// TestBusiest: those that do the most, crash the most and hang are among a few hundred, whatever thousands of others do.
func TestBusiest(t *testing.T) {
	bubble(t, actors.Config{Workers: 1}, func(t *testing.T, s *actors.System) {
		busy := newAgent(t, s, "busy", &undertaker{})
		crashes := newAgent(t, s, "crashes", &restarter{restart: true})
		long := newAgent(t, s, "long", &undertaker{})
		hangs := newAgent(t, s, "hangs", &undertaker{})
		spec := actors.Spec{Kind: "crowd", New: func() actors.Behaviour { return plain{} }}
		for i := range 3000 {
			if _, err := s.Spawn(spec, actors.Ref{Kind: "crowd", ID: fmt.Sprint(i)}, nil, &undertaker{}); err != nil {
				t.Fatal(err)
			}
		}
		_ = s.Busiest()
		for i := range 20_000 {
			_ = s.Cast(busy.ref(), i)
			_ = s.Cast(actors.Ref{Kind: "crowd", ID: fmt.Sprint(i % 3000)}, i)
			if i%64 == 0 {
				synctest.Wait()
			}
		}
		for range 7 {
			_ = crashes.cast(crash)
		}
		long.do(func(ctx *actors.Context) {
			for i := range 300 {
				_ = ctx.Cast(ctx.Self(), i)
			}
		})
		g := make(gate)
		_ = hangs.cast(g.wait)
		advance(time.Second)
		defer close(g)
		loads := s.Busiest()
		find := func(id string) actors.Load {
			for _, l := range loads {
				if l.Ref.ID == id {
					return l
				}
			}
			t.Fatalf("%s is not among %d", id, len(loads))
			return actors.Load{}
		}
		if len(loads) > 2000 {
			t.Errorf("%d loads", len(loads))
		}
		if l := find("busy"); l.PerSecond < 500 {
			t.Errorf("busy: %+v", l)
		}
		if l := find("crashes"); l.Restarts != 7 {
			t.Errorf("crashes: %+v", l)
		}
		if l := find("long"); l.Queue != 256 {
			t.Errorf("long: %+v", l)
		}
		if l := find("hangs"); !l.Stuck {
			t.Errorf("hangs: %+v", l)
		}
		if loads[0].Ref.ID != "long" {
			t.Errorf("first comes %+v", loads[0])
		}
		recent := s.Recent()
		if len(recent) == 0 || slices.ContainsFunc(recent, func(h actors.Handled) bool { return h.Kind == "" || h.Ref.ID == "" }) {
			t.Errorf("recent: %+v", recent)
		}
		if again := find("busy"); again.PerSecond < 500 {
			t.Errorf("who looks takes away: %+v", again)
		}
		advance(30 * time.Second)
		loads = s.Busiest()
		if slices.ContainsFunc(loads, func(l actors.Load) bool { return l.PerSecond > 0 || l.Queue > 0 }) || find("crashes").Restarts != 7 {
			t.Errorf("half a minute later: %+v", loads)
		}
	})
}

// TestBusiestHasWhatWaits: also a short queue, if its actor is suspended or its handler hangs; and little is counted exactly.
func TestBusiestHasWhatWaits(t *testing.T) {
	bubble(t, actors.Config{Workers: 2}, func(t *testing.T, s *actors.System) {
		held, alone, idle := newAgent(t, s, "held", &undertaker{}), newAgent(t, s, "alone", &undertaker{}, func(s *actors.Spec) { s.Blocking = true }), newAgent(t, s, "idle", &undertaker{})
		g := make(gate)
		defer close(g)
		advance(time.Minute)
		_ = s.Busiest()
		for i := range 10 {
			_ = idle.cast(i)
		}
		there := func(a *agent) (l actors.Load, ok bool) {
			for _, l := range s.Busiest() {
				if l.Ref == a.ref() {
					return l, true
				}
			}
			return l, false
		}
		if l, _ := there(idle); l.PerSecond < 1.5 || l.PerSecond > 2.5 {
			t.Errorf("10 messages within the last 5 s: %+v", l)
		}
		held.inspect(t, (*actors.Inspection).Suspend)
		_ = held.cast("waits")
		_ = alone.cast(g.wait)
		advance(time.Minute)
		for _, a := range []*agent{held, alone} {
			if _, ok := there(a); !ok {
				t.Errorf("%v is not worth a look", a.ref())
			}
		}
		if _, ok := there(idle); ok {
			t.Error("an idle one is worth a look")
		}
		held.inspect(t, (*actors.Inspection).Resume)
		held.inspect(t, (*actors.Inspection).Suspend)
		held.child.End(actors.Killed)
		advance(time.Minute)
		if _, ok := there(held); ok {
			t.Error("one that has ended is worth a look")
		}
	})
}
