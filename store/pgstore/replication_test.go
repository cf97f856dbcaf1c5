package pgstore_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/internal/testpg"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/store/pgstore"
	"github.com/jackdaw-im/jackdaw/store/storetest"
)

const waiters = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"

// openOn opens the store in the one database of some servers. Unless a test is about them, there are no marks but the first, so that what a
// test counts is its own.
func openOn(t testing.TB, o pgstore.Options, servers ...*testpg.Server) *pgstore.Engine {
	t.Helper()
	if o.Check == 0 {
		o.Check = 50 * time.Millisecond
	}
	if o.Idle == 0 {
		o.Idle = time.Hour
	}
	e, err := pgstore.Open(testpg.URL("postgres", servers...), o)
	must(t, err)
	t.Cleanup(func() { _ = e.Close() })
	return e
}

func message(n int) store.Append {
	mailbox := ident.UserID(fmt.Sprintf("user%d@test.example", n%7))
	return store.Append{Mailbox: mailbox, ID: storetest.ID(n), Ord: int64(n), Sender: "sender@test.example", Body: []byte("x")}
}

func batchOf(ns ...int) *store.Batch {
	b := &store.Batch{}
	for _, n := range ns {
		b.Appends = append(b.Appends, message(n))
	}
	return b
}

// commitAside commits on a goroutine of its own.
func commitAside(e *pgstore.Engine, b *store.Batch) <-chan error {
	done := make(chan error, 1)
	go func() {
		_, err := e.Mail().Commit(b)
		done <- err
	}()
	return done
}

// eventually waits for a condition that a watch brings about.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); !is(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("still not: %s", what)
		}
	}
}

func inState(e *pgstore.Engine, s store.State) func() bool {
	return func() bool { return e.Health().State == s }
}

// unreplicated reports whether an engine of one shard has noticed that a server has no standby, which each of its databases does for itself.
func unreplicated(e *pgstore.Engine) func() bool {
	return func() bool { return strings.Count(e.Health().Reason, "is not replicated") == 2 }
}

// numbers are the messages that a store holds.
func numbers(t testing.TB, e *pgstore.Engine) []int {
	t.Helper()
	var out []int
	for n := range 7 {
		rows, err := storetest.Rows(t.Context(), e, message(n).Mailbox)
		must(t, err)
		for _, r := range rows {
			out = append(out, int(r.Ord))
		}
	}
	slices.Sort(out)
	return out
}

