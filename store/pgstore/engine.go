package pgstore

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

// Engine is an opened shared store. Its methods may be called by any number of goroutines.
type Engine struct {
	o       Options
	shards  []*shard
	dir     *database
	byPart  [ident.Partitions]uint16 // the shard of each partition
	version int
	memory  memory
	dirDB   *dirDB

	// running is held for reading by every call and for writing by Close.
	running struct {
		sync.RWMutex
		closed bool
	}
	watching struct {
		sync.WaitGroup
		stop context.CancelFunc
	}
}

// Mail implements store.Engine.
func (e *Engine) Mail() store.Mail { return mail{e} }

// Claims implements store.Engine.
func (e *Engine) Claims() store.Claims { return claims{e} }

// GroupLog implements store.Engine.
func (e *Engine) GroupLog() store.GroupLog { return groupLog{e.dirDB} }

// Directory implements store.Engine.
func (e *Engine) Directory() store.Directory { return directory{e.dirDB} }

// Shards is how many shards the mail is spread over.
func (e *Engine) Shards() int { return len(e.shards) }

// ShardOf returns the shard of a partition, from 0 on.
func (e *Engine) ShardOf(p ident.Partition) int { return int(e.byPart[p%ident.Partitions]) }

// Info implements store.Engine.
func (e *Engine) Info() store.Info {
	return store.Info{Name: e.name(), SchemaVersion: e.version,
		Capabilities: store.Capabilities{Shared: true, Replicated: !e.o.AllowUnreplicated, Durable: true}}
}

func (e *Engine) name() string {
	places := make([]string, len(e.shards))
	for i, s := range e.shards {
		places[i] = s.place
	}
	return strings.Join(places, ",") + " directory " + e.dir.place
}

func (e *Engine) databases() []*database {
	all := make([]*database, 0, len(e.shards)+1)
	for _, s := range e.shards {
		all = append(all, s.database)
	}
	return append(all, e.dir)
}

// Health implements store.Engine: the state of the database that is worst off, and the reasons of all.
func (e *Engine) Health() store.Health {
	h := store.Health{State: store.Serving}
	var reasons []string
	for _, d := range e.databases() {
		state, reason := d.health()
		if severity(state) > severity(h.State) {
			h.State = state
		}
		if reason != "" {
			reasons = append(reasons, reason)
		}
	}
	h.Reason = strings.Join(reasons, "; ")
	return h
}

func severity(s store.State) int {
	for i, of := range []store.State{store.Serving, store.Full, store.Held, store.Failed} {
		if s == of {
			return i
		}
	}
	return 0
}

// Close implements store.Engine. It waits for running calls, of which each ends within Options.Stuck.
func (e *Engine) Close() error {
	e.running.Lock()
	if e.running.closed {
		e.running.Unlock()
		return store.ErrClosed
	}
	e.running.closed = true
	e.running.Unlock()
	return e.shut()
}

// shut ends what Open has begun.
func (e *Engine) shut() error {
	if e.watching.stop != nil {
		e.watching.stop()
		e.watching.Wait()
	}
	err := e.memory.save(e.databases())
	for _, d := range e.databases() {
		if d != nil && d.pool != nil {
			d.pool.Close()
		}
	}
	return err
}

// enter begins one call; the caller ends it with leave.
func (e *Engine) enter() error {
	e.running.RLock()
	if e.running.closed {
		e.running.RUnlock()
		return store.ErrClosed
	}
	return nil
}

func (e *Engine) leave() { e.running.RUnlock() }

// enterDirectory begins one call that needs the directory.
func (e *Engine) enterDirectory(writes bool) error {
	if err := e.enter(); err != nil {
		return err
	}
	if writes {
		if err := e.dir.allows(); err != nil {
			e.leave()
			return err
		}
	}
	return nil
}

// watch looks after one database until ctx ends.
func (e *Engine) watch(ctx context.Context, d *database, s *shard) {
	w := watch{d: d, shard: s}
	defer w.close()
	tick := time.NewTicker(e.o.Check)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		w.look(ctx)
		if d == e.dir {
			if err := e.memory.save(e.databases()); err != nil {
				e.dir.unreachable(fmt.Errorf("the memory file can't be written: %w", err))
			}
		}
	}
}
