package pgstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

// openLimit is how long opening may take, migrations not counted.
const openLimit = 60 * time.Second

// maxShards is how many databases the mail may be spread over: as many as the number of a notice has room for.
const maxShards = 1 << noticeShardBits

// nameOf is the part of a node's id that stays the same over its restarts.
func nameOf(n ident.NodeID) string {
	name, _, _ := strings.Cut(string(n), "@")
	return name
}

// Open opens the store whose mail is in a list of databases, separated by commas. Empty databases are set up; those of an older version of
// this program are brought up to date. Each must be reachable. ErrNewer; an error that names both lists if the store was set up with
// another one.
func Open(list string, o Options) (*Engine, error) {
	return OpenWithin(context.Background(), list, o)
}

// OpenWithin is Open that gives up connecting once ctx is over. What it does to databases that it has reached isn't interrupted.
func OpenWithin(ctx context.Context, list string, o Options) (*Engine, error) {
	e, err := prepare(list, o)
	if err != nil {
		return nil, err
	}
	e.memory.path = e.o.Memory
	if err := e.memory.load(e.databases()); err != nil {
		return nil, err
	}
	if err := e.open(ctx); err != nil {
		return nil, errors.Join(err, e.shut())
	}
	e.markAll(ctx)
	e.launch()
	return e, nil
}

// prepare reads the URLs of a store. Nothing is connected yet.
func prepare(list string, o Options) (*Engine, error) {
	o = o.withDefaults()
	e := &Engine{o: o}
	urls := Split(list)
	if len(urls) > maxShards {
		return nil, fmt.Errorf("pgstore: %d shards, at most %d are possible", len(urls), maxShards)
	}
	for i, url := range urls {
		d, err := newDatabase(fmt.Sprintf("shard %d", i), url, o)
		if err != nil {
			return nil, err
		}
		e.shards = append(e.shards, &shard{database: d, n: i})
	}
	directory := o.Directory
	if directory == "" {
		directory = urls[0]
	}
	var err error
	e.dir, err = newDatabase("directory", directory, o)
	for _, s := range e.shards {
		s.dir = e.dir
	}
	return e, err
}

// open connects, sets up what is empty, and reads what the engine must know before its first call.
func (e *Engine) open(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, openLimit)
	defer cancel()
	for _, d := range e.databases() {
		d.survey(ctx) // so that of several hosts that take writes the newest is used
		var err error
		if d.pool, err = pgxpool.NewWithConfig(ctx, d.conf.Config); err != nil {
			return d.fail(err)
		}
		c, err := d.acquire(ctx)
		if err != nil {
			return err
		}
		s, err := ask(ctx, c.Conn().PgConn())
		c.Release()
		if err != nil {
			return d.fail(err)
		}
		d.saw(s)
	}
	if err := e.agree(); err != nil {
		return err
	}
	if !e.o.Tool {
		if err := refuseLoading(ctx, e.dir.pool); err != nil {
			return err
		}
	}
	for _, d := range e.databases() {
		if err := d.recall(ctx); err != nil {
			return d.fail(err)
		}
	}
	for _, s := range e.shards {
		if err := s.refresh(ctx); err != nil {
			return err
		}
	}
	return nil
}

// recall reads this node's marks, to go on behind them.
func (d *database) recall(ctx context.Context) error {
	c, err := d.acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	stored, err := d.marks(ctx, c.Conn().PgConn())
	if err != nil {
		return err
	}
	d.slots.remember(nil, stored)
	return nil
}

// launch starts what runs until Close.
func (e *Engine) launch() {
	ctx, stop := context.WithCancel(context.Background())
	e.watching.stop = stop
	for _, d := range e.databases() {
		d.launched.Store(true)
	}
	e.dirDB = &dirDB{pool: e.dir.pool, db: e.dir, enter: e.enterDirectory, leave: e.leave, shift: e.o.Shift,
		purge: func(mailbox ident.UserID) (int, error) { return e.Mail().Purge(mailbox) }}
	for _, s := range e.shards {
		e.watching.Go(func() { e.watch(ctx, s.database, s) })
	}
	e.watching.Go(func() { e.watch(ctx, e.dir, nil) })
	if e.o.marks() {
		for _, d := range e.databases() {
			e.watching.Go(func() { d.keepMarked(ctx) })
		}
	}
	if !e.o.Tool {
		e.watching.Go(func() { e.sweep(ctx) })
	}
}

var _ store.Engine = (*Engine)(nil)
