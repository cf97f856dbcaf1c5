package pgstore

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

type groupLog struct{ *dirDB }

// entryKey names one entry of one group's log.
type entryKey struct {
	gid ident.GroupID
	id  ident.MessageID
}

func compareEntries(a, b entryKey) int {
	return cmp.Or(cmp.Compare(a.gid, b.gid), bytes.Compare(a.id[:], b.id[:]))
}

// entryParams makes two parameters of type bytea[] of keys.
func entryParams(keys []entryKey) (gids, ids [][]byte) {
	for i := range keys {
		gids, ids = append(gids, raw(keys[i].gid)), append(ids, keys[i].id[:])
	}
	return gids, ids
}

// groupCommit is one Commit while it is made.
type groupCommit struct {
	b        *store.GroupBatch
	revs     map[ident.GroupID]uint64 // of the groups that exist, locked
	there    map[entryKey]bool        // entries that were stored before
	fresh    map[entryKey]int         // the appends that are to be inserted
	outcomes []store.GroupOutcome
}

// Commit implements store.GroupLog. Two ways to the database: what is there, then all changes.
func (l groupLog) Commit(b *store.GroupBatch) ([]store.GroupOutcome, error) {
	if err := b.Validate(); err != nil {
		return nil, err
	}
	var c *groupCommit
	err := l.write(func(ctx context.Context, tx pgx.Tx) error {
		c = &groupCommit{b: b, revs: map[ident.GroupID]uint64{}, there: map[entryKey]bool{}, fresh: map[entryKey]int{},
			outcomes: make([]store.GroupOutcome, len(b.Appends))}
		if len(b.Appends) > 0 {
			if err := c.look(ctx, tx); err != nil {
				return err
			}
			c.decide()
		}
		return c.change(ctx, tx, l.nowSQL())
	})
	if err != nil {
		return nil, err
	}
	return c.outcomes, nil
}

// look locks the revisions of the batch's groups, which fences stale twins of their actors: while an append is under way
// no revision changes, and after a change none of the old revision is inserted.
func (c *groupCommit) look(ctx context.Context, tx pgx.Tx) error {
	keys := make([]entryKey, 0, len(c.b.Appends))
	names := make([]ident.GroupID, 0, len(c.b.Appends))
	for i := range c.b.Appends {
		keys = append(keys, entryKey{c.b.Appends[i].Group, c.b.Appends[i].ID})
		names = append(names, c.b.Appends[i].Group)
	}
	slices.Sort(names)
	gids, ids := entryParams(keys)
	b := &pgx.Batch{}
	b.Queue(`SELECT gid, rev FROM groups WHERE gid = ANY($1) ORDER BY gid FOR SHARE`, raws(slices.Compact(names))).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var gid []byte
			var rev uint64
			if err := rows.Scan(&gid, &rev); err != nil {
				return err
			}
			c.revs[ident.GroupID(gid)] = rev
		}
		return rows.Err()
	})
	b.Queue(`SELECT l.gid, l.id FROM unnest($1::bytea[], $2::bytea[]) AS s(gid, id) JOIN group_log l ON l.gid = s.gid AND l.id = s.id`,
		gids, ids).Query(func(rows pgx.Rows) error {
		return eachKey(rows, func(k entryKey) { c.there[k] = true })
	})
	return tx.SendBatch(ctx, b).Close()
}

func eachKey(rows pgx.Rows, each func(entryKey)) error {
	for rows.Next() {
		var gid, id []byte
		if err := rows.Scan(&gid, &id); err != nil {
			return err
		}
		m, err := ident.MessageIDFrom(id)
		if err != nil {
			return damaged("an entry of a group's log: %w", err)
		}
		each(entryKey{ident.GroupID(gid), m})
	}
	return rows.Err()
}

// decide finds the outcome of each append, in the order given.
func (c *groupCommit) decide() {
	for i := range c.b.Appends {
		a := &c.b.Appends[i]
		k := entryKey{a.Group, a.ID}
		_, twice := c.fresh[k]
		rev, exists := c.revs[a.Group]
		switch {
		case c.there[k], twice:
			c.outcomes[i] = store.GroupDuplicate
		case !exists:
			c.outcomes[i] = store.GroupNotFound
		case rev != a.Rev:
			c.outcomes[i] = store.GroupStaleRevision
		default:
			c.fresh[k] = i
		}
	}
}

// change inserts what is fresh and marks what is done. An entry that another writer has inserted since it was looked for
// is not inserted again, and its outcome becomes a duplicate.
func (c *groupCommit) change(ctx context.Context, tx pgx.Tx, now string) error {
	b := &pgx.Batch{}
	if len(c.fresh) > 0 {
		c.insert(b, now)
	}
	if done := c.done(); len(done) > 0 {
		gids, ids := entryParams(done)
		b.Queue(`UPDATE group_log l SET done = `+now+`, body = '' FROM unnest($1::bytea[], $2::bytea[]) AS s(gid, id)
			WHERE l.gid = s.gid AND l.id = s.id AND l.done = 0`, gids, ids)
	}
	if b.Len() == 0 {
		return nil
	}
	return tx.SendBatch(ctx, b).Close()
}

