package member

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/internal/simnet"
)

// rig is a cluster on a simulated network, in a bubble.
type rig struct {
	t     *testing.T
	net   *simnet.Net
	nodes []*node
	seq   int
}

// node is one member of it.
type node struct {
	*Membership
	id    ident.NodeID
	sim   *simnet.Node
	logs  *observer.ObservedLogs
	ended bool
	mu    struct {
		sync.Mutex
		heard
	}
}

// heard is what a node's owner has been told.
type heard struct {
	views     []uint64 // ids
	conflicts []error
	kept      []Past
}

func (n *node) note(f func(*heard)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f(&n.mu.heard)
}

// heard returns what the node's owner has been told, and begins anew.
func (n *node) heard() (h heard) {
	n.note(func(was *heard) { h, was.views = *was, nil })
	return h
}

// bubble runs a test in fake time.
func bubble(t *testing.T, f func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, net: simnet.New(1, t)}
		t.Cleanup(r.end)
		f(r)
	})
}

// start starts a node named name, which joins the nodes that are there, up to five.
func (r *rig) start(name string, change ...func(*Config)) *node {
	r.t.Helper()
	r.seq++
	n := &node{id: ident.NodeID(fmt.Sprintf("%s@%d", name, r.seq)), sim: r.net.Node(name)}
	core, logs := observer.New(zap.DebugLevel)
	n.logs = logs
	cfg := Config{Self: Member{ID: n.id, Carriage: n.sim.Addr(), Proto: 1, Release: "1.0", State: Active, Weight: 100},
		Transport: n.sim.Transport(), Label: "test", Logger: zap.New(core),
		OnView:     func(v *View) { n.note(func(h *heard) { h.views = append(h.views, v.ID) }) },
		OnConflict: func(err error) { n.note(func(h *heard) { h.conflicts = append(h.conflicts, err) }) },
		Remember:   func(a []Past) { n.note(func(h *heard) { h.kept = a }) }}
	for _, other := range r.nodes[:min(len(r.nodes), 5)] {
		cfg.Seeds = append(cfg.Seeds, other.sim.Addr())
	}
	for _, f := range change {
		f(&cfg)
	}
	m, err := Start(cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	n.Membership = m
	r.nodes = append(r.nodes, n)
	return n
}

// cluster starts n nodes, n1, n2, ..., and waits until all agree.
func (r *rig) cluster(n int, change ...func(*Config)) {
	r.t.Helper()
	for i := range n {
		r.start(fmt.Sprintf("n%d", i+1), change...)
	}
	r.agree(time.Minute, r.nodes...)
}

// end closes all.
func (r *rig) end() {
	for _, n := range r.nodes {
		if !n.ended {
			if err := n.Close(); err != nil {
				r.t.Error(err)
			}
		}
	}
	time.Sleep(time.Minute) // what memberlist has under way ends by itself
	synctest.Wait()
}

// until waits in fake time until something is so, at most for a while, and returns how long that took.
func (r *rig) until(what string, atMost time.Duration, so func() bool) time.Duration {
	r.t.Helper()
	start, step := time.Now(), 10*time.Millisecond
	if len(r.nodes) > 20 {
		step = 500 * time.Millisecond
	}
	for !so() {
		if time.Since(start) > atMost {
			r.show()
			r.t.Fatalf("not within %v: %s", atMost, what)
		}
		time.Sleep(step)
		synctest.Wait()
	}
	return time.Since(start)
}

// show prints every node's view.
func (r *rig) show() {
	for _, n := range r.nodes {
		var b strings.Builder
		for _, m := range n.View().Members {
			fmt.Fprintf(&b, "\n   %s %s suspect=%v %s", m.ID, m.State, m.Suspect, m.Rejected)
		}
		r.t.Logf("%s sees %x: %s", n.id, n.View().ID, b.String())
	}
}

// agree waits until the nodes place each other and nobody else, and each knows that the others do.
func (r *rig) agree(atMost time.Duration, nodes ...*node) time.Duration {
	r.t.Helper()
	var ids []ident.NodeID
	for _, n := range nodes {
		ids = append(ids, n.id)
	}
	slices.Sort(ids)
	return r.until(fmt.Sprint("a view of ", ids), atMost, func() bool {
		for _, n := range nodes {
			if !slices.Equal(n.placed(), ids) || !n.Agreed() || n.View().ID != nodes[0].View().ID {
				return false
			}
		}
		return true
	})
}

// placed are the ids of those that the node places.
func (n *node) placed() (ids []ident.NodeID) {
	for _, p := range n.View().Placed() {
		ids = append(ids, p.ID)
	}
	return ids
}

// said counts the log entries with a message.
func (n *node) said(message string) int { return n.logs.FilterMessage(message).Len() }

// names are the names of some nodes' hosts.
func names(nodes ...*node) (list []string) {
	for _, n := range nodes {
		list = append(list, n.sim.Name())
	}
	return list
}
