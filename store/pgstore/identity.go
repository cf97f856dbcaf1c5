package pgstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/telemetry"
)

// The reasons why a server isn't used. They are wrapped with its name.
var (
	// ErrLagging says that a server lacks what was acknowledged, if only a mark: a standby was promoted that was behind. What it
	// lacks may be on another standby: promote that one.
	ErrLagging = errors.New("it lacks writes that were acknowledged, so it is not used: promote the standby that is furthest instead")
	// ErrOutdated says that a server is on an older timeline than one that was seen: an old primary that has returned.
	ErrOutdated = errors.New("another server was promoted in its place, so it is not used: make it a standby of that one")
	// ErrForeign says that a server isn't a copy of the one that was there before.
	ErrForeign = errors.New("it is not a copy of the server that was used before")
	// ErrStandby says that a server takes no writes.
	ErrStandby = errors.New("it is a standby")
)

// identity is what tells one server from another at the same address: copies share the system identifier, and each promotion begins
// a new timeline.
type identity struct {
	System   string
	Timeline int64
}

func (id identity) String() string {
	return fmt.Sprintf("system %s, timeline %d", id.System, id.Timeline)
}

// known is the newest server that was seen of a database.
type known struct {
	mu struct {
		sync.Mutex
		id identity
	}
}

// newest returns the newest server seen, the zero value if there was none.
func (k *known) newest() identity {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.mu.id
}

// current reports whether a server is the newest seen.
func (k *known) current(id identity) bool { return k.newest() == id }

// judge compares a server with the newest one seen.
func (k *known) judge(id identity) error {
	switch newest := k.newest(); {
	case newest == identity{}:
		return nil
	case newest.System != id.System:
		return fmt.Errorf("%w (%v, before: %v)", ErrForeign, id, newest)
	case id.Timeline < newest.Timeline:
		return fmt.Errorf("%w (%v, newest: %d)", ErrOutdated, id, newest.Timeline)
	}
	return nil
}

// raise makes a server the newest seen, unless a newer was seen meanwhile, and reports whether that changed anything.
func (k *known) raise(id identity) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.mu.id.System == id.System && k.mu.id.Timeline >= id.Timeline {
		return false
	}
	k.mu.id = id
	return true
}

// whoSQL asks a server who it is. The first eight digits of a log file's name are the timeline; the one in the control file lags.
const whoSQL = `SELECT (SELECT system_identifier FROM pg_control_system()), pg_is_in_recovery(),
	CASE WHEN pg_is_in_recovery() THEN '0' ELSE substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8) END,
	to_regclass('mark') IS NOT NULL`

// unlessRestored adds to the refusal of a server what to do if it lacks something because it was meant to.
func (d *database) unlessRestored(err error) error {
	if d.o.Memory == "" {
		return err
	}
	return fmt.Errorf("%w; if it was restored on purpose, stop all nodes, delete %s of each, and start them", err, d.o.Memory)
}

// admit asks a server, on a new connection, who it is and whether it has what was promised.
func (d *database) admit(ctx context.Context, pc *pgconn.PgConn, l *link) error {
	promised := d.slots.promised() // first, so that no promise is looked for that is younger than the look
	row, err := one(pc.ExecParams(ctx, whoSQL, nil, nil, nil, nil))
	if err != nil {
		return err
	}
	if string(row[1]) == "t" {
		return ErrStandby
	}
	timeline, err := strconv.ParseInt(string(row[2]), 16, 64)
	if err != nil {
		return fmt.Errorf("timeline: %w", err)
	}
	l.who = identity{string(row[0]), timeline}
	if err := d.known.judge(l.who); err != nil {
		err = d.unlessRestored(err)
		d.refuse(err)
		return err
	}
	if len(promised) > 0 {
		stored := map[int]int64{}
		if string(row[3]) == "t" {
			if stored, err = d.marks(ctx, pc); err != nil {
				return err
			}
		}
		if slots := lacking(promised, stored); len(slots) > 0 {
			err := d.unlessRestored(fmt.Errorf("%w (%v; writers %v)", ErrLagging, l.who, slots))
			d.refuse(err)
			return err
		}
	}
	before := d.known.newest()
	if d.known.raise(l.who) {
		if before != (identity{}) { // else it is the first that is met
			d.o.Logger.Info("a database has a new primary", zap.String(telemetry.KeyStore, d.name), zap.Stringer(telemetry.KeyText, l.who))
		}
		d.closeOlder()
	}
	return nil
}

// refuse notes why a server isn't used. It is said once for each reason, not once a second. While the store is being opened, the error
// of that says it.
func (d *database) refuse(err error) {
	if !d.launched.Load() {
		return
	}
	d.state.refusals.Add(1)
	if d.state.refused.note(err.Error()) {
		d.o.Logger.Error("a database server is refused", zap.String(telemetry.KeyStore, d.name), zap.Error(err))
	}
}

// owner is the name of this node's marks. One database may be a shard and the directory, so it holds which.
func (d *database) owner() string { return nameOf(d.o.Node) + "/" + d.name }

// marks reads this node's marks.
func (d *database) marks(ctx context.Context, pc *pgconn.PgConn) (map[int]int64, error) {
	r := pc.ExecParams(ctx, `SELECT slot, seq FROM mark WHERE node = $1`, [][]byte{[]byte(d.owner())}, nil, nil, nil).Read()
	if r.Err != nil {
		return nil, r.Err
	}
	out := map[int]int64{}
	for _, row := range r.Rows {
		slot, err1 := strconv.Atoi(string(row[0]))
		seq, err2 := strconv.ParseInt(string(row[1]), 10, 64)
		if err := errors.Join(err1, err2); err != nil {
			return nil, fmt.Errorf("marks: %w", err)
		}
		out[slot] = seq
	}
	return out, nil
}

// one reads the one row of a result.
func one(rr *pgconn.ResultReader) ([][]byte, error) {
	r := rr.Read()
	if r.Err != nil {
		return nil, r.Err
	}
	if len(r.Rows) != 1 {
		return nil, fmt.Errorf("%d rows, want one", len(r.Rows))
	}
	return r.Rows[0], nil
}
