package pgstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

type claims struct{ *Engine }

// owned is what a node knows of a shard's claims: enough to spare most batches the look at the table of owners. It may be outdated; a
// batch compares its version with the table's.
type owned struct {
	mu struct {
		sync.Mutex
		v      int64
		known  bool
		owners [ident.Partitions]ident.NodeID
		mine   [ident.Partitions]bool
	}
}

// version returns the version of the claims if by them all partitions of some rows are this node's; else -1.
func (o *owned) version(rows []itemKey) int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.mu.known {
		return -1
	}
	for i := range rows {
		if !o.mu.mine[rows[i].p] {
			return -1
		}
	}
	return o.mu.v
}

// at reports whether the node knows the claims of a version.
func (o *owned) at(v int64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mu.known && o.mu.v == v
}

// forget makes the next look read the claims again.
func (o *owned) forget() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mu.known = false
}

func (o *owned) set(v int64, owners map[ident.Partition]ident.NodeID, me ident.NodeID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.mu.known && o.mu.v > v {
		return
	}
	o.mu.v, o.mu.known = v, true
	clear(o.mu.owners[:])
	clear(o.mu.mine[:])
	for p, owner := range owners {
		o.mu.owners[p], o.mu.mine[p] = owner, owner == me
	}
}

func (o *owned) owner(p ident.Partition) ident.NodeID {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mu.owners[p]
}

// Owners returns who has claimed each partition, as last seen, which is at most a few seconds ago; "" is nobody.
func (e *Engine) Owners() []ident.NodeID {
	all := make([]ident.NodeID, ident.Partitions)
	for p := range all {
		all[p] = e.shards[e.byPart[p]].owned.owner(ident.Partition(p))
	}
	return all
}

// follow reads the claims if they have changed.
func (s *shard) follow(ctx context.Context, c *pgx.Conn) error {
	var v int64
	if err := c.QueryRow(ctx, `SELECT version FROM claims`).Scan(&v); err != nil {
		return err
	}
	if s.owned.at(v) {
		return nil
	}
	return s.readClaims(ctx, c)
}

// refresh reads the claims.
func (s *shard) refresh(ctx context.Context) error {
	c, err := s.acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	if err := s.readClaims(ctx, c.Conn()); err != nil {
		return s.fail(err)
	}
	return nil
}

// readClaims reads all claims of the shard.
func (s *shard) readClaims(ctx context.Context, c querier) error {
	// One statement, so that owners and version are of one moment.
	rows, err := c.Query(ctx, `SELECT version, p, owner FROM claims, part WHERE owner <> ''
		UNION ALL SELECT version, -1, '' FROM claims`)
	if err != nil {
		return err
	}
	var v int64
	var p int
	var owner string
	owners := map[ident.Partition]ident.NodeID{}
	if _, err := pgx.ForEachRow(rows, []any{&v, &p, &owner}, func() error {
		if p >= 0 && p < ident.Partitions {
			owners[ident.Partition(p)] = ident.NodeID(owner)
		}
		return nil
	}); err != nil {
		return err
	}
	s.owned.set(v, owners, s.o.Node)
	return nil
}

// Claim implements store.Claims. It is one transaction for each shard, and waits for the batches that run, for at most two seconds.
// After an error some shards may be claimed; claim again.
func (c claims) Claim(partitions []ident.Partition) error {
	if err := c.enter(); err != nil {
		return err
	}
	defer c.leave()
	for _, s := range c.shards {
		var mine []int16
		for _, p := range partitions {
			if p < ident.Partitions && c.shards[c.byPart[p]] == s {
				mine = append(mine, int16(p))
			}
		}
		if len(mine) == 0 {
			continue
		}
		slices.Sort(mine)
		if err := s.claim(mine); err != nil {
			return wrapSQL(err)
		}
	}
	return nil
}

func (s *shard) claim(parts []int16) error {
	for try := 1; ; try++ {
		err := s.transact(func(ctx context.Context, tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, `SET LOCAL lock_timeout = '2s'`); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1, $2)`, lockClass, s.n); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `UPDATE part SET owner = $1, epoch = epoch + 1 WHERE p = ANY ($2)`, string(s.o.Node), parts); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, `UPDATE claims SET version = version + 1`)
			return err
		})
		if err == nil {
			return s.refresh(context.Background())
		}
		if !clashed(err) || try == maxTries {
			return fmt.Errorf("claiming in %s: %w", s.name, err)
		}
	}
}

// The number of a notice holds its shard, so that Done needs no more than the number.
const noticeShardBits = 10

// noticesMax is how many notices of a shard one look reads.
const noticesMax = 10_000

// ForeignWrites implements store.Claims. All shards are asked at once, so that none waits for one that doesn't answer.
func (c claims) ForeignWrites(ctx context.Context) ([]store.ForeignWrite, error) {
	if err := c.enter(); err != nil {
		return nil, err
	}
	defer c.leave()
	found, errs := make([][]store.ForeignWrite, len(c.shards)), make([]error, len(c.shards))
	var wg sync.WaitGroup
	for i, s := range c.shards {
		wg.Go(func() {
			var err error
			if found[i], err = s.notices(ctx); err != nil {
				errs[i] = fmt.Errorf("%s: %w", s.name, wrapSQL(err))
			}
		})
	}
	wg.Wait()
	return slices.Concat(found...), errors.Join(errs...)
}

func (s *shard) notices(ctx context.Context) ([]store.ForeignWrite, error) {
	conn, err := s.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	rows, err := conn.Query(ctx, `SELECT n, mailbox FROM foreign_writes f JOIN part ON part.p = f.p WHERE part.owner = $1 ORDER BY n LIMIT $2`, string(s.o.Node), noticesMax)
	return collect(rows, err, func(r pgx.Rows, w *store.ForeignWrite) error {
		var mailbox []byte
		err := r.Scan(&w.N, &mailbox)
		w.N, w.Mailbox = w.N<<noticeShardBits|int64(s.n), ident.UserID(mailbox)
		return err
	})
}

// Done implements store.Claims.
func (c claims) Done(ns []int64) error {
	if err := c.enter(); err != nil {
		return err
	}
	defer c.leave()
	of := make([][]int64, len(c.shards))
	for _, n := range ns {
		s := n & (1<<noticeShardBits - 1)
		if s >= int64(len(of)) {
			return fmt.Errorf("pgstore: %w: there is no notice %d", store.ErrInvalid, n)
		}
		of[s] = append(of[s], n>>noticeShardBits)
	}
	var errs []error
	for i, some := range of {
		if len(some) == 0 {
			continue
		}
		slices.Sort(some)
		errs = append(errs, wrapSQL(c.shards[i].transact(func(ctx context.Context, tx pgx.Tx) error {
			_, err := tx.Exec(ctx, `DELETE FROM foreign_writes WHERE n = ANY ($1)`, some)
			return err
		})))
	}
	return errors.Join(errs...)
}
