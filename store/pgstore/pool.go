package pgstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/telemetry"
)

// connectLimit is how long opening a connection may take, over all hosts of a URL.
const connectLimit = 10 * time.Second

// database is one database with its connections.
type database struct {
	name  string // "shard 0", "directory"
	place string // where it is, to be shown
	o     Options
	conf  address
	pool  *pgxpool.Pool
	known known
	slots slots
	state dbState
	conns conns

	marker marker

	launched atomic.Bool // the store is open
}

// address is how a database is reached.
type address struct {
	*pgxpool.Config
	moved atomic.Pointer[pgx.ConnConfig] // since Readdress; nil before
}

// now returns a copy of the settings of a connection that is opened now.
func (a *address) now() *pgx.ConnConfig { return a.at().Copy() }

// at returns those settings themselves, which nobody changes.
func (a *address) at() *pgx.ConnConfig {
	if c := a.moved.Load(); c != nil {
		return c
	}
	return a.ConnConfig
}

// conns are the open connections of a database.
type conns struct {
	sync.Mutex
	set map[*link]struct{}
}

// link is what is known of one connection. It is found by the connection's custom data.
type link struct {
	raw     net.Conn
	up      atomic.Bool         // the connection is made: whoever dials from now on would send a cancel request
	who     identity            // of its server
	warning atomic.Pointer[any] // what the server warned of since the last look; nil is nothing
	stmts   []*pgconn.StatementDescription
}

const linkKey = "jackdaw"

func linkOf(c *pgconn.PgConn) *link { return c.CustomData()[linkKey].(*link) }

// errNoCancel refuses the connection over which pgx would ask the server to cancel a statement.
var errNoCancel = errors.New("pgstore: statements are never cancelled")

// newDatabase prepares a database. Nothing is connected yet.
func newDatabase(name, url string, o Options) (*database, error) {
	conf, err := parse(url)
	if err != nil {
		return nil, err
	}
	d := &database{name: name, place: place(conf), o: o, conf: address{Config: conf}}
	d.conns.set = map[*link]struct{}{}
	conf.MaxConns = int32(o.Conns)
	settings(conf.ConnConfig, o)
	conf.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
		*c = *d.conf.now()
		d.prepare(c)
		return nil
	}
	conf.AfterConnect = func(ctx context.Context, c *pgx.Conn) error { return d.prepared(ctx, c) }
	conf.BeforeClose = func(c *pgx.Conn) { d.forget(linkOf(c.PgConn())) }
	conf.PrepareConn = func(_ context.Context, c *pgx.Conn) (bool, error) {
		return d.known.current(linkOf(c.PgConn()).who), nil
	}
	return d, nil
}

// settings makes the settings that all connections have.
func settings(c *pgx.ConnConfig, o Options) {
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = connectLimit / 2
	}
	params := c.RuntimeParams
	for k, v := range map[string]string{
		"application_name":                    "jackdaw " + string(o.Node),
		"synchronous_commit":                  "on",
		"default_transaction_isolation":       "read committed",
		"client_min_messages":                 "warning",
		"idle_in_transaction_session_timeout": "5000", // so that a node that stands still holds no lock
		"statement_timeout":                   "0",
		"lock_timeout":                        "0",
		"jit":                                 "off",
		// All statements go by keys. The planner isn't given the chance to decide otherwise while a table is small, and then stay
		// with it; see also byKeys.
		"plan_cache_mode":  "force_generic_plan",
		"enable_seqscan":   "off",
		"enable_hashjoin":  "off",
		"enable_mergejoin": "off",
	} {
		params[k] = v
	}
}

// prepare makes the settings of one connection: who it is talking to is asked before it is used, and refused if it is the wrong
// one, in which case pgx goes on to the URL's next host.
func (d *database) prepare(c *pgx.ConnConfig) {
	l := &link{}
	dial, validate := c.DialFunc, c.ValidateConnect
	c.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if l.up.Load() { // beside the making of this connection, pgx may ask a server that was refused to cancel what it was asked
			return nil, errNoCancel
		}
		return dial(ctx, network, addr)
	}
	c.ValidateConnect = func(ctx context.Context, pc *pgconn.PgConn) error {
		if validate != nil {
			if err := validate(ctx, pc); err != nil {
				return err
			}
		}
		l.raw = socketOf(pc.Conn())
		pc.CustomData()[linkKey] = l
		return d.admit(ctx, pc, l)
	}
	c.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
		if n.SeverityUnlocalized == "WARNING" {
			var text any = n.Message
			l.warning.Store(&text)
		}
	}
}

