package pgstore

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// The log of a database is one stream: a server that has a write of this node has all that anybody was promised before that write began.
// So a node that writes nothing leaves a mark now and then, by which it refuses a server that has lost what others were promised. The
// mark is a write like any other, and counts only once it is acknowledged: what can merely be seen in a database may be on no standby.

// firstMarks is how long opening a store may wait for its first marks. Where that isn't enough they come later.
const firstMarks = 3 * time.Second

// errStillWaits says that the last mark's commit still waits for a standby, behind which another would only wait too.
var errStillWaits = errors.New("the last mark is still on its way to a standby")

// marker leaves a node's marks in one database while it writes nothing else there. One goroutine at a time uses it.
type marker struct {
	left uint32 // the server's process that was left behind, perhaps waiting for a standby, when a mark took too long; 0 = none
}

// marks reports whether the node leaves marks of its own. A trial and a tool, which may be there only to look, leave none.
func (o Options) marks() bool { return !o.Tool && !o.Trial }

// markAll leaves the first marks, so that a node has been promised something by all databases as it begins.
func (e *Engine) markAll(ctx context.Context) {
	if !e.o.marks() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, firstMarks)
	defer cancel()
	for _, d := range e.databases() {
		_ = d.leaveMark(ctx) // keepMarked tries again
	}
}

// keepMarked leaves marks until ctx ends: each time that no write which began within Options.Idle was acknowledged. There is nothing to
// be done about one that fails: its outcome is no promise, and the next try is as good.
func (d *database) keepMarked(ctx context.Context) {
	for {
		pause := d.slots.rest(d.o.Idle)
		if pause <= 0 {
			_ = d.leaveMark(ctx)
			pause = d.o.Idle
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// leaveMark leaves a mark, if the database takes appends as far as is known. It ends within Options.Stuck, as any write, and at once if ctx
// ends: by closing the connection, for a commit is never cancelled.
func (d *database) leaveMark(ctx context.Context) error {
	if d.state.down.String() != "" {
		return nil
	}
	if d.state.naked.String() != "" { // nobody is promised more than this server has
		return d.allows()
	}
	c, err := d.acquire(ctx)
	if err != nil {
		return err
	}
	defer c.Release()
	l := linkOf(c.Conn().PgConn())
	still := context.AfterFunc(ctx, func() { _ = l.raw.Close() })
	err = d.transactOn(c, func(ctx context.Context, tx pgx.Tx) error {
		if waits, err := d.marker.waits(ctx, tx); err != nil || waits {
			return errors.Join(err, errStillWaits)
		}
		d.marker.left = tx.Conn().PgConn().PID()
		return nil
	})
	if !still() {
		d.disconnect(c.Conn()) // so that nobody gets it from the pool
	}
	if !c.Conn().IsClosed() && !errors.Is(err, errStillWaits) {
		d.marker.left = 0
	}
	return err
}

// waits reports whether the process that was left behind still waits for a standby. With a standby that hangs each further mark would
// leave another behind, until the server has no room for connections.
func (m *marker) waits(ctx context.Context, tx pgx.Tx) (waits bool, err error) {
	if m.left == 0 {
		return false, nil
	}
	err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_stat_activity
		WHERE pid = $1 AND pid <> pg_backend_pid()
			AND application_name = current_setting('application_name') AND (state = 'active' OR wait_event = 'SyncRep'))`, m.left).Scan(&waits)
	return waits, err
}
