package pgstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

// Walk implements store.Walker. Mail is walked shard by shard, in each by partition and mailbox.
func (e *Engine) Walk(ctx context.Context, q store.WalkQuery) (*store.WalkPage, error) {
	if q.Part < store.PartMail {
		return e.dirDB.walk(ctx, q)
	}
	if err := e.enter(); err != nil {
		return nil, err
	}
	defer e.leave()
	w := newPageWalk(q)
	var err error
	switch q.Part {
	case store.PartMail:
		err = e.walkMail(ctx, w)
	case store.PartIndexes:
		for _, s := range e.shards {
			err = errors.Join(err, w.walkAcks(ctx, s.pool, s.n))
		}
	default:
		err = fmt.Errorf("pgstore: %w: there is no part %d of a store", store.ErrInvalid, q.Part)
	}
	if err != nil {
		return nil, wrapSQL(err)
	}
	return w.page, nil
}

// walkMail reads one page of one shard. Behind the last of a shard it says to go on with the next one.
func (e *Engine) walkMail(ctx context.Context, w *pageWalk) error {
	at, err := parseMailPlace(w.q.After)
	if err != nil || at.shard >= len(e.shards) {
		return err
	}
	s := e.shards[at.shard]
	err = w.walkShard(ctx, s.pool, at, func(p ident.Partition) bool { return int(e.byPart[p]) == s.n })
	if err == nil && w.page.Next == "" && s.n+1 < len(e.shards) {
		w.page.Next = mailPlace{shard: s.n + 1, p: -1}.String()
	}
	return err
}

// Load implements store.Loader.
func (e *Engine) Load(_ context.Context, p *store.WalkPage) error {
	if p.Part != store.PartMail {
		return e.dirDB.load(p)
	}
	if err := e.enter(); err != nil {
		return err
	}
	defer e.leave()
	rows := rowsOf(p.Entries, e.ShardOf)
	for n := range e.shards {
		if rows[n] == nil {
			continue
		}
		if err := e.shards[n].allows(); err != nil {
			return err
		}
		if err := wrapSQL(e.shards[n].transact(rows[n].insert)); err != nil {
			return err
		}
	}
	return nil
}

// Loading implements store.Loader.
func (e *Engine) Loading(ctx context.Context) (store.LoadPlace, error) { return e.dirDB.loading(ctx) }

// SetLoading implements store.Loader.
func (e *Engine) SetLoading(_ context.Context, at store.LoadPlace) error {
	return e.dirDB.setLoading(at)
}

// MarkRestored implements store.Restored. It takes some partitions after the other, so that no transaction is long.
func (e *Engine) MarkRestored(ctx context.Context) (total int, err error) {
	if err := e.enter(); err != nil {
		return 0, err
	}
	defer e.leave()
	for _, s := range e.shards {
		for from := 0; from < ident.Partitions; from += markStep {
			if err := ctx.Err(); err != nil {
				return total, err
			}
			n := 0
			err := s.transact(func(ctx context.Context, tx pgx.Tx) error {
				n, err = markRestored(ctx, tx, from)
				return err
			})
			if err != nil {
				return total, wrapSQL(err)
			}
			total += n
		}
	}
	return total, nil
}
