package misuse_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/internal/talk"
	"github.com/jackdaw-im/jackdaw/internal/testcluster"
	"github.com/jackdaw-im/jackdaw/internal/testnode"
	"github.com/jackdaw-im/jackdaw/internal/testpg"
)

// disk makes a small one, for as long as the test runs.
func disk(t *testing.T, megabytes int) *testpg.Disk {
	t.Helper()
	d, err := testpg.NewDisk(megabytes)
	if errors.Is(err, testpg.ErrNoDisk) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// writeLog makes the server end a segment of its log (WAL) and begin the next, for which the disk has to have room. To fill one with messages takes
// long.
var writeLog = []string{"SELECT pg_logical_emit_message(true, 'misuse', '')", "SELECT pg_switch_wal()"}

// TestFullDatabase fills the disk that all of a database is on, its log too. PostgreSQL then ends all connections, can't recover, and ends. As soon as
// there is room, and somebody has started it again, the nodes go on, to which nobody has done anything.
func TestFullDatabase(t *testing.T) {
	d := disk(t, 256)
	r := &rig{T: t, c: testcluster.Run(t, testcluster.Config{Nodes: 3, Disk: d}), began: time.Now()}
	store, nodes := r.c.Store, r.c.Nodes
	if err := nodes[0].Import(r.within(), testnode.Users("u", "localhost", 15, talk.Password)); err != nil {
		t.Fatal(err)
	}
	r.whole()
	var from, to []*talk.Guest
	for i, n := range nodes {
		from = append(from, talk.Visit(r, n.C2STLS, fmt.Sprintf("u%d@localhost/from", i)))
	}
	to = append(to, talk.Visit(r, nodes[1].C2STLS, "u3@localhost/to")) // of the other eleven nobody is there yet
	say := func() {
		for _, g := range from {
			for i := range 12 {
				g.Say(fmt.Sprintf("u%d@localhost", 3+i), 2)
			}
		}
	}
	say()
	for _, g := range from {
		g.Acked()
	}
	if err := d.Fill(); err != nil {
		t.Fatal(err)
	}
	say() // there is room in what the server has already
	r.until("the database to end", func() string {
		say()
		if err := store.Exec(r.within(), writeLog...); err == nil || !store.Ended() {
			return fmt.Sprintf("it goes on: %v", err)
		}
		return ""
	})
	t.Logf("at %.1f s the database has ended", time.Since(r.began).Seconds())
	for _, n := range nodes {
		r.unready(n, "store held: ", "can't be reached: ", "failed to connect")
		t.Logf("%s says: %v", n.Name, n.Ready(r.Context()))
	}
	if err := nodes[0].Import(r.within(), testnode.Users("late", "localhost", 1, talk.Password)); err == nil || !strings.Contains(err.Error(), "failed to connect") {
		t.Errorf("an account is made in no database: %v", err)
	}
	stored := r.stored(from)
	say()
	if err := store.Start(r.within()); err == nil || !strings.Contains(err.Error(), "No space left on device") {
		t.Fatalf("started where it can write nothing, it says %v", err)
	}
	if now := r.stored(from); now != stored {
		t.Errorf("%d messages more are acknowledged, by nodes that have no store", now-stored)
	}
	if err := errors.Join(d.MakeRoom(), store.Start(r.within())); err != nil {
		t.Fatal(err)
	}
	r.whole()
	t.Logf("at %.1f s all is well again", time.Since(r.began).Seconds())
	say()
	for i := 1; i < 12; i++ {
		to = append(to, talk.Visit(r, nodes[i%3].C2STLS, fmt.Sprintf("u%d@localhost/to", 3+i)))
	}
	r.until("an outcome", func() string { return r.open(from) })
	r.delivered(from, to)
	r.refused(from, to[1:])
	for _, g := range append(from, to...) {
		if _, err := g.Ask("get", "", "<ping xmlns='urn:xmpp:ping'/>"); err != nil {
			t.Errorf("%s: its connection of before: %v", g.JID(), err)
		}
	}
	for _, n := range nodes {
		if n.PID() == 0 {
			t.Errorf("%s has ended: %s", n.Name, n.Output())
		}
	}
	t.Logf("%.1f s", time.Since(r.began).Seconds())
}

// refused checks that what was refused for want of room isn't in the store, of which those get messages who were not there meanwhile. Who was may have
// been given one before it could be stored.
func (r *rig) refused(from, to []*talk.Guest) {
	r.Helper()
	why, ids := map[string]int{}, map[string]bool{}
	for _, g := range from {
		for _, e := range g.Errors() {
			why[e]++
		}
		for _, e := range g.Got() {
			if e.Name == "message" && e.Attr("type") == "error" && strings.Contains(string(e.AppendXML(nil, "")), full) {
				ids[e.Attr("id")] = true
			}
		}
	}
	for _, g := range to {
		for _, e := range g.Got() {
			if e.Name == "message" && e.Attr("type") != "error" && ids[e.Attr("id")] {
				r.Errorf("refused, and has come: %s", e.AppendXML(nil, ""))
			}
		}
	}
	r.Logf("refused: %v", why)
}

// stored is how many messages are acknowledged that were not refused.
func (r *rig) stored(from []*talk.Guest) (n int) {
	for _, g := range from {
		n += g.Said() - g.Unanswered() - len(g.Errors())
	}
	return n
}
