package pgstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/jackdaw-im/jackdaw/store"
)

// migrateLock is the advisory lock under which schemas change: "jackdaw" and a zero byte, as a number. The locks of mail
// batches are pairs of small numbers, which PostgreSQL keeps apart from it.
const migrateLock = 0x6a61636b64617700

// beginner is a connection, or a pool of them.
type beginner interface {
	BeginTx(ctx context.Context, o pgx.TxOptions) (pgx.Tx, error)
}

// standing is what a database says of itself.
type standing struct {
	version    int // 0 = an empty database
	compatible int
}

// migrate brings a database to the latest version that programs of the version before survive, and returns the version it
// then has. A database that is up to date is only read. ErrNewer if it is of a version that this program can't use.
func migrate(ctx context.Context, db beginner, kind dbKind) (version int, err error) {
	return schemaOf(kind).migrate(ctx, db, false)
}

// migrate takes the steps that are missing, those that contract only if the caller says so.
func (s *schema) migrate(ctx context.Context, db beginner, contract bool) (version int, err error) {
	at, err := s.read(ctx, db)
	for err == nil {
		next := s.next(at, contract)
		if next == nil {
			break
		}
		at, err = s.step(ctx, db, contract)
	}
	if err != nil {
		return 0, err
	}
	if at.version < s.needs {
		return 0, fmt.Errorf("pgstore: the %s database has schema %d, and this program needs %d: stop all older programs and run `jackdaw store migrate --contract`",
			s.kind, at.version, s.needs)
	}
	return at.version, nil
}

// check returns ErrNewer if this program can't use a database.
func (s *schema) check(at standing) error {
	if at.version > s.latest() && at.compatible > s.latest() {
		return fmt.Errorf("pgstore: %w: the %s database has schema %d for programs that know at least %d, and this program knows %d",
			store.ErrNewer, s.kind, at.version, at.compatible, s.latest())
	}
	return nil
}

// next returns the step to take, or nil.
func (s *schema) next(at standing, contract bool) *migration {
	if at.version >= s.latest() {
		return nil
	}
	if m := &s.steps[at.version]; contract || !m.contract {
		return m
	}
	return nil
}

// read says where a database stands without changing it.
func (s *schema) read(ctx context.Context, db beginner) (at standing, err error) {
	err = inTx(ctx, db, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		at, err = s.readTx(ctx, tx)
		return err
	})
	if err != nil {
		return standing{}, err
	}
	return at, s.check(at)
}

func (s *schema) readTx(ctx context.Context, tx pgx.Tx) (at standing, err error) {
	var there bool
	if err := tx.QueryRow(ctx, `SELECT to_regclass('jackdaw_schema') IS NOT NULL`).Scan(&there); err != nil || !there {
		return at, err
	}
	err = tx.QueryRow(ctx, `SELECT version, compatible FROM jackdaw_schema WHERE kind = $1`, string(s.kind)).Scan(&at.version, &at.compatible)
	if errors.Is(err, pgx.ErrNoRows) {
		return standing{}, nil
	}
	return at, err
}

// step takes the next step in one transaction, or none if another program was faster.
func (s *schema) step(ctx context.Context, db beginner, contract bool) (at standing, err error) {
	err = inTx(ctx, db, pgx.TxOptions{}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(migrateLock)); err != nil {
			return err
		}
		// A step waits for running transactions, and everybody else waits behind it: give up early.
		if _, err := tx.Exec(ctx, `SET LOCAL lock_timeout = '5s'`); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, bookkeeping); err != nil {
			return err
		}
		if at, err = s.readTx(ctx, tx); err != nil {
			return err
		}
		m := s.next(at, contract)
		if m == nil {
			return nil
		}
		for _, q := range m.statements {
			if _, err := tx.Exec(ctx, q); err != nil {
				return fmt.Errorf("step %d (%s): %w", m.version, m.what, err)
			}
		}
		at = standing{version: m.version, compatible: m.compatible}
		_, err := tx.Exec(ctx, `INSERT INTO jackdaw_schema (kind, version, compatible) VALUES ($1, $2, $3)
			ON CONFLICT (kind) DO UPDATE SET version = excluded.version, compatible = excluded.compatible`,
			string(s.kind), at.version, at.compatible)
		return err
	})
	if err != nil {
		return standing{}, fmt.Errorf("pgstore: migrating the %s database: %w", s.kind, err)
	}
	return at, s.check(at)
}

// inTx runs use in a transaction, which it commits if there was no error.
func inTx(ctx context.Context, db beginner, o pgx.TxOptions, use func(pgx.Tx) error) error {
	tx, err := db.BeginTx(ctx, o)
	if err != nil {
		return err
	}
	if err := use(tx); err != nil {
		return errors.Join(err, tx.Rollback(ctx))
	}
	return tx.Commit(ctx)
}
