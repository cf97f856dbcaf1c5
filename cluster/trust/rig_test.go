package trust

import (
	"context"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// canaries are secrets that must never be seen.
const (
	storeCanary     = "canary-store-password"
	directoryCanary = "canary-directory-password"
)

func newBundle(t testing.TB, now time.Time) *Bundle {
	t.Helper()
	b, err := New("test", []DSN{"postgres://jackdaw:" + storeCanary + "@db1:5432/mail?sslmode=verify-full"},
		"host=db2 user=jackdaw password='"+directoryCanary+"' dbname=directory", now)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// must returns a bundle that was made without an error.
func must(t testing.TB) func(*Bundle, error) *Bundle {
	return func(b *Bundle, err error) *Bundle {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

// rigNode is a node with its server on loopback.
type rigNode struct {
	*Live
	addr string
	logs *observer.ObservedLogs
}

// rig is a cluster whose gossip is perfect, but for those who are away.
type rig struct {
	t     *testing.T
	mu    sync.Mutex
	nodes map[string]*rigNode
	away  map[string]bool
	admit func(Joining) error
}

func newRig(t *testing.T, names ...string) *rig {
	r := &rig{t: t, nodes: map[string]*rigNode{}, away: map[string]bool{}}
	b := newBundle(t, time.Now())
	for _, name := range names {
		r.start(name, b)
	}
	return r
}

// start makes a node from a bundle.
func (r *rig) start(name string, b *Bundle) *rigNode {
	r.t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	l, err := Create(Options{File: filepath.Join(r.t.TempDir(), "trust"), Name: name, Logger: zap.New(core)}, b)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(l.Close)
	return r.serve(&rigNode{Live: l, logs: logs}, zap.New(core))
}

func (r *rig) serve(n *rigNode, log *zap.Logger) *rigNode {
	r.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	n.addr = listener.Addr().String()
	s := NewServer(ServerConfig{Live: n.Live, Logger: log, Admit: func(j Joining) error {
		if r.admit == nil {
			return nil
		}
		return r.admit(j)
	}})
	s.Start(listener)
	r.t.Cleanup(s.Stop)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.nodes[n.Name()] = n
	return n
}

// keep starts a keeper for each node.
func (r *rig) keep() {
	for _, name := range sortedKeys(r.nodes) {
		n := r.nodes[name]
		k := NewKeeper(KeeperConfig{Live: n.Live, Period: 20 * time.Millisecond, Members: func() []Member { return r.members(n.Name()) }})
		k.Start()
		r.t.Cleanup(k.Stop)
	}
}

// setAway takes a node out of gossip, or back in.
func (r *rig) setAway(name string, away bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.away[name] = away
}

func (r *rig) members(of string) []Member {
	r.mu.Lock()
	defer r.mu.Unlock()
	var members []Member
	for _, name := range sortedKeys(r.nodes) {
		if name != of && !r.away[name] && !r.away[of] {
			members = append(members, r.member(name))
		}
	}
	return members
}

func (r *rig) member(name string) Member {
	n := r.nodes[name]
	return Member{Name: name, Addr: n.addr, Stamp: n.Stamp()}
}

// until waits until a condition holds at each change of a node, and at every look of the keepers.
func (r *rig) until(what string, holds func() bool) {
	r.t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline.C:
			var state []string
			for _, name := range sortedKeys(r.nodes) {
				state = append(state, name+": "+r.nodes[name].Stamp().String())
			}
			r.t.Fatalf("it never came to %s: %s", what, strings.Join(state, ", "))
		}
	}
}

// agreed reports whether all of them have one bundle, and returns it.
func (r *rig) agreed(names ...string) (*Bundle, bool) {
	first := r.nodes[names[0]].Bundle()
	return first, !slices.ContainsFunc(names, func(n string) bool { return r.nodes[n].Stamp() != first.Stamp() })
}

// join lets a node join at a seed.
func join(seed *rigNode, name string) (*Bundle, error) {
	token, err := seed.NewToken(time.Hour)
	if err != nil {
		return nil, err
	}
	return Join(context.Background(), JoinRequest{Seed: seed.addr, Token: token, Name: name, Advertise: "127.0.0.1:1", Release: "test"})
}
