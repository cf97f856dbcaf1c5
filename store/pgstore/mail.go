package pgstore

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

type mail struct{ *Engine }

// shard is one database of mail.
type shard struct {
	*database
	n     int
	dir   *database
	owned owned
	rooms rooms
}

// rooms are scratches that nobody uses.
type rooms struct{ pool sync.Pool }

func (r *rooms) get() *scratch {
	if s, ok := r.pool.Get().(*scratch); ok {
		return s
	}
	return new(scratch)
}

// roomMax is the size from which a scratch isn't kept.
const roomMax = 4 << 20

func (r *rooms) put(s *scratch) {
	for i := range s {
		if cap(s[i].buf) > roomMax {
			return
		}
	}
	r.pool.Put(s)
}

// errNotCommitted says that COMMIT was answered with something else.
var errNotCommitted = errors.New("the transaction was not committed")

// Commit implements store.Mail. What is for several shards goes to each in a transaction of its own; lanes that know Engine.ShardOf
// never make such a batch.
func (m mail) Commit(b *store.Batch) (store.Result, error) {
	if err := b.Validate(); err != nil {
		return store.Result{}, err
	}
	if err := m.enter(); err != nil {
		return store.Result{}, err
	}
	defer m.leave()
	works := m.split(b)
	if len(works) == 1 {
		return works[0].finish(works[0].shard.commit(works[0]))
	}
	var all sync.WaitGroup
	errs := make([]error, len(works))
	for i, w := range works {
		all.Go(func() { errs[i] = w.shard.commit(w) })
	}
	all.Wait()
	var res store.Result
	for i, w := range works {
		r, err := w.finish(errs[i])
		if err != nil {
			// Another shard has committed its part: it is not true that nothing was stored.
			return store.Result{}, fmt.Errorf("pgstore: a batch for %d shards: %v", len(works), err)
		}
		res.Duplicates, res.Stale = append(res.Duplicates, r.Duplicates...), append(res.Stale, r.Stale...)
	}
	slices.Sort(res.Duplicates)
	slices.Sort(res.Stale)
	return res, nil
}

// split makes one work for each shard that a batch has something for.
func (m mail) split(b *store.Batch) []*work {
	var works []*work
	of := make([]*work, len(m.shards))
	get := func(mailbox ident.UserID) (*work, ident.Partition) {
		p := store.MailPartition(mailbox)
		n := m.byPart[p]
		if of[n] == nil {
			of[n] = newWork(b, m.shards[n], m.o.Node)
			of[n].appends = make([]itemKey, 0, len(b.Appends)) // nearly always all are in one shard
			works = append(works, of[n])
		}
		return of[n], p
	}
	for i := range b.Appends {
		a := &b.Appends[i]
		w, p := get(a.Mailbox)
		w.appends = append(w.appends, itemKey{p, a.Mailbox, a.ID, i})
	}
	for i := range b.Acks {
		a := &b.Acks[i]
		w, p := get(a.Mailbox)
		k := itemKey{p, a.Mailbox, a.ID, i}
		if a.Delete {
			w.deletes = append(w.deletes, k)
		} else {
			w.partial = append(w.partial, k)
		}
	}
	if works == nil {
		works = []*work{newWork(b, m.shards[0], m.o.Node)}
	}
	return works
}

// commit writes one shard's part. What the server has given up because of others is tried again.
func (s *shard) commit(w *work) error {
	if w.empty() {
		return nil
	}
	if len(w.appends) > 0 {
		if err := s.allows(); err != nil {
			return err
		}
	}
	w.sort()
	w.room = s.rooms.get()
	defer s.rooms.put(w.room)
	for try := 1; ; try++ {
		err := wrapSQL(s.commitOnce(w))
		if len(w.appends) > 0 {
			s.outcome(err)
		}
		if !clashed(err) || try == maxTries {
			return err
		}
	}
}

