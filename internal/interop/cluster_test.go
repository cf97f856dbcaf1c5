//go:build linux

package interop

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackdaw-im/jackdaw/internal/testcluster"
	"github.com/jackdaw-im/jackdaw/internal/testnode"
)

// trio is a cluster of three nodes, whose accounts are others than those of the shared server.
type trio struct {
	cluster *testcluster.Cluster
	at      [3]*server
	dir     string
}

// cluster is that of all tests, once one has needed it.
var cluster struct {
	once sync.Once
	trio *trio
	err  error
}

// needCluster returns the cluster, started at the first call. Where the clients aren't to be run it skips the test.
func needCluster(t *testing.T) *trio {
	t.Helper()
	needClients(t)
	cluster.once.Do(func() { cluster.trio, cluster.err = startCluster(shared.certificates) })
	if cluster.err != nil {
		t.Fatal(cluster.err)
	}
	return cluster.trio
}

// endCluster ends it, if it was needed. After a failure it prints what the nodes have said last.
func endCluster(failed bool) {
	c := cluster.trio
	if c == nil {
		return
	}
	if failed {
		fmt.Printf("\nthe nodes' last output:\n%s\n", c.cluster.Outputs())
	}
	if err := errors.Join(c.cluster.Close(), os.RemoveAll(c.dir)); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

func startCluster(certs certificates) (_ *trio, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	c := &trio{}
	if c.dir, err = os.MkdirTemp("", "interop-cluster-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(c.dir) // a temporary folder
		}
	}()
	c.cluster, err = testcluster.Start(ctx, testcluster.Config{Nodes: len(c.at), Data: c.dir, Env: []string{
		"JACKDAW_CERTIFICATE=" + certs.cert, "JACKDAW_KEY=" + certs.key, "JACKDAW_LOG_LEVEL=debug"}})
	if err != nil {
		return nil, err
	}
	err = c.cluster.WaitReady(ctx)
	if err == nil {
		err = c.cluster.Nodes[0].Import(ctx, testnode.Users("u", domain, accounts, password))
	}
	if err != nil {
		return nil, errors.Join(err, c.cluster.Close())
	}
	taken := new(atomic.Int32)
	for i, n := range c.cluster.Nodes {
		c.at[i] = &server{c2s: n.C2S, c2sTLS: n.C2STLS, certificates: certs, log: n.Output, stop: n.Kill, taken: taken}
	}
	return c, nil
}

// leavers are the clients that are told by a node to go, or lose it.
var leavers = []string{"slixmpp", "jackdaw/client"}

// leave lets each of the leavers talk with a peer on the last node, has the first node leave in the midst of that, and then calls after.
func leave(t *testing.T, tested feature, prepare func(*login), node func(), after func(*kind, *dialogue)) {
	c := needCluster(t)
	var talks []*dialogue
	var who []*kind
	passed := t.Run("clients", func(t *testing.T) {
		for _, k := range kinds {
			if !slices.Contains(leavers, k.name) {
				continue
			}
			peer := startGoClient(t, c.at[2].login(t, true))
			peer.awaitEvent(online, 1)
			l := c.at[0].login(t, false)
			l.to = peer.jid
			prepare(&l)
			s := k.start(t, l)
			s.awaitEvent(online, 1)
			d := &dialogue{t: t, s: s, peer: peer}
			d.speak(false)
			d.heard()
			talks, who = append(talks, d), append(who, k)
		}
		for _, d := range talks {
			d.speak(true)
		}
		node()
		for i, d := range talks {
			after(who[i], d)
			d.s.mustQuit()
		}
	})
	for _, k := range kinds {
		if slices.Contains(leavers, k.name) {
			k.record(passed, tested)
		}
	}
}

// TestDrain: clients of a node that is emptied are told where to go (RFC 6120 section 4.9.3.19), and resume their streams there: nothing is
// lost, comes twice or out of order.
func TestDrain(t *testing.T) {
	c := needCluster(t)
	n := c.cluster.Nodes[0]
	command := func(args ...string) {
		if out, err := n.Command(t.Context(), append(args, "--data", n.Data)...); err != nil {
			t.Fatal(err, out)
		}
	}
	leave(t, followsDrain, func(*login) {}, func() { command("drain", "--over", "500ms", "--timeout", "30s") }, func(_ *kind, d *dialogue) {
		d.s.awaitEvent(resumed, 1)
		d.speak(false)
		d.heard()
	})
	command("undrain")
	if err := c.cluster.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestNodeEnds: the same where a node is told to end, by SIGTERM, and nothing else. Whoever has been away for longer finds its stream as well.
func TestNodeEnds(t *testing.T) {
	c := needCluster(t)
	n := c.cluster.Nodes[0]
	stop := func() {
		if err := n.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	went := 0
	leave(t, followsDrain, func(*login) {}, stop, func(_ *kind, d *dialogue) {
		d.s.awaitEvent(resumed, 1)
		d.speak(false)
		d.heard()
		went++
	})
	t.Logf("%d of %d clients have resumed their streams on another node", went, len(leavers))
	n.Kill() // also should it have come to nothing
	if err := errors.Join(n.Start(t.Context()), c.cluster.WaitReady(t.Context())); err != nil {
		t.Fatal(err)
	}
}

// TestNodeLost: clients whose node is killed are told that their streams are gone (XEP-0198 section 5), log in on another node, and send again
// what was not acknowledged, as the server does. What comes twice has the same id.
func TestNodeLost(t *testing.T) {
	c := needCluster(t)
	n := c.cluster.Nodes[0]
	proxies := map[string]*proxy{}
	through := func(l *login) {
		p := newProxy(t, l.addr)
		proxies[l.jid], l.addr = p, p.addr()
	}
	kill := func() {
		for _, p := range proxies {
			p.lead(c.at[1].addr(false))
		}
		n.Kill()
	}
	leave(t, outlivesNode, through, kill, func(_ *kind, d *dialogue) {
		d.s.awaitEvent(online, 2)
		if slices.ContainsFunc(d.s.events(), func(e event) bool { return e.kind == resumed }) {
			t.Errorf("%s resumed a stream of a node that is gone", d.s.name)
		}
		d.speak(false)
		d.heardAgain()
	})
	n.Kill() // also should it have come to nothing
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestFirsts(t *testing.T) {
	events := []event{{kind: incoming, id: "1", body: "a"}, {kind: online}, {kind: incoming, id: "2", body: "b"}, {kind: incoming, id: "1", body: "a"},
		{kind: receipt, id: "1"}, {kind: incoming, id: "3", body: "a"}}
	if got := strings.Join(bodies(firsts(events)), " "); got != "a b a" || len(firsts(events)) != 5 {
		t.Errorf("%q of %v", got, firsts(events))
	}
}
