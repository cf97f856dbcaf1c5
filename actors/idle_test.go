package actors_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
)

// dozer is an agent that can hibernate.
type dozer struct {
	agent
	slept int
}

func (d *dozer) Hibernate(*actors.Context) { onStage(); d.slept++ }

// TestHibernate: once each time that nothing has come for so long; what comes wakes it without a word, and in the end it is
// passivated all the same.
func TestHibernate(t *testing.T) {
	for _, idle := range []time.Duration{0, 10 * time.Second} {
		bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
			d := &dozer{agent: agent{s: s}}
			var err error
			d.child, err = s.Spawn(actors.Spec{Kind: "dozer", HibernateAfter: 2 * time.Second, IdleTimeout: idle, New: func() actors.Behaviour { return d }},
				actors.Ref{Kind: "dozer", ID: "a"}, nil, &restarter{restart: true})
			if err != nil {
				t.Fatal(err)
			}
			sleeps := func(after time.Duration, want int) {
				t.Helper()
				if advance(after); d.slept != want {
					t.Fatalf("hibernated %d times, want %d", d.slept, want)
				}
			}
			sleeps(1900*time.Millisecond, 0)
			_ = d.cast("not yet")
			sleeps(1900*time.Millisecond, 0)
			sleeps(200*time.Millisecond, 1)
			sleeps(5*time.Second, 1)
			_ = d.cast("up")
			_ = d.cast(crash) // a new life dozes off as well
			sleeps(1900*time.Millisecond, 1)
			sleeps(200*time.Millisecond, 2)
			d.wants(t, "[not yet up]")
			sleeps(9*time.Second, 2)
			synctest.Wait()
			if live := s.Snapshot().Live["dozer"]; (live == 0) != (idle > 0) {
				t.Errorf("%d live, with an idle time of %v", live, idle)
			}
			d.child.Stop(actors.Shutdown)
		})
	}
}
