package node

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

// When memory is given back to the system.
const (
	trimEvery = 2 * time.Second
	quietRate = 4 << 20  // bytes allocated between two looks, below which the node is quiet
	worthTrim = 16 << 20 // bytes allocated since the last time, below which there is little to give back
)

// trim decides when memory is given back. A burst of logins leaves much garbage behind; where nothing follows it, the
// collector has no reason to run, and idle connections would keep twice their memory.
type trim struct{ seen, done uint64 }

// due takes the count of all bytes ever allocated.
func (t *trim) due(allocated uint64) bool {
	quiet := allocated-t.seen < quietRate
	t.seen = allocated
	if !quiet || allocated-t.done < worthTrim {
		return false
	}
	t.done = allocated
	return true
}

// trimmer is a supervision.Runner that looks at the memory every trimEvery.
type trimmer struct {
	stop chan struct{}
	wg   sync.WaitGroup
}

func newTrimmer() *trimmer { return &trimmer{stop: make(chan struct{})} }

// Start implements supervision.Runner.
func (t *trimmer) Start() error {
	t.wg.Go(t.run)
	return nil
}

func (t *trimmer) run() {
	ticker := time.NewTicker(trimEvery)
	defer ticker.Stop()
	allocs := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	var state trim
	for {
		select {
		case <-ticker.C:
		case <-t.stop:
			return
		}
		if metrics.Read(allocs); state.due(allocs[0].Value.Uint64()) {
			debug.FreeOSMemory()
		}
	}
}

// Stop implements supervision.Runner.
func (t *trimmer) Stop(context.Context) error {
	close(t.stop)
	t.wg.Wait()
	return nil
}
