package pgstore_test

import (
	"errors"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/jackdaw-im/jackdaw/internal/testpg"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/store/pgstore"
	"github.com/jackdaw-im/jackdaw/telemetry"
)

// load is writers that append, each repeating a batch unchanged until it is acknowledged.
type load struct {
	e     *pgstore.Engine
	acked atomic.Int64
	failed,
	doubled atomic.Int64
	stop    chan struct{}
	writers sync.WaitGroup
	mu      struct {
		sync.Mutex
		promised []int
	}
}

func startLoad(e *pgstore.Engine) *load {
	l := &load{e: e, stop: make(chan struct{})}
	for w := range 4 {
		l.writers.Go(func() { l.write(w) })
	}
	return l
}

func (l *load) write(w int) {
	pause := time.NewTicker(5 * time.Millisecond)
	defer pause.Stop()
	for n := 0; ; n += 5 {
		var ns []int
		for i := range 5 {
			ns = append(ns, 1_000_000*(w+1)+n+i)
		}
		b := batchOf(ns...)
		for {
			select {
			case <-l.stop:
				return
			default:
			}
			r, err := l.e.Mail().Commit(b)
			if err == nil {
				l.doubled.Add(int64(len(r.Duplicates)))
				break
			}
			l.failed.Add(1)
			<-pause.C
		}
		l.mu.Lock()
		l.mu.promised = append(l.mu.promised, ns...)
		l.mu.Unlock()
		l.acked.Add(int64(len(ns)))
	}
}

// more waits for so many more acknowledgements.
func (l *load) more(t testing.TB, n int64) {
	t.Helper()
	goal := l.acked.Load() + n
	eventually(t, "acknowledged: as many as wanted", func() bool { return l.acked.Load() >= goal })
}

// end ends the writers and compares the store with what they were promised.
func (l *load) end(t testing.TB) {
	t.Helper()
	close(l.stop)
	l.writers.Wait()
	there := map[int]bool{}
	for _, n := range numbers(t, l.e) {
		there[n] = true
	}
	for _, n := range l.mu.promised {
		if !there[n] {
			t.Errorf("message %d was acknowledged and is lost", n)
		}
	}
	t.Logf("%d acknowledged, none lost; %d commits failed and were repeated, %d messages were there by then", len(l.mu.promised), l.failed.Load(), l.doubled.Load())
}

// TestKilledServer kills the server, which has no standby, in the middle of its work and starts it again.
func TestKilledServer(t *testing.T) {
	s := testpg.Run(t, testpg.Options{})
	l := startLoad(openOn(t, pgstore.Options{AllowUnreplicated: true}, s))
	for range 3 {
		l.more(t, 500)
		s.Kill()
		failed := l.failed.Load()
		eventually(t, "noticed by a writer", func() bool { return l.failed.Load() > failed })
		eventually(t, "held", inState(l.e, store.Held))
		must(t, s.Start(t.Context()))
	}
	l.more(t, 500)
	eventually(t, "serving", inState(l.e, store.Serving))
	l.end(t)
}

// received is how far a standby has got, in an order that texts have.
func received(t testing.TB, s *testpg.Server) string {
	t.Helper()
	lsn, err := s.Text(t.Context(), "SELECT lpad(split_part(pg_last_wal_receive_lsn()::text, '/', 1), 8, '0') || lpad(split_part(pg_last_wal_receive_lsn()::text, '/', 2), 8, '0')")
	must(t, err)
	return lsn
}

// TestLostPrimary kills the primary and deletes its disk; the standby that is furthest is promoted, and the other follows it.
func TestLostPrimary(t *testing.T) {
	p := testpg.Run(t, testpg.Options{Standbys: 2})
	standbys := slices.Clone(p.Standbys)
	l := startLoad(openOn(t, pgstore.Options{Stuck: 5 * time.Second}, append(standbys, p)...))
	l.more(t, 1000)
	must(t, p.Destroy())
	next, other := standbys[0], standbys[1]
	if received(t, other) > received(t, next) {
		next, other = other, next
	}
	must(t, next.Promote(t.Context()))
	must(t, other.Follow(t.Context(), next))
	must(t, next.Synchronous(t.Context(), other))
	l.more(t, 1000)
	eventually(t, "serving", inState(l.e, store.Serving))
	l.end(t)
}

// TestTwinPrimaries: the old primary still answers when another is promoted, as it may when a network is parted. The engine leaves it.
func TestTwinPrimaries(t *testing.T) {
	p := testpg.Run(t, testpg.Options{Standbys: 1})
	core, logs := observer.New(zapcore.ErrorLevel)
	e := openOn(t, pgstore.Options{Logger: zap.New(core)}, p, p.Standbys[0])
	_, err := e.Mail().Commit(batchOf(1))
	must(t, err)
	next := p.Standbys[0]
	must(t, next.Promote(t.Context()))
	must(t, next.Synchronous(t.Context()))
	eventually(t, "the new primary's state is seen", func() bool {
		_, err := e.Mail().Commit(batchOf(2))
		return errors.Is(err, pgstore.ErrUnreplicated) && e.Health().State == store.Held
	})
	must(t, p.Until(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'jackdaw%' AND state <> 'active'", "0"))
	must(t, next.Until(t.Context(), "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name LIKE 'jackdaw%'", "true"))
	// It is asked again and again whether it is the newest, and that it isn't is said once of each database.
	sessions := func() int {
		text, err := p.Text(t.Context(), "SELECT sessions FROM pg_stat_database WHERE datname = 'postgres'")
		must(t, err)
		n, err := strconv.Atoi(text)
		must(t, err)
		return n
	}
	before, own := sessions(), 0
	eventually(t, "the old primary is asked ten times more", func() bool {
		own++
		return sessions()-own >= before+10
	})
	said := map[any]int{}
	for _, entry := range logs.FilterMessage("a database server is refused").All() {
		said[entry.ContextMap()[telemetry.KeyStore]]++
	}
	if len(said) != 2 || said["shard 0"] != 1 || said["directory"] != 1 {
		t.Errorf("refusals were said so often: %v", said)
	}
}
