package actors_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/jackdaw-im/jackdaw/actors"
)

// TestStuckHandlers: as many handlers that never return as there are workers, and many more, stop nobody else; nor does
// an actor wait behind one in the batch that its worker has taken.
func TestStuckHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := system(t, actors.Config{Workers: 2})
		defer stop(t, s)
		release := make(chan struct{})
		var handled atomic.Int64
		const n = 200
		for i := range n {
			p := &probe{handle: func(_ *actors.Context, m any) error {
				if m == "hang" {
					<-release
				}
				handled.Add(1)
				return nil
			}}
			c := spawn(t, s, fmt.Sprint(i), &restarter{}, p)
			if i%10 == 3 {
				_ = s.Cast(c.Ref(), "hang")
			} else {
				_ = s.Cast(c.Ref(), "work")
			}
		}
		synctest.Wait()
		advance(stuckTimes)
		if got := handled.Load(); got != n-n/10 {
			t.Fatalf("%d of %d messages were handled beside stuck handlers", got, n-n/10)
		}
		if snap := s.Snapshot(); snap.Stuck != n/10 || snap.Spares != n/10 {
			t.Fatalf("counted %d stuck, %d spares, want %d", snap.Stuck, snap.Spares, n/10)
		}
		close(release)
		synctest.Wait()
		if snap := s.Snapshot(); snap.Spares != 0 || handled.Load() != n {
			t.Fatalf("afterwards %d spares, %d handled", snap.Spares, handled.Load())
		}
	})
}

// TestBusyNeighbours: handlers hang and return all the time on real time while others count; nothing is lost or run twice.
func TestBusyNeighbours(t *testing.T) {
	s := system(t, actors.Config{Workers: 2})
	defer stop(t, s)
	const n, each = 300, 20
	var wg sync.WaitGroup
	wg.Add(n * each)
	for i := range n {
		last := -1
		p := &probe{handle: func(_ *actors.Context, m any) error {
			defer wg.Done()
			if m.(int) != last+1 {
				t.Errorf("%d came after %d", m, last)
			}
			last = m.(int)
			if i%100 == 7 && last == each/2 {
				spin()
			}
			return nil
		}}
		c := spawn(t, s, fmt.Sprint(i), &restarter{}, p)
		for k := range each {
			if err := s.Cast(c.Ref(), k); err != nil {
				t.Error(err)
			}
		}
	}
	wg.Wait()
}

// TestBlockingActors: actors that wait for the outside world have goroutines of their own and end with the system.
func TestBlockingActors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := system(t, actors.Config{Workers: 1})
		defer stop(t, s)
		release := make(chan struct{})
		var got []any
		c, err := s.Spawn(actors.Spec{Kind: "blocking", Blocking: true, New: func() actors.Behaviour {
			return &probe{handle: func(_ *actors.Context, m any) error { <-release; got = append(got, m); return nil }}
		}}, actors.Ref{Kind: "blocking", ID: "a"}, nil, &restarter{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			_ = s.Cast(c.Ref(), i)
		}
		advance(stuckTimes)
		if snap := s.Snapshot(); snap.Stuck != 0 {
			t.Fatalf("a blocking actor counts as stuck: %d", snap.Stuck)
		}
		close(release)
		synctest.Wait()
		if fmt.Sprint(got) != "[0 1 2]" {
			t.Fatalf("got %v", got)
		}
	})
}

// TestOnlyLongHandlersAreReported: those of a second, once when they don't return and once when they do.
func TestOnlyLongHandlersAreReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.WarnLevel)
		s := system(t, actors.Config{Workers: 1, Logger: zap.New(core)})
		defer stop(t, s)
		c := spawn(t, s, "a", &restarter{}, &probe{handle: func(_ *actors.Context, m any) error {
			time.Sleep(m.(time.Duration))
			return nil
		}})
		_ = s.Cast(c.Ref(), 500*time.Millisecond)
		advance(time.Second)
		if logs.Len() != 0 || s.Snapshot().Stuck != 1 {
			t.Fatalf("half a second: %v, %d counted", logs.All(), s.Snapshot().Stuck)
		}
		_ = s.Cast(c.Ref(), 5*time.Second)
		advance(4 * time.Second)
		if got := logs.TakeAll(); len(got) != 1 || got[0].ContextMap()["actor"] != "probe/a" || got[0].ContextMap()["message"] != "time.Duration" {
			t.Fatalf("while it runs: %v", got)
		}
		advance(4 * time.Second)
		if got := logs.TakeAll(); len(got) != 1 || got[0].ContextMap()["message"] != "time.Duration" || got[0].ContextMap()["took"].(time.Duration).Round(100*time.Millisecond) != 5*time.Second {
			t.Fatalf("after it: %v", got)
		}
	})
}
