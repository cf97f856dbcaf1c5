package pebblestore

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

type groupLog struct{ *Engine }

// Commit implements store.GroupLog.
func (l groupLog) Commit(b *store.GroupBatch) ([]store.GroupOutcome, error) {
	if err := b.Validate(); err != nil {
		return nil, err
	}
	g := none
	if len(b.Appends) > 0 {
		g = large
	}
	out := make([]store.GroupOutcome, len(b.Appends))
	err := l.update(g, &l.groupMu, func(batch *pebble.Batch) error {
		w := groupCommit{Engine: l.Engine, batch: batch, now: l.o.Now(),
			revs: map[ident.GroupID]uint64{}, fresh: map[groupKey]*store.GroupAppend{}}
		for i := range b.Appends {
			var err error
			if out[i], err = w.append(&b.Appends[i]); err != nil {
				return err
			}
		}
		for _, d := range b.Done {
			if err := w.done(d); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

type groupKey struct {
	gid ident.GroupID
	id  ident.MessageID
}

// groupCommit is one Commit while it is built.
type groupCommit struct {
	*Engine
	batch *pebble.Batch
	now   time.Time
	revs  map[ident.GroupID]uint64 // of the groups asked so far; 0 = there is no such group
	fresh map[groupKey]*store.GroupAppend
}

func (w *groupCommit) append(a *store.GroupAppend) (store.GroupOutcome, error) {
	if w.fresh[groupKey{a.Group, a.ID}] != nil {
		return store.GroupDuplicate, nil
	}
	key := logKey(a.Group, a.ID)
	if there, err := w.has(key); err != nil || there {
		return store.GroupDuplicate, err
	}
	rev, known := w.revs[a.Group]
	if !known {
		g, there, err := w.group(a.Group)
		if err != nil {
			return 0, err
		}
		if there {
			rev = g.Rev
		}
		w.revs[a.Group] = rev
	}
	switch {
	case rev == 0:
		return store.GroupNotFound, nil
	case rev != a.Rev:
		return store.GroupStaleRevision, nil
	}
	w.fresh[groupKey{a.Group, a.ID}] = a
	return store.GroupAppended, w.batch.Set(key, encodeEntry(w.entry(a)), nil)
}

func (w *groupCommit) entry(a *store.GroupAppend) *logEntry {
	return &logEntry{GroupEntry: store.GroupEntry{ID: a.ID, Ord: a.Ord, Rev: a.Rev, Sender: a.Sender,
		Expiry: store.ExpiryOf(w.now, a.TTL), Body: a.Body}}
}

// done marks entries and drops their bodies.
func (w *groupCommit) done(d store.GroupDone) error {
	for _, id := range d.IDs {
		key := logKey(d.Group, id)
		var e logEntry
		if a := w.fresh[groupKey{d.Group, id}]; a != nil {
			e = *w.entry(a)
		} else {
			there, err := w.get(key, func(v []byte) (err error) {
				e, err = decodeEntry(id, v)
				return err
			})
			if err != nil {
				return err
			}
			if !there || e.done != 0 {
				continue
			}
		}
		e.done, e.Body = w.now.UnixMicro(), nil
		if err := w.batch.Set(key, encodeEntry(&e), nil); err != nil {
			return err
		}
	}
	return nil
}

// Unfinished implements store.GroupLog. Entries are stored by id, so each page reads the whole log of the group.
func (l groupLog) Unfinished(ctx context.Context, gid ident.GroupID, place store.GroupPlace, limit int) ([]store.GroupEntry, error) {
	if err := l.enter(none); err != nil {
		return nil, err
	}
	defer l.leave()
	var out []store.GroupEntry
	p := pair(tagLog, string(gid), "")
	err := l.prefix(p, func(k, v []byte) (bool, error) {
		if len(k) != len(p)+idLen {
			return false, corrupt("a group log's key of %d bytes", len(k))
		}
		e, err := decodeEntry(ident.MessageID(k[len(p):]), v)
		if err != nil || ctx.Err() != nil {
			return false, cmpErr(err, ctx.Err())
		}
		at := store.GroupPlace{Ord: e.Ord, ID: e.ID}
		if e.done == 0 && (place == store.GroupPlace{} || store.ComparePlaces(at, place) > 0) {
			e.Body = append([]byte{}, e.Body...)
			out = append(out, e.GroupEntry)
		}
		return true, nil
	})
	if err != nil {
		return nil, l.wrap(err)
	}
	slices.SortFunc(out, func(a, b store.GroupEntry) int {
		return store.ComparePlaces(store.GroupPlace{Ord: a.Ord, ID: a.ID}, store.GroupPlace{Ord: b.Ord, ID: b.ID})
	})
	return out[:min(len(out), max(limit, 1))], nil
}

func cmpErr(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// Pending implements store.GroupLog.
func (l groupLog) Pending(ctx context.Context, from ident.GroupID, limit int) ([]ident.GroupID, error) {
	if err := l.enter(none); err != nil {
		return nil, err
	}
	defer l.leave()
	lower, upper := []byte(tagLog), after([]byte(tagLog))
	if from != "" {
		lower = after(pair(tagLog, string(from), ""))
	}
	it, err := l.db.NewIterWithContext(ctx, &pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return nil, l.wrap(err)
	}
	var out []ident.GroupID
	err = l.pending(it, max(limit, 1), &out)
	if err = cmpErr(err, it.Close()); err != nil {
		return nil, l.wrap(err)
	}
	return out, nil
}

func (l groupLog) pending(it *pebble.Iterator, limit int, out *[]ident.GroupID) error {
	for ok := it.First(); ok && len(*out) < limit; {
		owner, _, err := splitPair(tagLog, it.Key())
		if err != nil {
			return err
		}
		v, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		done, err := entryDone(v)
		if err != nil {
			return err
		}
		if done != 0 {
			ok = it.Next()
			continue
		}
		*out = append(*out, ident.GroupID(owner))
		ok = it.SeekGE(after(pair(tagLog, string(owner), "")))
	}
	return it.Error()
}

// unfinished reports whether a group has entries that are not done.
func (e *Engine) unfinished(gid ident.GroupID) (bool, error) {
	found := false
	err := e.prefix(pair(tagLog, string(gid), ""), func(_, v []byte) (bool, error) {
		done, err := entryDone(v)
		found = done == 0
		return !found, err
	})
	return found && err == nil, err
}

// sweepMax is how many entries one sweep deletes; the rest waits for the next.
const sweepMax = 50_000

// sweep deletes entries of all group logs that have been done for longer than their ids must be known.
func (e *Engine) sweep(now time.Time) error {
	old := now.Add(-store.DoneKept).UnixMicro()
	if err := e.enter(none); err != nil {
		return err
	}
	defer e.leave()
	b := e.db.NewBatch()
	err := e.prefix([]byte(tagLog), func(k, v []byte) (bool, error) {
		done, err := entryDone(v)
		if err != nil || done == 0 || done >= old {
			return true, err
		}
		return b.Count() < sweepMax, b.Delete(bytes.Clone(k), nil)
	})
	if err == nil && b.Count() > 0 {
		err = b.Commit(pebble.NoSync)
	}
	return e.wrap(cmpErr(err, b.Close()))
}
