package pgstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/jackdaw-im/jackdaw/ident"
)

// agreeLock is the advisory lock under which a store is set up, in the directory: "jackdaw" and a one, as a number.
const agreeLock = migrateLock + 1

// belonging says which store a database belongs to, and as what.
type belonging struct {
	store   string // "" = to none yet
	shard   int    // -1 is the directory
	shards  int
	cluster string // whose it is; "" = nobody's yet
}

// is reports whether a database is that shard of that store.
func (b belonging) is(store string, shard, shards int) bool {
	return b.store == store && b.shard == shard && b.shards == shards
}

// agree makes sure that the list of shards is the one that the store was set up with, sets up what is empty, and reads where each
// partition is. Nothing is written before the lists have been compared.
func (e *Engine) agree() error {
	ctx := context.Background() // a migration takes the time that it takes
	c, err := e.dir.connect(ctx)
	if err != nil {
		return err
	}
	defer e.dir.disconnect(c) // which also frees the lock
	if _, err := c.Exec(ctx, `SELECT pg_advisory_lock($1)`, int64(agreeLock)); err != nil {
		return e.dir.fail(err)
	}
	dir, err := belongs(ctx, c, directoryDB)
	if err != nil {
		return e.dir.fail(err)
	}
	at := make([]belonging, len(e.shards))
	for i, s := range e.shards {
		if at[i], err = s.belongs(ctx); err != nil {
			return s.fail(err)
		}
	}
	if err := e.refuseForeign(dir, at); err != nil {
		return err
	}
	if dir.store != "" {
		if err := e.compare(ctx, c, dir, at); err != nil {
			return err
		}
	} else if err := e.unused(ctx, at); err != nil {
		return err
	} else if e.o.Founded {
		return fmt.Errorf("pgstore: %s (%s) is no store's: is the address right, and that of the directory where the directory is?", e.dir.name, e.dir.place)
	}
	if e.version, err = migrate(ctx, c, directoryDB); err != nil {
		return err
	}
	if dir.store == "" {
		if dir, err = e.found(ctx, c); err != nil {
			return e.dir.fail(err)
		}
	}
	if err := e.claimFor(ctx, c, dir, directoryDB); err != nil {
		return e.dir.fail(err)
	}
	for i, s := range e.shards {
		v, err := e.join(ctx, s, dir, at[i])
		if err != nil {
			return s.fail(err)
		}
		e.version = min(e.version, v)
	}
	return e.readParts(ctx, c)
}

// belongs reads which store a database belongs to.
func belongs(ctx context.Context, c *pgx.Conn, kind dbKind) (b belonging, err error) {
	b.shard = -1
	var there bool
	if err := c.QueryRow(ctx, `SELECT to_regclass('jackdaw_schema') IS NOT NULL`).Scan(&there); err != nil || !there {
		return b, err
	}
	// In the first schema there is no such column.
	err = c.QueryRow(ctx, `SELECT store, shard, shards, coalesce(to_jsonb(s) ->> 'cluster', '') FROM jackdaw_schema s WHERE kind = $1`, string(kind)).
		Scan(&b.store, &b.shard, &b.shards, &b.cluster)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return b, err
}

func (s *shard) belongs(ctx context.Context) (belonging, error) {
	c, err := s.acquire(ctx)
	if err != nil {
		return belonging{}, err
	}
	defer c.Release()
	return belongs(ctx, c.Conn(), mailDB)
}

// places are the shards as shown to people.
func (e *Engine) places() []string {
	var out []string
	for _, s := range e.shards {
		out = append(out, s.place)
	}
	return out
}

