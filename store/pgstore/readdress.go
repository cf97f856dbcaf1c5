package pgstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/jackdaw-im/jackdaw/store"
)

// Readdress makes the engine reach its databases by other URLs from now on: with another user or password, other settings, or other
// hosts that have the same databases or copies of them. Connections that are open are replaced once they are free; no call fails for it.
// If check is set, each database is tried first, and after an error nothing has changed. ctx bounds the trial. The list has as
// many databases as before, in the same order.
func (e *Engine) Readdress(ctx context.Context, list, directory string, check bool) error {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.leave()
	urls := Split(list)
	if len(urls) != len(e.shards) {
		return fmt.Errorf("%w: the list has %d stores, and this store has %d shards: other addresses are of the same databases (`jackdaw store move` makes a store of other shards)",
			store.ErrInvalid, len(urls), len(e.shards))
	}
	if directory == "" {
		directory = urls[0]
	}
	all := e.databases()
	confs := make([]*pgx.ConnConfig, len(all))
	for i, url := range append(urls, directory) {
		conf, err := parse(url)
		if err != nil {
			return fmt.Errorf("%w: %w", store.ErrInvalid, err)
		}
		confs[i] = conf.ConnConfig
		settings(confs[i], all[i].o)
	}
	if check {
		if err := e.try(ctx, all, confs); err != nil {
			return err
		}
	}
	for i, d := range all {
		d.conf.moved.Store(confs[i])
		d.pool.Reset()
	}
	return nil
}

// errWrongPlace says that a URL leads to a database of the store, or of another one, that isn't meant.
var errWrongPlace = errors.New("it leads to another database than before")

// try connects to each database by its new address.
func (e *Engine) try(ctx context.Context, all []*database, confs []*pgx.ConnConfig) error {
	var of string
	for i := range all {
		at := len(all) - 1 - i // the directory first: it says which store it is
		d, kind, shard := all[at], mailDB, at
		if i == 0 {
			kind, shard = directoryDB, -1
		}
		b, err := d.tryOne(ctx, confs[at], kind)
		if i == 0 {
			of = b.store
		}
		switch {
		case errors.Is(err, ErrLagging), errors.Is(err, ErrForeign):
			return d.fail(fmt.Errorf("%w, or to a server that lacks what was acknowledged: name the databases in the order in which they were, and the directory's (--directory) if it has one of its own", errWrongPlace))
		case err != nil:
			return d.fail(err)
		case b.store == "" || !b.is(of, shard, len(e.shards)) || !e.ours(b):
			return d.fail(errWrongPlace)
		}
	}
	return nil
}

func (d *database) tryOne(ctx context.Context, conf *pgx.ConnConfig, kind dbKind) (belonging, error) {
	ctx, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	c := conf.Copy()
	d.prepare(c)
	conn, err := pgx.ConnectConfig(ctx, c)
	if err != nil {
		return belonging{}, err
	}
	defer func() { _ = conn.Close(ctx) }() // it was only read
	return belongs(ctx, conn, kind)
}

// Database is how one database of the store is.
type Database struct {
	// Name is "directory" or "shard 0" and so on; Place is where it was when the store was opened, without users and passwords.
	Name, Place string
	// Down says why it can't be reached, Unreplicated why what is written to it isn't on a second machine; "" if nothing is wrong.
	Down, Unreplicated string
	// Waiting is how many commits, of all its users, wait for a standby.
	Waiting int
	// Abandoned is how many writes took so long that their connection was closed.
	Abandoned int64
	// Connections are those open.
	Connections int
}

// Databases says how each database is, as last seen, the directory last. It is cheap, and never waits.
func (e *Engine) Databases() []Database {
	var all []Database
	for _, d := range e.databases() {
		d.conns.Lock()
		open := len(d.conns.set)
		d.conns.Unlock()
		all = append(all, Database{
			Name: d.name, Place: d.place, Down: d.state.down.String(), Unreplicated: d.state.naked.String(),
			Waiting: int(d.state.waiting.Load()), Abandoned: d.state.abandoned.Load(), Connections: open,
		})
	}
	return all
}
