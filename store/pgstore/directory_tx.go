package pgstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

// dirDB is the directory's database: Directory and GroupLog of an engine are made of it.
type dirDB struct {
	pool *pgxpool.Pool // for what only reads
	db   *database
	// enter begins a call, or refuses it with store.ErrClosed or, if it writes, because the database isn't replicated;
	// leave ends it.
	enter func(writes bool) error
	leave func()
	// purge removes the mail of a user whose account is removed.
	purge func(mailbox ident.UserID) (int, error)
	// shift is added to the database's clock, for tests.
	shift func() time.Duration
}

// querier is a connection or a transaction to read with.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// nowSQL is an expression of the store's clock: the database's, so that nothing expires by the clock of a node.
func (d *dirDB) nowSQL() string { return clockSQL(d.shift()) }

func clockSQL(shift time.Duration) string {
	return fmt.Sprintf("((extract(epoch FROM clock_timestamp()) * 1000000)::bigint + (%d))", shift.Microseconds())
}

// read runs use, which reads with one statement or doesn't mind if its statements see different moments.
func (d *dirDB) read(ctx context.Context, use func(q querier) error) error {
	if err := d.enter(false); err != nil {
		return err
	}
	defer d.leave()
	return d.wrap(use(d.pool))
}

// readAtOnce runs use in a transaction whose statements all see the same moment.
func (d *dirDB) readAtOnce(ctx context.Context, use func(tx pgx.Tx) error) error {
	if err := d.enter(false); err != nil {
		return err
	}
	defer d.leave()
	return d.wrap(inTx(ctx, d.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, use))
}

// maxTries is how often a transaction is tried that the database ends because of others.
const maxTries = 20

// write runs use in a transaction and makes what it did durable. use may be run again, from the start, if the database
// ended the transaction because of others. Nothing cancels it: who stops waiting for a commit doesn't know what became
// of it, and a cancelled wait for a standby ends with a success that is none.
//
// Every write leaves something in the log: the repetition of a write that is there already would otherwise change nothing,
// and return without waiting for a standby that may not have the first one yet.
func (d *dirDB) write(use func(ctx context.Context, tx pgx.Tx) error) error {
	if err := d.enter(true); err != nil {
		return err
	}
	defer d.leave()
	for try := 1; ; try++ {
		err := d.wrap(d.db.transact(use))
		d.db.outcome(err)
		if !clashed(err) || try == maxTries {
			return err
		}
	}
}

// The conditions of PostgreSQL that have a meaning here: appendix A of its manual.
const (
	sqlSerialization = "40001"
	sqlDeadlock      = "40P01"
	sqlDiskFull      = "53100"
	sqlTooLong       = "54000" // an index entry, for one: ids that together are longer than a third of a page
)

// sqlState returns the condition that an error of the database has, or "".
func sqlState(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// errLooked ends a transaction whose statements have seen what no one moment had: the next try sees it as it is.
var errLooked = errors.New("the entry was made while it was looked for")

// clashed reports whether a transaction was ended because of another, and did nothing.
func clashed(err error) bool {
	s := sqlState(err)
	return s == sqlSerialization || s == sqlDeadlock || errors.Is(err, errLooked)
}

// wrap gives an error the package's prefix, and conditions of the database their name. Errors of package store pass as
// they are.
func (d *dirDB) wrap(err error) error { return wrapSQL(err) }

func wrapSQL(err error) error {
	switch {
	case err == nil, store.IsOwn(err):
		return err
	case sqlState(err) == sqlDiskFull:
		return fmt.Errorf("pgstore: %w: %w", store.ErrFull, err)
	case sqlState(err) == sqlTooLong:
		return fmt.Errorf("pgstore: %w: %w", store.ErrInvalid, err)
	}
	return fmt.Errorf("pgstore: %w", err)
}

// damaged is an ErrCorrupt of a row that can't be read.
func damaged(format string, args ...any) error {
	return fmt.Errorf("pgstore: %w: "+format, append([]any{store.ErrCorrupt}, args...)...)
}
