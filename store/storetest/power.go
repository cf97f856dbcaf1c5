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
		c, l := start(t), newLedger()
		must(t, prepareCrash(c.Engine))
		var stop atomic.Bool
		var wg sync.WaitGroup
		for w := range crashWriters {
			wg.Go(func() {
				if err := write(c.Engine, w, 0, l.add, stop.Load); err != nil {
					t.Errorf("run %d: writer %d: %v", run, w, err)
				}
			})
		}
		go func() { wg.Wait(); l.end() }()
		rng := rand.New(rand.NewPCG(uint64(run), 1))
		for cut := range cuts {
			l.wait(l.len() + 1 + rng.IntN(150))
			before := l.len()
			reopen := c.Cut(rng.Uint64())
			after := l.len()
			e, err := reopen()
			if err != nil {
				t.Fatalf("run %d, cut %d: opening after the cut: %v", run, cut, err)
			}
			p := l.promise(before, after)
			p.check(t, e, fmt.Sprintf("run %d, cut %d", run, cut))
			must(t, e.Close())
		}
		stop.Store(true)
		wg.Wait()
		must(t, c.Engine.Close())
	}
}