// socketOf is what TLS runs over, if it does: it closes at once, without a word to the other side.
func socketOf(c net.Conn) net.Conn {
	if over, ok := c.(interface{ NetConn() net.Conn }); ok {
		return over.NetConn()
	}
	return c
}

// prepared ends the making of a connection.
func (d *database) prepared(ctx context.Context, c *pgx.Conn) error {
	l := linkOf(c.PgConn())
	l.up.Store(true)
	d.conns.Lock()
	d.conns.set[l] = struct{}{}
	d.conns.Unlock()
	return nil
}

func (d *database) forget(l *link) {
	d.conns.Lock()
	delete(d.conns.set, l)
	d.conns.Unlock()
}

// closeOlder closes the connections to servers on an older timeline, whatever they are doing.
func (d *database) closeOlder() {
	d.conns.Lock()
	defer d.conns.Unlock()
	for l := range d.conns.set {
		if !d.known.current(l.who) {
			_ = l.raw.Close()
		}
	}
}

// connect opens a connection beside the pool.
func (d *database) connect(ctx context.Context) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	c := d.conf.now()
	d.prepare(c)
	conn, err := pgx.ConnectConfig(ctx, c)
	if err != nil {
		return nil, d.fail(err)
	}
	return conn, d.prepared(ctx, conn)
}

// disconnect closes what connect has opened, without waiting for the server.
func (d *database) disconnect(c *pgx.Conn) {
	l := linkOf(c.PgConn())
	d.forget(l)
	_ = l.raw.Close()
	_ = c.Close(context.Background()) // the socket is closed: this only frees what belongs to it
}

// acquire takes a connection from the pool.
func (d *database) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	c, err := d.pool.Acquire(ctx)
	if err != nil {
		return nil, d.fail(err)
	}
	linkOf(c.Conn().PgConn()).warning.Store(nil)
	return c, nil
}

// limit closes a connection's socket if what is done on it takes longer than may be. The returned function ends the limit.
func (d *database) limit(l *link) (end func()) {
	timer := time.AfterFunc(d.o.Stuck, func() {
		d.o.Logger.Warn("a write is stuck: its connection is closed, its outcome is unknown", zap.String(telemetry.KeyStore, d.name))
		d.state.abandoned.Add(1)
		_ = l.raw.Close()
	})
	return func() { timer.Stop() }
}

// transact runs use in one READ COMMITTED transaction and commits it. An error is one of use, or of the database; it is an error too
// if the commit may not have reached a standby. Its outcome is unknown then. Nothing cancels it.
func (d *database) transact(use func(ctx context.Context, tx pgx.Tx) error) error {
	c, err := d.acquire(context.Background())
	if err != nil {
		return err
	}
	defer c.Release()
	return d.transactOn(c, use)
}

// transactOn is transact on a connection.
func (d *database) transactOn(c *pgxpool.Conn, use func(ctx context.Context, tx pgx.Tx) error) (err error) {
	l, m := linkOf(c.Conn().PgConn()), d.slots.take()
	defer func() { d.slots.give(m, err == nil, c.Conn().IsClosed()) }()
	defer d.limit(l)()
	ctx := context.Background()
	tx, err := c.Begin(ctx)
	if err != nil {
		return d.fail(err)
	}
	if err = use(ctx, tx); err == nil {
		// The repetition of what is there already must wait for the standby too, so it must write something.
		_, err = tx.Exec(ctx, markSQL, d.owner(), m.slot, m.seq)
	}
	if err != nil {
		_ = tx.Rollback(ctx) // if it fails the connection is closed, which does the same
		return err
	}
	if err := tx.Commit(ctx); err != nil {
		return d.fail(err)
	}
	var names string
	if err := c.QueryRow(ctx, namesSQL).Scan(&names); err != nil {
		return d.fail(err)
	}
	return d.vouch(l, names)
}

// markSQL leaves a write's mark, and a message in the log so that even a write that changes nothing waits for the standby.
const markSQL = `INSERT INTO mark (node, slot, seq, lsn) VALUES ($1, $2, $3, pg_logical_emit_message(true, 'jackdaw', ''))
	ON CONFLICT (node, slot) DO UPDATE SET seq = greatest(mark.seq, excluded.seq), lsn = excluded.lsn`

// fail adds the database to an error.
func (d *database) fail(err error) error { return fmt.Errorf("pgstore: %s: %w", d.name, err) }