// TestTraps is about commits that PostgreSQL says have succeeded though no standby has them.
func TestTraps(t *testing.T) {
	s := testpg.Run(t, testpg.Options{Standbys: 1})
	standby := s.Standbys[0]
	e := openOn(t, pgstore.Options{Stuck: 2 * time.Minute}, s)
	_, err := e.Mail().Commit(batchOf(1))
	must(t, err)

	for _, end := range []string{"pg_cancel_backend", "pg_terminate_backend"} {
		t.Run(end, func(t *testing.T) {
			b := batchOf(len(end)) // a new one each time
			standby.Pause()
			done := commitAside(e, b)
			must(t, s.Until(t.Context(), waiters, "1"))
			must(t, s.Exec(t.Context(), "SELECT "+end+"(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"))
			if err := <-done; err == nil || errors.Is(err, store.ErrFull) {
				t.Fatalf("%v for a commit that the standby doesn't have", err)
			}
			done = commitAside(e, b) // unchanged: its rows are there
			must(t, s.Until(t.Context(), waiters, "1"))
			select {
			case err := <-done:
				t.Fatalf("the repetition returned (%v) though the standby hasn't got the rows", err)
			default:
			}
			standby.Resume()
			must(t, <-done)
			r, err := e.Mail().Commit(b)
			if must(t, err); !slices.Equal(r.Duplicates, []int{0}) {
				t.Fatalf("%+v of what is there", r)
			}
		})
	}

	t.Run("the names of standbys are cleared", func(t *testing.T) {
		standby.Pause()
		done := commitAside(e, batchOf(100))
		must(t, s.Until(t.Context(), waiters, "1"))
		must(t, s.Exec(t.Context(), "ALTER SYSTEM SET synchronous_standby_names = ''", "SELECT pg_reload_conf()"))
		if err := <-done; !errors.Is(err, pgstore.ErrUnreplicated) {
			t.Fatalf("%v for a commit whose wait ended because nobody is waited for", err)
		}
		eventually(t, "held", inState(e, store.Held))
		standby.Resume()
		_, err := e.Mail().Commit(batchOf(101))
		if !errors.Is(err, pgstore.ErrUnreplicated) || !strings.Contains(e.Health().Reason, "synchronous_standby_names is empty") {
			t.Fatalf("%v, health %+v", err, e.Health())
		}
		if err := e.Directory().Accounts().Create(&store.Account{User: "a@x"}); !errors.Is(err, pgstore.ErrUnreplicated) {
			t.Fatalf("an account: %v", err)
		}
		_, err = e.Mail().Commit(&store.Batch{Acks: []store.Ack{{Mailbox: message(1).Mailbox, ID: storetest.ID(1), Delete: true}}})
		must(t, err)
		numbers(t, e)
		must(t, s.Synchronous(t.Context(), standby))
		eventually(t, "serving", inState(e, store.Serving))
		_, err = e.Mail().Commit(batchOf(101))
		must(t, err)
	})

	t.Run("the standby is gone", func(t *testing.T) {
		standby.Kill()
		eventually(t, "held", unreplicated(e))
		if _, err := e.Mail().Commit(batchOf(102)); !errors.Is(err, pgstore.ErrUnreplicated) {
			t.Fatal(err)
		}
		late := openOn(t, pgstore.Options{Node: "late@1"}, s) // a node starts meanwhile
		if h := late.Health(); h.State != store.Held {
			t.Fatalf("a node that has just started: %+v", h)
		}
		if got := numbers(t, late); !slices.Contains(got, 101) {
			t.Fatalf("a node that has just started sees %v", got)
		}
		must(t, standby.Start(t.Context()))
		eventually(t, "serving", inState(e, store.Serving))
		eventually(t, "serving there", inState(late, store.Serving))
		_, err := e.Mail().Commit(batchOf(102))
		must(t, err)
	})

	t.Run("a stuck commit is abandoned, not cancelled", func(t *testing.T) {
		e := openOn(t, pgstore.Options{Stuck: 300 * time.Millisecond, Node: "two@1"}, s)
		_, err := e.Mail().Commit(batchOf(103))
		must(t, err)
		standby.Pause()
		b := batchOf(104)
		if _, err := e.Mail().Commit(b); err == nil {
			t.Fatal("acknowledged without the standby")
		}
		// A cancel request would have ended the wait. Nobody else has seen the row either.
		must(t, s.Until(t.Context(), waiters, "1"))
		if got := numbers(t, e); slices.Contains(got, 104) {
			t.Fatalf("%v: a row whose commit waits can be seen", got)
		}
		if err := e.Directory().Accounts().Create(&store.Account{User: "b@x"}); err == nil || errors.Is(err, store.ErrExists) {
			t.Fatalf("an account without the standby: %v", err)
		}
		must(t, s.Until(t.Context(), waiters, "2"))
		standby.Resume()
		must(t, s.Until(t.Context(), waiters, "0"))
		r, err := e.Mail().Commit(b)
		if must(t, err); !slices.Equal(r.Duplicates, []int{0}) {
			t.Fatalf("%+v", r)
		}
		if err := e.Directory().Accounts().Create(&store.Account{User: "b@x"}); !errors.Is(err, store.ErrExists) {
			t.Fatal(err)
		}
	})

	t.Run("marks", func(t *testing.T) { stuckMarks(t, s) })
}

