package pebblestore

import (
	"errors"
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

// Engine is an opened embedded store. Its methods may be called by any number of goroutines.
type Engine struct {
	dir   string
	o     Options
	db    *pebble.DB
	lock  *pebble.Lock
	space *space
	guard *guardFS
	watch watch

	// running is held for reading by every call and for writing by Close.
	running struct {
		sync.RWMutex
		closed bool
	}
	dirMu   sync.Mutex                   // accounts, rosters, blocks, devices
	groupMu sync.Mutex                   // groups, members, and the log of groups
	mailMu  [ident.Partitions]sync.Mutex // mail, by partition
	acked   ackedSet
	scratch sync.Pool // of *mailScratch
}

func newEngine(dir string, lock *pebble.Lock, o Options) *Engine {
	e := &Engine{dir: dir, o: o, lock: lock}
	e.space = newSpace(e)
	e.scratch.New = func() any { return newMailScratch() }
	return e
}

// Mail implements store.Engine.
func (e *Engine) Mail() store.Mail { return mail{e} }

// Claims implements store.Engine.
func (e *Engine) Claims() store.Claims { return store.NoClaims{} }

// GroupLog implements store.Engine.
func (e *Engine) GroupLog() store.GroupLog { return groupLog{e} }

// Directory implements store.Engine.
func (e *Engine) Directory() store.Directory { return directory{e} }

type directory struct{ *Engine }

func (d directory) Accounts() store.Accounts { return accounts(d) }
func (d directory) Rosters() store.Rosters   { return rosters(d) }
func (d directory) Devices() store.Devices   { return devices(d) }
func (d directory) Groups() store.Groups     { return groups(d) }

// Info implements store.Engine.
func (e *Engine) Info() store.Info {
	return store.Info{Name: "pebble " + e.dir, SchemaVersion: schema, Capabilities: store.Capabilities{Durable: true}}
}

// Health implements store.Engine.
func (e *Engine) Health() store.Health { return e.space.health() }

// Close implements store.Engine. It writes what is in memory to tables and frees the folder.
func (e *Engine) Close() error {
	e.running.Lock()
	if e.running.closed {
		e.running.Unlock()
		return store.ErrClosed
	}
	e.running.closed = true
	e.running.Unlock()
	e.stop()
	err := e.db.Close()
	_ = e.o.FS.Remove(e.o.FS.PathJoin(e.dir, ownerFile)) // a courtesy file: see writeOwner
	if err = errors.Join(err, e.lock.Close()); err != nil {
		return fmt.Errorf("pebblestore: closing folder %s: %w", e.dir, err)
	}
	return nil
}

// growth says how much a call makes the store grow, which decides when a nearly full disk refuses it.
type growth int

const (
	none  growth = iota // reads, acknowledgements, removals: never refused
	some                // changes of what is there: refused when hardly anything is left
	large               // appends, new accounts and groups: refused first
)

// enter begins one call; the caller ends it with leave.
func (e *Engine) enter(g growth) error {
	e.running.RLock()
	if e.running.closed {
		e.running.RUnlock()
		return store.ErrClosed
	}
	if err := e.space.allows(g); err != nil {
		e.running.RUnlock()
		return err
	}
	return nil
}

func (e *Engine) leave() { e.running.RUnlock() }

// update runs build under mu and makes what it wrote durable. The lock is let go as soon as the change is visible; the
// flush is waited for without it.
func (e *Engine) update(g growth, mu sync.Locker, build func(b *pebble.Batch) error) error {
	if err := e.enter(g); err != nil {
		return err
	}
	defer e.leave()
	b := e.db.NewBatch()
	err := func() error {
		mu.Lock()
		defer mu.Unlock()
		if err := build(b); err != nil {
			return err
		}
		return applyNoWait(e.db, b)
	}()
	if err != nil {
		_ = b.Close() // nothing was applied
		return e.wrap(err)
	}
	return e.wrap(syncWait(b))
}

// applyNoWait makes a batch visible without waiting for the flush. An empty batch gets a log record, so that waiting for
// it waits for everything before it.
func applyNoWait(db *pebble.DB, b *pebble.Batch) error {
	if b.Empty() {
		if err := b.LogData([]byte{formatV1}, nil); err != nil {
			return err
		}
	}
	return db.ApplyNoSyncWait(b, pebble.Sync)
}

func syncWait(b *pebble.Batch) error {
	return errors.Join(b.SyncWait(), b.Close())
}

// wrap gives an error of Pebble the package's prefix, and damage its name. Errors of package store pass as they are.
func (e *Engine) wrap(err error) error {
	switch {
	case err == nil:
		return nil
	case store.IsOwn(err):
		return err
	case pebble.IsCorruptionError(err):
		return fmt.Errorf("pebblestore: %w: folder %s: %w", store.ErrCorrupt, e.dir, err)
	}
	return fmt.Errorf("pebblestore: %w", err)
}

// get passes the value of key to use, which must not keep it, and reports whether there is one.
func (e *Engine) get(key []byte, use func(v []byte) error) (bool, error) {
	v, closer, err := e.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	err = use(v)
	return true, errors.Join(err, closer.Close())
}

func (e *Engine) has(key []byte) (bool, error) {
	return e.get(key, func([]byte) error { return nil })
}

// scan passes every entry with a key in [lower, upper) to each, which must not keep them, until it returns false.
func (e *Engine) scan(lower, upper []byte, each func(k, v []byte) (bool, error)) error {
	it, err := e.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return err
	}
	err = walk(it, each)
	return errors.Join(err, it.Close())
}

// walk passes what an iterator has within its bounds to each, from the start, until each returns false.
func walk(it *pebble.Iterator, each func(k, v []byte) (bool, error)) error {
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		if more, err := each(it.Key(), v); err != nil || !more {
			return err
		}
	}
	return it.Error()
}

// prefix is scan over all keys that begin with p.
func (e *Engine) prefix(p []byte, each func(k, v []byte) (bool, error)) error {
	return e.scan(p, after(p), each)
}
