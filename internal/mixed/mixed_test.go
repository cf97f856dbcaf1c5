package mixed

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/client"
	"github.com/jackdaw-im/jackdaw/internal/talk"
	"github.com/jackdaw-im/jackdaw/internal/testcluster"
	"github.com/jackdaw-im/jackdaw/internal/testnode"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

var folder string

// once builds the older version, for all tests.
var once = sync.OnceValues(func() (*older, error) {
	// The go command finds in its cache what it has compiled before if the folder is the same each time.
	folder = filepath.Join(os.TempDir(), "jackdaw-mixed-"+oldest[:12])
	err := os.Mkdir(folder, 0o700)
	if errors.Is(err, fs.ErrExist) { // another run's, or one that was cut short has left it
		folder, err = os.MkdirTemp("", "jackdaw-mixed-")
	}
	if err != nil {
		folder = ""
		return nil, err
	}
	return build(context.Background(), oldest, folder)
})

func TestMain(m *testing.M) {
	code := m.Run()
	if err := errors.Join(testnode.RemoveBuild(), os.RemoveAll(folder)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// built is the older version.
func built(t *testing.T) *older {
	t.Helper()
	o, err := once()
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// fleet is a cluster whose nodes are replaced while users talk.
type fleet struct {
	*testing.T
	c          *testcluster.Cluster
	n1, n2, n3 *testcluster.Node
	old, now   string // binaries
	crowd      *talk.Crowd
	began      time.Time
	quick      bool
	stops      map[string][]time.Time // when each node was told to end
	lost       map[loss]bool          // what nodes have said of others that are lost (since is left out), and whether these had been told to end
}

// TestRollingUpgrade takes a cluster from the oldest version to this one and back, node by node.
func TestRollingUpgrade(t *testing.T) {
	f := &fleet{T: t, old: built(t).binary}
	var err error
	if f.now, err = testnode.Build(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.began = time.Now()
	f.c = testcluster.Run(t, testcluster.Config{Nodes: 2, Databases: 2, Binary: f.old})
	f.c.SetBinary(f.now)
	f.add("a new node joins two old ones")
	f.n1, f.n2, f.n3 = f.c.Nodes[0], f.c.Nodes[1], f.c.Nodes[2]
	for _, prefix := range []string{"u", "s", "t", "w"} {
		if err := f.n3.Import(t.Context(), testnode.Users(prefix, "localhost", 10, talk.Password)); err != nil {
			t.Fatal(err)
		}
	}
	addrs := f.c.Addrs()
	if f.crowd, err = talk.Start(t.Context(), talk.Config{Users: 10, Addrs: func() []string { return addrs }, Every: 40 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	defer f.crowd.Close()

	f.suite("s", f.n1, f.n3)
	f.roll(f.n1, f.now)
	f.rotate(f.n1)
	f.suite("t", f.n2, f.n1)
	f.roll(f.n2, f.now)
	// And back: by SIGTERM alone, which makes a new node hand its streams over to nodes of both versions, and at last by a drain that an
	// old node asks for.
	f.quick = true
	f.roll(f.n3, f.old)
	f.suite("w", f.n2, f.n3)
	f.roll(f.n1, f.old)
	f.quick = false
	f.roll(f.n2, f.old)

	report, err := f.crowd.Finish(t.Context())
	t.Logf("%+v", report)
	if err != nil || len(report.Faults) > 0 || report.Reordered > 0 {
		t.Errorf("%v, %q", err, report.Faults)
	}
	if report.Acked < 1000 {
		t.Errorf("only %d messages were acknowledged", report.Acked)
	}
}

func (f *fleet) step(what string) { f.Logf("%5.1f s: %s", time.Since(f.began).Seconds(), what) }

// whole waits until all nodes are one cluster, and everybody is served.
func (f *fleet) whole() {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.Context(), talk.Patience)
	defer cancel()
	if err := errors.Join(f.c.WaitReady(ctx), f.c.WaitWhole(ctx)); err != nil {
		f.Fatal(err)
	}
	if f.crowd != nil {
		if err := errors.Join(f.crowd.Online(ctx), f.crowd.Says(ctx, 100)); err != nil {
			f.Fatal(err)
		}
	}
}

// rotate has the keys of gossip rotated, which some node of one of the versions has to lead.
func (f *fleet) rotate(by *testcluster.Node) {
	f.Helper()
	if out, err := by.Command(f.Context(), "cluster", "rotate", "gossip", "--data", by.Data); err != nil {
		f.Fatal(err, out)
	}
	f.whole()
	f.step("the keys of gossip are rotated by nodes of both versions")
}

func (f *fleet) add(what string) {
	f.Helper()
	if _, err := f.c.Add(f.Context()); err != nil {
		f.Fatal(err)
	}
	f.whole()
	f.step(what)
}

// roll replaces a node's version. Unless it is to be quick, the node is drained first, by another one.
func (f *fleet) roll(n *testcluster.Node, binary string) {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.Context(), talk.Patience)
	defer cancel()
	if !f.quick {
		f.drain(n)
		// How many of the crowd's streams go on depends on the older version. Nothing may be lost either way; the suite's has to go on.
		r := f.crowd.Report()
		f.Logf("%s is drained: in all %d streams went on elsewhere, %d had to begin anew", n.Name, r.Resumed, r.Anew)
	}
	if f.stops == nil {
		f.stops, f.lost = map[string][]time.Time{}, map[loss]bool{}
	}
	f.stops[n.Name] = append(f.stops[n.Name], time.Now())
	if err := n.Stop(ctx); err != nil {
		f.Fatal(err)
	}
	n.SetBinary(binary)
	if err := n.Start(ctx); err != nil {
		f.Fatal(err)
	}
	f.whole()
	f.step(map[string]string{f.old: "old is ", f.now: "new is "}[binary] + n.Name)
}

// drain has the next node drain a node.
func (f *fleet) drain(n *testcluster.Node) {
	f.Helper()
	by := map[*testcluster.Node]*testcluster.Node{f.n1: f.n2, f.n2: f.n3, f.n3: f.n1}[n]
	if out, err := by.Command(f.Context(), "drain", n.Name, "--data", by.Data, "--over", "100ms", "--timeout", "30s"); err != nil {
		f.Fatal(out, err)
	}
}

const ping = "<ping xmlns='urn:xmpp:ping'/>"

// suite has users of two nodes of different versions do all that takes more than one node. There are ten of them, with a prefix.
func (f *fleet) suite(prefix string, one, other *testcluster.Node) {
	f.Helper()
	user := func(i int) string { return fmt.Sprintf("%s%d@localhost", prefix, i) }
	visit := func(n *testcluster.Node, i int) *talk.Guest { return talk.Visit(f, n.C2STLS, user(i)+"/r") }

	// Contacts: subscriptions, rosters, presence, both ways.
	a, b := visit(one, 0), visit(other, 1)
	a.Write("<presence type='subscribe' to='" + user(1) + "'/>")
	b.Sees(user(0), "subscribe")
	b.Write("<presence type='subscribed' to='" + user(0) + "'/>")
	b.Write("<presence type='subscribe' to='" + user(0) + "'/>")
	a.Sees(b.JID(), "")
	a.Await("the other's request", func(got []*xmpp.Element) bool {
		for _, e := range got {
			if e.Name == "presence" && e.Attr("type") == "subscribe" && e.Attr("from") == user(1) {
				return true
			}
		}
		return false
	})
	a.Write("<presence type='subscribed' to='" + user(1) + "'/>")
	b.Sees(a.JID(), "")
	for of, g := range map[string]*talk.Guest{user(1): a, user(0): b} {
		answer, err := g.Ask("get", "", "<query xmlns='jabber:iq:roster'/>")
		if err != nil || !strings.Contains(string(answer.AppendXML(nil, "")), of) {
			f.Fatalf("the roster of %s: %v, %v", g.JID(), answer, err)
		}
	}
	// Requests from one to the other, and to a resource that isn't there.
	for from, to := range map[*talk.Guest]*talk.Guest{a: b, b: a} {
		if _, err := from.Ask("get", to.JID(), ping); err != nil {
			f.Fatalf("a ping from %s to %s: %v", from.JID(), to.JID(), err)
		}
		_, err := from.Ask("get", to.JID()+"/gone", ping)
		if refused := (*client.RequestError)(nil); !errors.As(err, &refused) || refused.Condition != "service-unavailable" {
			f.Fatalf("a ping to nobody: %v", err)
		}
	}
	// Messages, to those who are there and to one who comes later.
	a.Say(user(1), 30)
	b.Say(a.JID(), 30)
	a.Hears(b)
	b.Hears(a)
	d := visit(other, 3)
	d.Say(user(2), 10)
	d.Acked()
	visit(one, 2).Hears(d)
	f.suiteMoves(one, other, visit(one, 4), visit(other, 5))
	a.Cut() // its session is lost only when it can't be resumed any more
	f.step("suite " + prefix)
}

// suiteMoves has a user go from node to node, by itself and because a node is drained.
func (f *fleet) suiteMoves(one, other *testcluster.Node, goer, stayer *talk.Guest) {
	f.Helper()
	home, _, _ := strings.Cut(goer.JID(), "/")
	hop := func(to *testcluster.Node, leave func()) {
		f.Helper()
		goer.Say(stayer.JID(), 5)
		stayer.Say(home, 5)
		leave()
		stayer.Say(home, 5)
		if !goer.Resume(to.C2STLS, client.DirectTLS) {
			f.Fatalf("the stream wasn't resumed on %s", to.Name)
		}
		goer.Say(stayer.JID(), 5)
		goer.Hears(stayer)
		stayer.Hears(goer)
	}
	for _, to := range []*testcluster.Node{other, one, other, one} {
		hop(to, goer.Cut)
	}
	hop(other, func() {
		f.drain(one)
		if end := (*xmpp.StreamError)(nil); !errors.As(goer.End(), &end) || end.Condition != xmpp.SeeOtherHost {
			f.Fatalf("sent away with %v", end)
		}
	})
	if out, err := other.Command(f.Context(), "undrain", one.Name, "--data", other.Data); err != nil {
		f.Fatal(out, err)
	}
	f.whole()
}