// compare refuses a list of shards that isn't the store's. A database may be written in another way than before, or have other hosts,
// as long as it is the same one.
func (e *Engine) compare(ctx context.Context, c *pgx.Conn, dir belonging, at []belonging) error {
	rows, err := c.Query(ctx, `SELECT url FROM shard ORDER BY n`)
	if err != nil {
		return e.dir.fail(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return e.dir.fail(err)
	}
	given := strings.Join(e.places(), ",")
	differs := fmt.Errorf("pgstore: the list of stores is %s, but this store, with its directory in %s, was set up with %s: all nodes must have the same list in the same order (`jackdaw store move` makes a store of other shards)",
		given, e.dir.place, strings.Join(list, ","))
	if len(at) != dir.shards {
		return differs
	}
	for i, b := range at {
		switch {
		case b.is(dir.store, i, dir.shards):
		case b.store == "" && list[i] == e.shards[i].place: // setting up was interrupted
		default:
			return differs
		}
	}
	return nil
}

// unused refuses to make a new store of databases that belong to one already: the directory given is then the wrong one.
func (e *Engine) unused(ctx context.Context, at []belonging) error {
	for i, b := range at {
		if b.store != "" {
			return fmt.Errorf("pgstore: %s belongs to a store already, as its shard %d of %d, but %s isn't that store's directory",
				e.shards[i].place, b.shard, b.shards, e.dir.place)
		}
	}
	seen := map[string]bool{}
	for _, s := range e.shards {
		self, err := s.self(ctx)
		if err != nil {
			return s.fail(err)
		}
		if seen[self] {
			return fmt.Errorf("pgstore: %s is in the list of stores twice", s.place)
		}
		seen[self] = true
	}
	return nil
}

// self names a database by its server and its number there, however it is written.
func (s *shard) self(ctx context.Context) (string, error) {
	c, err := s.acquire(ctx)
	if err != nil {
		return "", err
	}
	defer c.Release()
	var oid uint32
	err = c.QueryRow(ctx, `SELECT oid FROM pg_database WHERE datname = current_database()`).Scan(&oid)
	return fmt.Sprint(linkOf(c.Conn().PgConn()).who.System, "/", oid), err
}

// found makes the directory one of a new store.
func (e *Engine) found(ctx context.Context, c *pgx.Conn) (belonging, error) {
	b := belonging{store: rand.Text(), shard: -1, shards: len(e.shards)}
	err := pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `UPDATE jackdaw_schema SET store = $1, shard = -1, shards = $2 WHERE kind = $3`, b.store, b.shards, string(directoryDB)); err != nil {
			return err
		}
		for _, s := range e.shards {
			if _, err := tx.Exec(ctx, `INSERT INTO shard (n, url) VALUES ($1, $2)`, s.n, s.place); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, `INSERT INTO shard_part (p, n) SELECT p, p * $1::int / $2::int FROM generate_series(0, $2::int - 1) AS s(p)`, len(e.shards), ident.Partitions)
		return err
	})
	return b, err
}

// join brings a shard's schema up to date and makes it the store's and the cluster's, if it isn't.
func (e *Engine) join(ctx context.Context, s *shard, dir, before belonging) (version int, err error) {
	c, err := s.connect(ctx)
	if err != nil {
		return 0, err
	}
	defer s.disconnect(c)
	if version, err = migrate(ctx, c, mailDB); err != nil {
		return 0, err
	}
	if !before.is(dir.store, s.n, dir.shards) { // a write would wait for a standby, and a node has to start without one too
		if err := s.enlist(ctx, c, dir); err != nil {
			return 0, err
		}
	}
	return version, e.claimFor(ctx, c, before, mailDB)
}

// enlist makes a database the shard of a store.
func (s *shard) enlist(ctx context.Context, c *pgx.Conn, dir belonging) error {
	tag, err := c.Exec(ctx, `UPDATE jackdaw_schema SET store = $1, shard = $2, shards = $3 WHERE kind = $4 AND store IN ('', $1) AND shard IN (-1, $2)`,
		dir.store, s.n, dir.shards, string(mailDB))
	if err == nil && tag.RowsAffected() == 0 {
		err = errors.New("it is another shard too: two URLs of the list lead to one database")
	}
	return err
}

// readParts reads the table of partitions, and writes down the URLs as they are now.
func (e *Engine) readParts(ctx context.Context, c *pgx.Conn) error {
	for _, s := range e.shards {
		if _, err := c.Exec(ctx, `UPDATE shard SET url = $2 WHERE n = $1 AND url <> $2`, s.n, s.place); err != nil {
			return e.dir.fail(err)
		}
	}
	rows, err := c.Query(ctx, `SELECT p, n FROM shard_part`)
	if err != nil {
		return e.dir.fail(err)
	}
	var p, n int
	tag, err := pgx.ForEachRow(rows, []any{&p, &n}, func() error {
		if p < 0 || p >= ident.Partitions || n < 0 || n >= len(e.shards) {
			return damaged("partition %d is in shard %d of %d", p, n, len(e.shards))
		}
		e.byPart[p] = uint16(n)
		return nil
	})
	if err == nil && tag.RowsAffected() != ident.Partitions {
		err = damaged("the table of partitions has %d rows", tag.RowsAffected())
	}
	if err != nil {
		return e.dir.fail(err)
	}
	return nil
}
