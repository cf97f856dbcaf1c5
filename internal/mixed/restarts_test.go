package mixed

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/client"
	"github.com/jackdaw-im/jackdaw/internal/talk"
	"github.com/jackdaw-im/jackdaw/internal/testcluster"
	"github.com/jackdaw-im/jackdaw/internal/testnode"
)

// TestRestarts restarts the nodes of one version one after the other, drained first, and then by SIGTERM alone: all streams go on elsewhere, those
// too that have been on several nodes before. The cluster is looked at as docs/OPERATIONS.md has an operator do it.
func TestRestarts(t *testing.T) {
	const users = 30
	f := &fleet{T: t}
	var err error
	if f.now, err = testnode.Build(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.began = time.Now()
	if f.c, err = testcluster.Start(t.Context(), testcluster.Config{Nodes: 3, Data: t.TempDir(), Binary: f.now}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if t.Failed() {
			t.Log(f.c.Outputs())
		}
		if err := f.c.Close(); err != nil {
			t.Error(err)
		}
	}()
	f.n1, f.n2, f.n3 = f.c.Nodes[0], f.c.Nodes[1], f.c.Nodes[2]
	for prefix, n := range map[string]int{"u": users, "v": 24} {
		if err := f.n3.Import(t.Context(), testnode.Users(prefix, "localhost", n, talk.Password)); err != nil {
			t.Fatal(err)
		}
	}
	addrs := f.c.Addrs()
	if f.crowd, err = talk.Start(t.Context(), talk.Config{Users: users, Addrs: func() []string { return addrs }, Every: 100 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	defer f.crowd.Close()
	f.looksWell(f.n1)
	pairs, resumedInAll, anewInAll := 0, 0, 0
	for _, f.quick = range []bool{false, true} {
		for range 2 {
			for i, n := range f.c.Nodes {
				began, before := time.Now(), f.crowd.Report()
				back := f.away(pairs, n, f.c.Nodes[(i+1)%3], f.c.Nodes[(i+2)%3])
				pairs++
				f.roll(n, f.now)
				f.looksWell(n)
				back()
				after := f.crowd.Report()
				resumed, anew := after.Resumed-before.Resumed, after.Anew-before.Anew
				t.Logf("%s was restarted (SIGTERM alone: %v): %d of %d streams were resumed elsewhere, %d messages came again with their ids", n.Name, f.quick,
					resumed, resumed+anew, after.Duplicates-before.Duplicates)
				if f.gaveUp(began) {
					continue
				}
				resumedInAll, anewInAll = resumedInAll+resumed, anewInAll+anew
				if 10*anew > resumed { // on a slow machine an account may not have heard of a stream yet when its client seeks it
					t.Errorf("%d streams had to begin anew", anew)
				}
			}
		}
	}
	report, err := f.crowd.Finish(t.Context())
	t.Logf("%+v", report)
	if err != nil || len(report.Faults) > 0 || report.Reordered > 0 {
		t.Errorf("%v, %q", err, report.Faults)
	}
	f.gaveUp(f.began) // for what it says of restarts
	if 100*anewInAll > resumedInAll {
		t.Errorf("%d streams had to begin anew, of %d", anewInAll, anewInAll+resumedInAll)
	}
}

// gaveUp reports whether since a moment a node has taken another one for lost that nobody had told to end: the machine had no time for one of
// them. That ends streams, so nothing is said of those of that restart; what was acknowledged must arrive all the same. A node that was told to
// end, and is taken for lost, fails the test: whoever leaves says so. Here all nodes are of this version, so no older one can be the cause.
func (f *fleet) gaveUp(since time.Time) (excused bool) {
	f.Helper()
	for _, n := range f.c.Nodes {
		for _, l := range losses(n.Name, n.Output()) {
			key := l
			key.since = time.Time{} // only the end of a log is kept: later it may not be known
			orderly, known := f.lost[key]
			if !known {
				orderly = l.orderly(f.stops[l.node.Name()])
				f.lost[key] = orderly
			}
			excused = excused || !orderly && l.at.After(since)
			switch {
			case known:
			case orderly:
				f.Errorf("%s took %s for lost at %s, which had been told to end and leaves in order", l.by, l.node, l.since.Format(clock))
			default:
				f.Logf("%s missed %s at %s and gave it up at %s, though it ran and nobody had told it to end: the machine had no time for one of the two, so the streams of this restart aren't looked at",
					l.by, l.node, l.since.Format(clock), l.at.Format(clock))
			}
		}
	}
	return excused
}

// clock is how the time of a loss is told.
const clock = "15:04:05.000"

// looksWell waits until `jackdaw cluster` says what a rolling restart waits for: all agree, nothing waits, every node is ready, and one that has been
// restarted has its share.
func (f *fleet) looksWell(n *testcluster.Node) {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.Context(), talk.Patience)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	share := regexp.MustCompile(`(?m)^` + n.Name + `\*? +active .* [1-9][0-9.]*% `)
	for {
		out, err := n.Command(ctx, "cluster", "--data", n.Data)
		if err == nil && strings.Contains(out, ", all agree;") && strings.Contains(out, ", nothing waits for long") && !strings.Contains(out, "not ready") && share.MatchString(out) {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			f.Fatal(out, err)
		}
	}
}

// away has a user leave a node without a word, to whom another one on another node writes. It comes back by the returned function, on a third one
// and with its stream, and its contact has never seen it go.
func (f *fleet) away(number int, n, other, third *testcluster.Node) (back func()) {
	f.Helper()
	began := time.Now()
	user := func(i int) string { return fmt.Sprintf("v%d@localhost", 2*number+i) }
	goer, stayer := talk.Visit(f, n.C2STLS, user(0)+"/r"), talk.Visit(f, other.C2STLS, user(1)+"/r")
	stayer.Write("<presence type='subscribe' to='" + user(0) + "'/>")
	goer.Sees(user(1), "subscribe")
	goer.Write("<presence type='subscribed' to='" + user(1) + "'/>")
	stayer.Sees(goer.JID(), "")
	goer.Say(stayer.JID(), 5)
	stayer.Say(user(0), 5)
	goer.Cut()
	stayer.Say(user(0), 5)
	return func() {
		f.Helper()
		if !goer.Resume(third.C2STLS, client.DirectTLS) && !f.gaveUp(began) {
			f.Errorf("the stream of one who was away wasn't resumed on %s", third.Name)
		}
		stayer.Say(user(0), 5)
		goer.Say(stayer.JID(), 5)
		goer.Hears(stayer)
		stayer.Hears(goer)
		for _, e := range stayer.Got() {
			if e.Name == "presence" && e.Attr("from") == goer.JID() && e.Attr("type") != "" && !f.gaveUp(began) {
				f.Errorf("its contact was told that it is %s", e.Attr("type"))
			}
		}
	}
}
