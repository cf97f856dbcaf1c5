package node

import (
	"context"
	"fmt"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/dump"
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

// rearmShare is the share of the mark, in percent, below which a watermark can be passed again.
const rearmShare = 90

// watermark decides when so much memory is used that a dump should tell by whom, before the system ends the process.
type watermark struct {
	percent uint64 // of the limit; 0 is off
	over    bool
}

// passed reports whether the mark has just been passed. A limit of 0 is none.
func (w *watermark) passed(used, limit uint64) bool {
	mark := limit / 100 * w.percent
	switch {
	case mark == 0:
	case used >= mark:
		first := !w.over
		w.over = true
		return first
	case used < mark/100*rearmShare:
		w.over = false
	}
	return false
}

// memoryWatch is a supervision.Runner that looks at the memory every trimEvery: it gives back what isn't needed, and dumps when there is
// too little. It also keeps the snapshot fresh that is found if the process is killed.
type memoryWatch struct {
	dumps  *dump.Folder
	log    *zap.Logger
	mark   watermark
	ctx    context.Context
	cancel context.CancelFunc
	ended  chan struct{}
}

func (n *Node) newMemory() *memoryWatch {
	m := &memoryWatch{dumps: n.dumps, log: n.log, mark: watermark{percent: uint64(n.cfg.Dump.Memory)}, ended: make(chan struct{})}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	return m
}

// Start implements supervision.Runner.
func (m *memoryWatch) Start() error {
	go m.dumps.Guard(func() {
		defer close(m.ended)
		m.run()
	})
	return nil
}

// snapshotTurns is how many looks there are between two snapshots.
const snapshotTurns = 5

func (m *memoryWatch) run() {
	ticker := time.NewTicker(trimEvery)
	defer ticker.Stop()
	allocs := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	var state trim
	for turn := 0; ; turn++ {
		if u := dump.CurrentUsage(); m.mark.passed(u.Used(), u.Limit) {
			m.dumps.Record(m.ctx, dump.Memory)
		}
		if turn%snapshotTurns == 0 {
			if err := m.dumps.Snapshot(m.ctx); err != nil && m.ctx.Err() == nil {
				m.log.Debug("no snapshot", zap.Error(err)) // what a full disk means, the store says
			}
		}
		select {
		case <-ticker.C:
		case <-m.ctx.Done():
			return
		}
		if metrics.Read(allocs); state.due(allocs[0].Value.Uint64()) {
			debug.FreeOSMemory()
		}
	}
}

// Stop implements supervision.Runner.
func (m *memoryWatch) Stop(ctx context.Context) error {
	m.cancel()
	select {
	case <-m.ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("node: a dump is still being made: %w", ctx.Err())
	}
}
