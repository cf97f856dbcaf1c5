package pgstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/telemetry"
)

// ErrUnreplicated refuses appends and changes while no synchronous standby has a copy of what is written. Nothing was stored, unless the
// text says that the outcome is unknown; repeat it later.
var ErrUnreplicated = errors.New("the database is not replicated, so nothing new is acknowledged until it is (or replication is declared dispensable)")

// errWarned says that a commit came with a warning, which it does when the wait for the standby was cut short.
var errWarned = errors.New("committed with a warning, so the outcome is unknown")

// fullFor is for how long a refusal for want of disk counts when nobody tries to write.
const fullFor = 10 * time.Second

// dbState is how a database is, as last seen.
type dbState struct {
	down      reason // why it can't be reached
	naked     reason // why it isn't replicated
	refused   reason // why a server was refused
	refusals  atomic.Int64
	fullUntil atomic.Int64
	waiting   atomic.Int64 // backends that wait for a standby
	abandoned atomic.Int64 // writes whose connection was closed
}

// reason is why something is not as it should be; "" while it is.
type reason struct {
	mu sync.Mutex
	s  string
}

// note sets the reason and reports whether it is another than before.
func (r *reason) note(s string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	changed := r.s != s
	r.s = s
	return changed
}

func (r *reason) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.s
}

// status is what a server says of its replication.
type status struct {
	names     string // synchronous_standby_names
	commit    string // synchronous_commit, as this connection has it
	readOnly  bool
	streaming int // synchronous standbys
	others    int // asynchronous ones
	hidden    int // standbys whose state this user may not see
	waiting   int // backends that wait for a standby
}

const statusSQL = `SELECT current_setting('synchronous_standby_names'), current_setting('synchronous_commit'), current_setting('transaction_read_only'),
	count(*) FILTER (WHERE state = 'streaming' AND sync_state IN ('sync', 'quorum')),
	count(*) FILTER (WHERE sync_state IN ('async', 'potential')), count(*) FILTER (WHERE sync_state IS NULL),
	(SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep') FROM pg_stat_replication`

// ask asks a server for its status.
func ask(ctx context.Context, pc *pgconn.PgConn) (status, error) {
	row, err := one(pc.ExecParams(ctx, statusSQL, nil, nil, nil, nil))
	if err != nil {
		return status{}, err
	}
	s := status{names: string(row[0]), commit: string(row[1]), readOnly: string(row[2]) == "on"}
	for i, v := range []*int{&s.streaming, &s.others, &s.hidden, &s.waiting} {
		if *v, err = strconv.Atoi(string(row[3+i])); err != nil {
			return status{}, fmt.Errorf("status: %w", err)
		}
	}
	return s, nil
}

// missing says why what a server with this status acknowledges is not on a second machine; "" if it is.
func (s status) missing() string {
	switch {
	case s.names == "":
		return "synchronous_standby_names is empty"
	case s.commit != "on" && s.commit != "remote_apply":
		return "synchronous_commit is " + s.commit
	case s.streaming == 0 && s.hidden > 0:
		return "the state of its standbys is not visible to this user: GRANT pg_monitor TO it"
	case s.streaming == 0:
		return fmt.Sprintf("no synchronous standby is connected (%d others)", s.others)
	}
	return ""
}

// saw notes a status.
func (d *database) saw(s status) {
	d.state.down.note("")
	d.state.waiting.Store(int64(s.waiting))
	if s.readOnly {
		d.state.down.note("it is read-only")
	}
	d.lacks(s.missing())
}

// lacks notes why what the database acknowledges isn't on a second machine; "" if it is.
func (d *database) lacks(missing string) {
	if !d.state.naked.note(missing) {
		return
	}
	log := d.o.Logger.With(zap.String(telemetry.KeyStore, d.name), zap.String(telemetry.KeyReason, missing))
	switch {
	case missing == "":
		log.Info("a database is replicated")
	case d.o.AllowUnreplicated:
		log.Warn("a database is not replicated, as is allowed: what is acknowledged is lost with its disk")
	default:
		log.Error("a database is not replicated: nothing new is acknowledged until it is")
	}
}

// unreachable notes that a database can't be asked.
func (d *database) unreachable(err error) {
	if d.state.down.note(err.Error()) {
		d.o.Logger.Error("a database can't be reached", zap.String(telemetry.KeyStore, d.name), zap.Error(err))
	}
}

// allows refuses what must not be acknowledged now.
func (d *database) allows() error {
	if missing := d.state.naked.String(); missing != "" && !d.o.AllowUnreplicated {
		return fmt.Errorf("pgstore: %s: %w: %s", d.name, ErrUnreplicated, missing)
	}
	return nil
}

// vouch says, behind a commit, whether it may be acknowledged.
func (d *database) vouch(l *link, names string) error {
	if w := l.warning.Swap(nil); w != nil {
		return fmt.Errorf("pgstore: %s: %w: %v", d.name, errWarned, *w)
	}
	if names == "" && !d.o.AllowUnreplicated {
		d.lacks("synchronous_standby_names is empty")
		return fmt.Errorf("pgstore: %s: %w: synchronous_standby_names is empty; the outcome is unknown", d.name, ErrUnreplicated)
	}
	return nil
}

// namesSQL is asked behind each commit: clearing synchronous_standby_names ends all waits for standbys as if they had been served.
const namesSQL = `SELECT current_setting('synchronous_standby_names')`

// outcome notes what the end of a write says about the disk.
func (d *database) outcome(err error) {
	switch {
	case err == nil:
		d.state.fullUntil.Store(0)
	case errors.Is(err, store.ErrFull):
		d.state.fullUntil.Store(time.Now().Add(fullFor).UnixNano())
	}
}

// health is how a database is.
func (d *database) health() (store.State, string) {
	down, naked := d.state.down.String(), d.state.naked.String()
	switch {
	case down != "":
		if refused := d.state.refused.String(); refused != "" {
			down += "; " + refused
		}
		return store.Held, d.name + " can't be reached: " + down
	case time.Now().UnixNano() < d.state.fullUntil.Load():
		return store.Full, d.name + " has no room left on its disk"
	case naked != "" && !d.o.AllowUnreplicated:
		return store.Held, d.name + " is not replicated: " + naked
	case naked != "":
		return store.Serving, d.name + " is not replicated, as is allowed: " + naked
	}
	return store.Serving, ""
}
