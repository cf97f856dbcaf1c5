package storetest

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackdaw-im/jackdaw/store"
)

// Crashable is an empty store whose power can be cut.
type Crashable struct {
	Engine store.Engine
	// Cut takes a picture of the disk as a loss of power at this moment would leave it, while the engine goes on. The
	// returned function opens the store in that picture.
	Cut func(seed uint64) func() (store.Engine, error)
}

// PowerLoss runs a store under load, again and again, cuts its power at random moments, and compares what each cut leaves
// with what had been acknowledged until then.
func PowerLoss(t *testing.T, runs, cuts int, start func(t *testing.T) Crashable) {
	for run := range runs {
		powerRun(t, run, cuts, start(t))
	}
}

// powerRun is one run: a store, its writers, and the cuts.
func powerRun(t *testing.T, run, cuts int, c Crashable) {
	l := newLedger()
	must(t, prepareCrash(c.Engine))
	var stop atomic.Bool
	var writers sync.WaitGroup
	defer func() {
		stop.Store(true)
		writers.Wait()
		l.end()
		must(t, c.Engine.Close())
	}()
	for w := range crashWriters {
		writers.Go(func() {
			if err := write(c.Engine, w, 0, l.add, stop.Load); err != nil {
				t.Errorf("run %d: writer %d: %v", run, w, err)
				l.end()
			}
		})
	}
	rng := rand.New(rand.NewPCG(uint64(run), 1))
	for cut := range cuts {
		l.wait(l.len() + 1 + rng.IntN(150))
		before := l.len()
		reopen := c.Cut(rng.Uint64())
		l.paused(func() {
			checkCut(t, fmt.Sprintf("run %d, cut %d", run, cut), reopen, l.promise(before, l.len()))
		})
	}
}

// checkCut opens what a cut has left and compares it with what was promised.
func checkCut(t *testing.T, when string, reopen func() (store.Engine, error), p promise) {
	t.Helper()
	e, err := reopen()
	if err != nil {
		t.Fatalf("%s: opening after the cut: %v", when, err)
	}
	p.check(t, e, when)
	must(t, e.Close())
}
