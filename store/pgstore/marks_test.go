package pgstore_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/internal/testpg"
	"github.com/jackdaw-im/jackdaw/store/pgstore"
)

// marksOf is the sum of a node's marks in one database.
const marksOf = `SELECT coalesce(sum(seq), 0) FROM mark WHERE node = '%s'`

// moreMarks waits until a node has left several marks in both databases of a server. It leaves one after the other: all but the last were
// acknowledged.
func moreMarks(t testing.TB, s *testpg.Server, node string) {
	t.Helper()
	for _, d := range []string{"shard 0", "directory"} {
		marks := fmt.Sprintf(marksOf, node+"/"+d)
		before, err := s.Text(t.Context(), marks)
		must(t, err)
		must(t, s.Until(t.Context(), "SELECT ("+marks+") > "+before+" + 2", "true"))
	}
}

// TestMarks: a node leaves marks in all databases, first as it opens them and then while it writes nothing. Who only looks leaves none.
func TestMarks(t *testing.T) {
	pair := &ready{url: testpg.Run(t, testpg.Options{Standbys: 1}).URL}
	r := pair.rig(t, func(o *pgstore.Options) { o.AllowUnreplicated = false })
	databases := map[string]string{"shard 0": r.urls[0], "shard 1": r.urls[1], "directory": r.o.Directory}
	marks := func(node string, is func(n int) bool) bool {
		t.Helper()
		for d, url := range databases {
			if !is(count(t, url, fmt.Sprintf(marksOf, node+"/"+d))) {
				return false
			}
		}
		return true
	}
	if !marks("one", func(n int) bool { return n == 1 }) {
		t.Error("a node that was opened has not one mark in each database")
	}
	for node, look := range map[string]func(*pgstore.Options){
		"tool":  func(o *pgstore.Options) { o.Node, o.Tool = "tool@1", true },
		"trial": func(o *pgstore.Options) { o.Node, o.Trial = "trial@1", true },
		"two":   func(o *pgstore.Options) { o.Node = "two@1" },
	} {
		o := r.o
		o.Idle = 10 * time.Millisecond
		look(&o)
		e, err := pgstore.Open(r.list, o)
		must(t, err)
		if node == "two" {
			eventually(t, "several marks in each database", func() bool { return marks(node, func(n int) bool { return n > 3 }) })
		}
		must(t, e.Close())
		if node != "two" && !marks(node, func(n int) bool { return n == 0 }) {
			t.Errorf("marks of a %s", node)
		}
	}
}

// stuckMarks is about marks whose standby hangs: they pile up nowhere, keep nobody, and are no promise, though after a crash of the primary they
// can be seen. The server's one standby is promoted in the end.
func stuckMarks(t *testing.T, s *testpg.Server) {
	standby := s.Standbys[0]
	must(t, s.Exec(t.Context(), "ALTER SYSTEM SET wal_sender_timeout = 0", "SELECT pg_reload_conf()")) // nobody notices that it hangs
	e := openOn(t, pgstore.Options{Node: "idle@1", Idle: 50 * time.Millisecond, Stuck: 300 * time.Millisecond}, s, standby)
	patient := openOn(t, pgstore.Options{Node: "patient@1", Idle: 50 * time.Millisecond, Stuck: 30 * time.Second}, s, standby)
	moreMarks(t, s, "idle")
	standby.Pause()
	must(t, s.Until(t.Context(), waiters, "4"))
	must(t, patient.Close())
	for _, d := range patient.Databases() {
		if d.Abandoned > 0 {
			t.Errorf("closing the store has waited until a mark was given up")
		}
	}
	waits := func(when string) {
		t.Helper()
		if n, err := s.Text(t.Context(), waiters); err != nil || n != "4" {
			t.Fatalf("%s %s commits wait for the standby: %v; want one for each node and database", when, n, err)
		}
	}
	waits("after one node was closed")

	eventually(t, "both marks are given up", func() bool { return e.Databases()[0].Abandoned > 0 && e.Databases()[1].Abandoned > 0 })
	const undone = "SELECT xact_rollback FROM pg_stat_database WHERE datname = 'postgres'"
	before, err := s.Text(t.Context(), undone)
	must(t, err)
	must(t, s.Until(t.Context(), "SELECT ("+undone+") > "+before+" + 10", "true"))
	waits("after some tries more")
	standby.Resume()
	must(t, s.Until(t.Context(), waiters, "0"))
	moreMarks(t, s, "idle")

	// A mark that the standby certainly hasn't got is one that waits for a lock until the standby stands.
	marks := fmt.Sprintf(marksOf, "idle/shard 0")
	c, err := s.Connect(t.Context(), "postgres")
	must(t, err)
	_, err = c.Exec(t.Context(), "BEGIN; LOCK TABLE mark IN EXCLUSIVE MODE")
	must(t, err)
	promised, err := s.Text(t.Context(), marks)
	must(t, err)
	standby.Pause()
	must(t, c.Close(t.Context()))
	must(t, s.Until(t.Context(), waiters, "2"))
	standby.Kill() // with what the network has for it
	s.Kill()
	must(t, s.Start(t.Context()))
	must(t, s.Until(t.Context(), "SELECT ("+marks+") > "+promised, "true"))
	eventually(t, "the marks that no standby has can be seen", unreplicated(e))
	s.Kill()
	must(t, standby.Start(t.Context()))
	must(t, standby.Promote(t.Context()))
	must(t, standby.Until(t.Context(), marks, promised))
	eventually(t, "the standby is used", func() bool {
		_, err := e.Mail().Commit(batchOf(200))
		return unreplicated(e)() && err != nil && strings.Contains(err.Error(), "synchronous_standby_names is empty")
	})
	if got := numbers(t, e); len(got) == 0 {
		t.Error("the promoted standby has nothing")
	}
}
