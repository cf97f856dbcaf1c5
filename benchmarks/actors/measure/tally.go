package measure

import (
	"fmt"
	"sync/atomic"
	"time"
)

// Tally lets one goroutine wait until something has happened so many times in others. Use NewTally.
type Tally struct {
	left atomic.Int64
	done chan struct{}
}

// NewTally returns a Tally that expects nothing.
func NewTally() *Tally { return &Tally{done: make(chan struct{}, 1)} }

// Expect says how many hits are awaited from now on.
func (t *Tally) Expect(n int) { t.left.Store(int64(n)) }

// Hit is one of them. It may be called from any goroutine and never blocks.
func (t *Tally) Hit() {
	if t.left.Add(-1) == 0 {
		t.done <- struct{}{}
	}
}

// patience is after how long a wait is given up: it ends a run in which something was lost.
const patience = 2 * time.Minute

// Wait waits for the last hit. Hits that don't come are an error.
func (t *Tally) Wait() error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-t.done:
		return nil
	case <-timer.C:
		return fmt.Errorf("measure: %d of what was expected has not happened within %v", t.left.Load(), patience)
	}
}

// Sizes of a round, the same for every contestant. The one in Erlang has them again.
const (
	// FanInEach is how many messages a sender sends in a row.
	FanInEach = 100
	// CallsEach is how many calls are made one after the other.
	CallsEach = 1000
	// Supervisors is how many supervisors share the actors that crash.
	Supervisors = 64
	// Patience is the deadline of a call.
	Patience = 5 * time.Second
)

// Asked is what call i asks, and is answered: one of the numbers that Go boxes without an allocation, so that those of the calls are seen.
func Asked(i int) any { return i % 256 }

// Rally is how many messages a pair exchanges in a round.
func Rally(pairs int) int { return max(200, 20_000/pairs) }