func (c *groupCommit) insert(b *pgx.Batch, now string) {
	keys := make([]entryKey, 0, len(c.fresh))
	for k := range c.fresh {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, compareEntries)
	gids, ids := entryParams(keys)
	var ords, revs, ttls []int64
	var senders, bodies [][]byte
	for _, k := range keys {
		i := c.fresh[k]
		c.outcomes[i] = store.GroupDuplicate
		a := &c.b.Appends[i]
		ords, revs, ttls = append(ords, a.Ord), append(revs, int64(a.Rev)), append(ttls, micros(a.TTL))
		senders, bodies = append(senders, raw(a.Sender)), append(bodies, blob(a.Body))
	}
	b.Queue(`INSERT INTO group_log (gid, id, ord, rev, exp, done, sender, body)
		SELECT s.gid, s.id, s.ord, s.rev, CASE WHEN s.ttl > 0 THEN s.ttl + `+now+` ELSE 0 END, 0, s.sender, s.body
		FROM unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bytea[], $7::bytea[]) AS s(gid, id, ord, rev, ttl, sender, body)
		ON CONFLICT DO NOTHING RETURNING gid, id`, gids, ids, ords, revs, ttls, senders, bodies).Query(func(rows pgx.Rows) error {
		return eachKey(rows, func(k entryKey) { c.outcomes[c.fresh[k]] = store.GroupAppended })
	})
}

// micros returns a time to live in microseconds, 0 for ever.
func micros(ttl time.Duration) int64 {
	if ttl <= 0 {
		return 0
	}
	return max(ttl.Microseconds(), 1)
}

// done are the keys of entries to be marked, each once and in order.
func (c *groupCommit) done() []entryKey {
	var keys []entryKey
	for _, d := range c.b.Done {
		for _, id := range d.IDs {
			keys = append(keys, entryKey{d.Group, id})
		}
	}
	slices.SortFunc(keys, compareEntries)
	return slices.Compact(keys)
}

// Unfinished implements store.GroupLog.
func (l groupLog) Unfinished(ctx context.Context, gid ident.GroupID, after store.GroupPlace, limit int) (out []store.GroupEntry, err error) {
	err = l.read(ctx, func(q querier) error {
		rows, err := q.Query(ctx, `SELECT id, ord, rev, sender, exp, body FROM group_log
			WHERE gid = $1 AND done = 0 AND ($2 OR (ord, id) > ($3, $4)) ORDER BY ord, id LIMIT $5`,
			raw(gid), after == store.GroupPlace{}, after.Ord, after.ID[:], max(limit, 1))
		out, err = collect(rows, err, func(r pgx.Rows, e *store.GroupEntry) error {
			var id, sender []byte
			if err := r.Scan(&id, &e.Ord, &e.Rev, &sender, &e.Expiry, &e.Body); err != nil {
				return err
			}
			e.Sender = ident.UserID(sender)
			if e.ID, err = ident.MessageIDFrom(id); err != nil {
				return damaged("an entry of a group's log: %w", err)
			}
			return nil
		})
		return err
	})
	return out, err
}

// Pending implements store.GroupLog.
func (l groupLog) Pending(ctx context.Context, after ident.GroupID, limit int) (out []ident.GroupID, err error) {
	err = l.read(ctx, func(q querier) error {
		rows, err := q.Query(ctx, `SELECT DISTINCT gid FROM group_log WHERE done = 0 AND gid > $1 ORDER BY gid LIMIT $2`,
			raw(after), max(limit, 1))
		out, err = collect(rows, err, id[ident.GroupID])
		return err
	})
	return out, err
}

// sweepEvery is how often each node forgets what is done.
const sweepEvery = time.Minute

// sweep forgets what is done until ctx ends. What it can't do now it does the next time.
func (e *Engine) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := e.dirDB.sweepGroupLog(); err != nil && !errors.Is(err, store.ErrClosed) {
			e.o.Logger.Debug("done entries of groups' logs are still there", zap.Error(err))
		}
	}
}

// sweepMax is how many entries one sweep deletes; the rest waits for the next.
const sweepMax = 10_000

// sweepGroupLog deletes entries of all groups' logs that have been done for longer than their ids must be known. Any
// number of nodes may do it at once: each passes over what another is deleting.
func (d *dirDB) sweepGroupLog() error {
	return d.write(func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM group_log WHERE (gid, id) IN (SELECT gid, id FROM group_log
			WHERE done <> 0 AND done < `+d.nowSQL()+` - $1::bigint LIMIT $2 FOR UPDATE SKIP LOCKED)`, store.DoneKept.Microseconds(), sweepMax)
		return err
	})
}