// TestPromotions: a standby that lags is promoted, then the right one, and then the old primary returns. The nodes that refuse the former are
// one that has written what it lacks, one that writes nothing, and one that has only been opened since.
func TestPromotions(t *testing.T) {
	p := testpg.Run(t, testpg.Options{Standbys: 2})
	good, lagging := p.Standbys[0], p.Standbys[1]
	folder := t.TempDir()
	o := pgstore.Options{Node: "writer@1", Memory: filepath.Join(folder, "writer")}
	idle := pgstore.Options{Node: "idle@1", Memory: filepath.Join(folder, "idle"), Idle: 50 * time.Millisecond}
	fresh := pgstore.Options{Node: "fresh@1", Memory: filepath.Join(folder, "fresh")}
	e := openOn(t, o, p, lagging, good)
	nodes := map[*pgstore.Engine]pgstore.Options{e: o, openOn(t, idle, p, lagging, good): idle}
	_, err := e.Mail().Commit(batchOf(1, 2, 3))
	must(t, err)
	must(t, p.WaitReplayed(t.Context(), lagging))
	lagging.Kill()
	_, err = e.Mail().Commit(batchOf(4, 5))
	must(t, err)
	must(t, e.Directory().Accounts().Create(&store.Account{User: "a@x"}))
	nodes[openOn(t, fresh, p, lagging, good)] = fresh
	moreMarks(t, p, "idle")
	p.Kill()
	must(t, lagging.Start(t.Context()))
	must(t, lagging.Promote(t.Context()))

	for e, o := range nodes {
		for _, d := range []string{"shard 0", "directory"} {
			eventually(t, d+" is held for the laggard by "+string(o.Node), func() bool {
				h := e.Health()
				_, reason, _ := strings.Cut(h.Reason, d+" can't be reached")
				reason, _, _ = strings.Cut(reason, "can't be reached")
				return h.State == store.Held && strings.Contains(reason, pgstore.ErrLagging.Error())
			})
		}
		if _, err := e.Mail().Commit(batchOf(4, 5)); err == nil {
			t.Fatalf("%s: the lagging server took an append", o.Node)
		}
		if rows, err := storetest.Rows(t.Context(), e, message(4).Mailbox); err == nil {
			t.Fatalf("%s: the lagging server is read: %v", o.Node, rows)
		}
		must(t, e.Close())
		if _, err := pgstore.Open(testpg.URL("postgres", lagging), o); !errors.Is(err, pgstore.ErrLagging) || !strings.Contains(err.Error(), "delete "+o.Memory) {
			t.Fatalf("%s after a restart: %v", o.Node, err)
		}
	}

	lagging.Kill()
	must(t, good.Promote(t.Context()))
	_, err = good.AddStandby(t.Context())
	must(t, err)
	must(t, good.Synchronous(t.Context(), good.Standbys...))
	openOn(t, idle, p, lagging, good)
	openOn(t, fresh, p, lagging, good)
	e = openOn(t, o, p, lagging, good)
	if got := numbers(t, e); !slices.Equal(got, []int{1, 2, 3, 4, 5}) {
		t.Fatalf("messages %v", got)
	}
	_, err = e.Mail().Commit(batchOf(6))
	must(t, err)

	must(t, p.Start(t.Context())) // the old primary returns, first in the list
	_, err = e.Mail().Commit(batchOf(7))
	must(t, err)
	must(t, e.Close())
	if _, err := pgstore.Open(testpg.URL("postgres", p), o); !errors.Is(err, pgstore.ErrOutdated) {
		t.Fatalf("the old primary: %v", err)
	}
	// Even who remembers nothing finds the newest of several.
	e = openOn(t, pgstore.Options{Node: "two@1"}, p, good)
	if got := numbers(t, e); !slices.Equal(got, []int{1, 2, 3, 4, 5, 6, 7}) {
		t.Fatalf("messages %v", got)
	}
}
