package actors_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/jackdaw-im/jackdaw/actors"
)

// numbered is one message of a sender.
type numbered struct{ sender, n int }

// ledger notes the last message of each sender, over all lives of an actor.
type ledger struct {
	t     testing.TB
	last  map[int]int
	count int
	lives int
	// crashEvery, if set, makes each so many messages a crash; these count as handled.
	crashEvery int
}

func (l *ledger) Init(*actors.Context, any) error { l.lives++; return nil }

func (l *ledger) Handle(_ *actors.Context, msg any) error {
	m := msg.(numbered)
	if last, ok := l.last[m.sender]; ok && m.n != last+1 || !ok && m.n != 0 {
		l.t.Errorf("message %d of sender %d came after %d", m.n, m.sender, last)
	}
	l.last[m.sender] = m.n
	if l.count++; l.crashEvery > 0 && l.count%l.crashEvery == 0 {
		if l.count%2 == 0 {
			panic(errOnPurpose)
		}
		return errOnPurpose
	}
	return nil
}

// TestOrderOverRestarts: each sender's messages are handled in order and none twice or never, however many senders there are and
// however often the actor crashes.
func TestOrderOverRestarts(t *testing.T) {
	for _, blocking := range []bool{false, true} {
		t.Run(fmt.Sprint("blocking ", blocking), func(t *testing.T) {
			bubble(t, actors.Config{Workers: 4}, func(t *testing.T, s *actors.System) {
				const senders, each = 50, 400
				l := &ledger{t: t, last: map[int]int{}, crashEvery: 7}
				c, err := s.Spawn(actors.Spec{Kind: "ledger", QueueLen: senders * each, Blocking: blocking, New: func() actors.Behaviour { return l }},
					actors.Ref{Kind: "ledger", ID: "a"}, nil, &restarter{restart: true})
				if err != nil {
					t.Fatal(err)
				}
				var wg sync.WaitGroup
				for i := range senders {
					wg.Go(func() {
						for n := range each {
							if err := s.Cast(c.Ref(), numbered{i, n}); err != nil {
								t.Error(err)
							}
						}
					})
				}
				wg.Wait()
				synctest.Wait()
				if restarts := senders * each / 7; l.count != senders*each || l.lives != restarts+1 || s.Snapshot().Restarts != int64(restarts) {
					t.Fatalf("%d of %d messages in %d lives, %d restarts counted", l.count, senders*each, l.lives, s.Snapshot().Restarts)
				}
			})
		})
	}
}

// TestOrderOverPassivation: with senders and idle times of all lengths, an actor on demand comes and goes, and handles everything.
func TestOrderOverPassivation(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		idle := rapid.IntRange(1, 50).Draw(rt, "idle ms")
		pauses := rapid.SliceOfN(rapid.SliceOfN(rapid.IntRange(0, 120), 1, 40), 1, 8).Draw(rt, "pauses of each sender, ms")
		var failure error
		bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
			l := &ledger{t: t, last: map[int]int{}}
			s.SetActivator("guest", &onDemand{s, actors.Spec{Kind: "guest", IdleTimeout: time.Duration(idle) * time.Millisecond,
				New: func() actors.Behaviour { return l }}, &restarter{}})
			var wg sync.WaitGroup
			total := 0
			for i, list := range pauses {
				total += len(list)
				wg.Go(func() {
					for n, ms := range list {
						if err := s.Cast(actors.Ref{Kind: "guest", ID: "a"}, numbered{i, n}); err != nil {
							t.Error(err)
						}
						time.Sleep(time.Duration(ms) * time.Millisecond)
					}
				})
			}
			wg.Wait()
			advance(time.Second)
			if live := s.Snapshot().Live["guest"]; l.count != total || live != 0 {
				failure = fmt.Errorf("%d of %d messages, %d still live", l.count, total, live)
			}
		})
		if failure != nil {
			rt.Fatal(failure)
		}
	})
}

// TestFloodOfOneThatComesAndGoes: without pauses, many at a time; a refused message is sent again.
func TestFloodOfOneThatComesAndGoes(t *testing.T) {
	bubble(t, actors.Config{Workers: 4}, func(t *testing.T, s *actors.System) {
		l := &ledger{t: t, last: map[int]int{}}
		s.SetActivator("guest", &onDemand{s, actors.Spec{Kind: "guest", QueueLen: 10, IdleTimeout: 10 * time.Millisecond,
			New: func() actors.Behaviour { return l }}, &restarter{}})
		const senders, each = 20, 500
		var wg sync.WaitGroup
		for i := range senders {
			wg.Go(func() {
				for n := 0; n < each; {
					switch err := s.Cast(actors.Ref{Kind: "guest", ID: "a"}, numbered{i, n}); {
					case err == nil:
						n++
					case errors.Is(err, actors.ErrOverloaded):
						time.Sleep(time.Duration(i) * time.Millisecond)
					default:
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		if l.count != senders*each {
			t.Fatalf("%d of %d messages arrived in %d lives", l.count, senders*each, l.lives)
		}
	})
}