// commitOnce is one transaction, sent as one pipeline.
func (s *shard) commitOnce(w *work) (err error) {
	c, err := s.acquire(context.Background())
	if err != nil {
		return err
	}
	defer c.Release()
	pc := c.Conn().PgConn()
	l := linkOf(pc)
	var m mark
	if len(w.appends) > 0 {
		m = s.slots.take()
		defer func() { s.slots.give(m, err == nil, pc.IsClosed()) }()
	}
	defer s.limit(l)()
	if l.stmts == nil {
		if err := s.prepareAll(context.Background(), pc, l); err != nil {
			return s.fail(err)
		}
	}
	p := newPipe(context.Background(), pc, l)
	names := s.write(p, w, m)
	if err := p.run(); err != nil {
		s.rollback(c)
		return s.fail(err)
	}
	if p.last.String() != "COMMIT" {
		s.rollback(c)
		return s.fail(errNotCommitted)
	}
	if len(w.appends) == 0 {
		return nil
	}
	return s.vouch(l, *names)
}

// rollback ends a transaction that failed. If that fails too, the connection is closed, which does the same.
func (s *shard) rollback(c *pgxpool.Conn) {
	if !c.Conn().IsClosed() {
		_, _ = c.Conn().PgConn().Exec(context.Background(), "ROLLBACK").ReadAll()
	}
}

// write puts a transaction into a pipeline. The returned text is, once it has run, synchronous_standby_names as of after the commit.
func (s *shard) write(p *pipe, w *work, m mark) (names *string) {
	names = new(string)
	w.begin()
	p.send(stBegin, nil)
	if len(w.appends) > 0 {
		p.send(stLock, nil, int32Param(lockClass), int32Param(int32(s.n)))
		p.send(stInsert, w.inserted, w.rows(s.o.Shift())...)
		p.send(stNotice, w.foreign, w.mailboxes(s.owned.version(w.appends))...)
	} else {
		p.send(stLazy, nil)
	}
	if len(w.deletes) > 0 {
		keys := w.room.keys(w.deletes)
		p.send(stDelete, nil, keys...)
		p.send(stDeleteAcks, nil, keys...)
	}
	if acks := w.partialAcks(); acks != nil {
		p.send(stPartial, nil, acks...)
	}
	if len(w.appends) > 0 {
		p.send(stMark, nil, []byte(s.owner()), int32Param(int32(m.slot)), int64Param(m.seq))
	}
	p.send(stCommit, nil)
	if len(w.appends) > 0 {
		p.send(stNames, func(row [][]byte) error { *names = string(row[0]); return nil })
	}
	return names
}

// Purge implements store.Mail.
func (m mail) Purge(mailbox ident.UserID) (n int, err error) {
	if err := store.CheckID("mailbox", string(mailbox)); err != nil {
		return 0, err
	}
	if err := m.enter(); err != nil {
		return 0, err
	}
	defer m.leave()
	p := store.MailPartition(mailbox)
	s := m.shards[m.byPart[p]]
	for try := 1; ; try++ {
		err := s.transact(func(ctx context.Context, tx pgx.Tx) error {
			tag, err := tx.Exec(ctx, `DELETE FROM mail WHERE p = $1 AND mailbox = $2`, p, raw(mailbox))
			if err != nil {
				return err
			}
			n = int(tag.RowsAffected())
			_, err = tx.Exec(ctx, `DELETE FROM mail_ack WHERE p = $1 AND mailbox = $2`, p, raw(mailbox))
			return err
		})
		if !clashed(err) || try == maxTries {
			return n, wrapSQL(err)
		}
	}
}

// itemKey is the key of one item of a batch, and its place there.
type itemKey struct {
	p       ident.Partition
	mailbox ident.UserID
	id      ident.MessageID
	i       int
}

func (k itemKey) row() itemKey { k.i = 0; return k }

// compareKeys orders items as the tables do.
func compareKeys(a, b itemKey) int {
	return cmp.Or(cmp.Compare(a.p, b.p), cmp.Compare(a.mailbox, b.mailbox), bytes.Compare(a.id[:], b.id[:]), cmp.Compare(a.i, b.i))
}
