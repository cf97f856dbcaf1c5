package actors_test

import (
	"fmt"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/jackdaw-im/jackdaw/actors"
)

// TestSnapshot: what one actor of a kind does is counted under its kind, and that of the others isn't.
func TestSnapshot(t *testing.T) {
	bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
		if snap := s.Snapshot(); len(snap.Live)+len(snap.Handled)+len(snap.DeadLetters)+len(snap.Marks)+len(snap.Top) != 0 {
			t.Fatalf("nothing has happened, but %+v", snap)
		}
		a, b := newAgent(t, s, "a", &restarter{restart: true}), newAgent(t, s, "b", &restarter{})
		synctest.Wait()
		before := s.Snapshot()
		for i := range 10 {
			_ = a.cast(i)
		}
		_ = a.cast(crash)
		snap := s.Snapshot()
		if want := map[string]int64{"agent a": 1, "agent b": 1}; !maps.Equal(snap.Live, want) {
			t.Errorf("live %v, want %v", snap.Live, want)
		}
		// The restart is a message as well.
		if a, b := snap.Handled["agent a"]-before.Handled["agent a"], snap.Handled["agent b"]-before.Handled["agent b"]; a != 12 || b != 0 {
			t.Errorf("handled %d and %d more, want 12 and 0", a, b)
		}
		_ = b.cast(crash)
		_ = b.cast("dead")
		snap = s.Snapshot()
		if want := map[string]int64{"agent a": 1, "agent b": 0}; !maps.Equal(snap.Live, want) {
			t.Errorf("live %v, want %v", snap.Live, want)
		}
		if snap.Restarts != 1 || snap.Overloads != 0 || snap.LateReplies != 0 || snap.Stuck != 0 || snap.Spares != 0 {
			t.Errorf("counted %+v", snap)
		}
		if want := map[string]int64{"agent": 1}; !maps.Equal(snap.DeadLetters, want) {
			t.Errorf("dead letters %v, want %v", snap.DeadLetters, want)
		}
		snap.DeadLetters["agent"], snap.Live["agent a"] = 100, 100 // a copy: the caller's own
		if again := s.Snapshot(); again.DeadLetters["agent"] != 1 || again.Live["agent a"] != 1 {
			t.Errorf("a snapshot is not a copy: %+v", again)
		}
	})
}

// TestMarks: a queue is noted at each power of two from 16 that it grows to, and the ten longest since the last snapshot are told.
func TestMarks(t *testing.T) {
	bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
		g := make(gate)
		grow := func(a *agent, n int) {
			for range n {
				if err := s.Cast(a.ref(), "more"); err != nil {
					t.Fatal(err)
				}
			}
		}
		var all []*agent
		for i := range 15 {
			a := newAgent(t, s, fmt.Sprint(i), &restarter{}, func(s *actors.Spec) { s.Blocking = true })
			_ = a.cast(g.wait)
			all = append(all, a)
		}
		grow(all[0], 15)
		if snap := s.Snapshot(); len(snap.Marks) != 0 || len(snap.Top) != 0 {
			t.Errorf("15 messages are marked: %v, %v", snap.Marks, snap.Top)
		}
		grow(all[0], 1)
		grow(all[1], 100)
		snap := s.Snapshot()
		if want := map[int]int64{16: 2, 32: 1, 64: 1}; !maps.Equal(snap.Marks, want) {
			t.Errorf("marks %v, want %v", snap.Marks, want)
		}
		if want := []actors.QueueMark{{Ref: all[1].ref(), Len: 64}, {Ref: all[0].ref(), Len: 16}}; fmt.Sprint(snap.Top) != fmt.Sprint(want) {
			t.Errorf("top %v, want %v", snap.Top, want)
		}
		for i, a := range all[2:] {
			grow(a, 16<<(i%3))
		}
		snap = s.Snapshot()
		if len(snap.Top) != 10 || snap.Top[0].Len != 64 || snap.Top[5].Len != 32 || snap.Top[9].Len != 16 {
			t.Errorf("the ten longest are %v", snap.Top)
		}
		if again := s.Snapshot(); fmt.Sprint(again.Top) != fmt.Sprint(snap.Top) || !maps.Equal(again.Marks, snap.Marks) {
			t.Errorf("who looks takes away: top %v, marks %v", again.Top, again.Marks)
		}
		advance(6 * time.Second)
		grow(all[0], 16)
		if again := s.Snapshot(); len(again.Top) != 10 || again.Top[0].Len != 64 {
			t.Errorf("6 s later: %v", again.Top)
		}
		advance(6 * time.Second)
		if again := s.Snapshot(); fmt.Sprint(again.Top) != "[{agent/0 32}]" {
			t.Errorf("12 s later: %v", again.Top)
		}
		advance(20 * time.Second)
		if again := s.Snapshot(); len(again.Top) != 0 || !maps.Equal(again.Marks, map[int]int64{16: 15, 32: 10, 64: 5}) {
			t.Errorf("in the end: top %v, marks %v", again.Top, again.Marks)
		}
		close(g)
	})
}

// TestSpecs: one that makes nothing is refused; a name is taken once.
func TestSpecs(t *testing.T) {
	bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
		for _, spec := range []actors.Spec{{}, {Kind: "a"}, {New: func() actors.Behaviour { return plain{} }}} {
			if _, err := s.Spawn(spec, actors.Ref{Kind: "a", ID: "a"}, nil, &restarter{}); err == nil {
				t.Errorf("%+v is taken", spec)
			}
		}
		a := newAgent(t, s, "a", &restarter{})
		if _, err := s.Spawn(actors.Spec{Kind: "agent a"}, a.ref(), nil, &restarter{}); err == nil {
			t.Error("a name is taken twice")
		}
		_ = a.cast("still there")
		a.wants(t, "[still there]")
		if live := s.Snapshot().Live["agent a"]; live != 1 {
			t.Errorf("%d live", live)
		}
	})
}

// TestLongQueuesAreReported: with the kind of the message that made them so long, and one a second.
func TestLongQueuesAreReported(t *testing.T) {
	core, logs := observer.New(zap.WarnLevel)
	bubble(t, actors.Config{Logger: zap.New(core), Workers: 2}, func(t *testing.T, s *actors.System) {
		g := make(gate)
		defer close(g)
		var refs []actors.Ref
		for i := range 3 {
			a := newAgent(t, s, fmt.Sprint(i), &restarter{}, func(s *actors.Spec) { s.Blocking, s.QueueLen = true, 1<<20 })
			_ = a.cast(g.wait)
			refs = append(refs, a.ref())
		}
		advance(time.Second)
		fill := func(i, n int) {
			for range n {
				if err := s.Cast(refs[i], time.Second); err != nil {
					t.Fatal(err)
				}
			}
		}
		wants := func(want string) {
			t.Helper()
			var got []string
			for _, e := range logs.FilterMessage("a queue is long").AllUntimed() {
				m := e.ContextMap()
				got = append(got, fmt.Sprint(m["actor"], " ", m["queue_len"], " ", m["message"]))
			}
			if logs.TakeAll(); fmt.Sprint(got) != want {
				t.Errorf("reported %v, want %s", got, want)
			}
		}
		fill(0, 4095)
		wants("[]")
		fill(0, 1)
		fill(1, 5000)
		wants("[agent/0 4096 time.Duration]")
		advance(1100 * time.Millisecond)
		fill(2, 5000)
		wants("[agent/2 4096 time.Duration]")
	})
}
