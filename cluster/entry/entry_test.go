package entry

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/jackdaw-im/jackdaw/cluster/member"
	"github.com/jackdaw-im/jackdaw/cluster/trust"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/internal/simnet"
)

// node is one of the cluster: its keys, and what gossip would tell it.
type node struct {
	r     *rig
	name  string
	sim   *simnet.Node
	live  *trust.Live
	entry *Entry
	logs  *observer.ObservedLogs

	mu      sync.Mutex
	self    member.Member
	hidden  []string // whom it doesn't see
	suspect []string
	off     atomic.Int64 // of its clock
	missing []member.Past
	outcast error
	taken   int // times that it was taken back
}

type rig struct {
	*testing.T
	net   *simnet.Net
	nodes map[string]*node
	first *trust.Bundle
}

// run gives a test a cluster in fake time.
func run(t *testing.T, test func(r *rig), names ...string) {
	synctest.Test(t, func(t *testing.T) {
		b, err := trust.New("test", nil, "", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		r := &rig{T: t, net: simnet.New(1, t), nodes: map[string]*node{}, first: b}
		for _, name := range names {
			r.start(name, b)
		}
		test(r)
	})
}

// start makes a node that is active, with a bundle.
func (r *rig) start(name string, b *trust.Bundle) *node {
	r.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	n := &node{r: r, name: name, sim: r.net.Node(name), logs: logs}
	n.self = member.Member{ID: ident.NodeID(name + "@1"), Name: name, Gossip: n.sim.Addr(), State: member.Active}
	var err error
	if n.live, err = trust.Create(trust.Options{File: filepath.Join(r.TempDir(), "trust"), Name: name, Dial: n.sim.Dial,
		Now: func() time.Time { return time.Now().Add(time.Duration(n.off.Load())) }}, b); err != nil {
		r.Fatal(err)
	}
	server := trust.NewServer(trust.ServerConfig{Live: n.live})
	server.Start(n.sim.Listen())
	n.entry = New(Config{Live: n.live, Gossip: n, Host: n, Logger: zap.New(core)})
	r.nodes[name] = n
	r.Cleanup(func() {
		n.entry.End()
		server.Stop()
		n.live.Close()
	})
	return n
}

// View implements Gossip.
func (n *node) View() *member.View {
	n.mu.Lock()
	hidden, suspect := n.hidden, n.suspect
	n.mu.Unlock()
	v := &member.View{}
	for name, other := range n.r.nodes {
		m := other.Self()
		m.Suspect = slices.Contains(suspect, name)
		if !slices.Contains(hidden, name) {
			v.Members = append(v.Members, m)
		}
	}
	return v
}

// Self implements Gossip.
func (n *node) Self() member.Member {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.self
}

// Missing implements Gossip.
func (n *node) Missing() []member.Past {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.missing
}

// SetState implements Gossip.
func (n *node) SetState(s member.State) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.self.State = s
}

// ShutOut implements Host.
func (n *node) ShutOut(reason error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.outcast = reason
}

// TakenBack implements Host.
func (n *node) TakenBack() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.outcast != nil {
		n.outcast = nil
		n.taken++
	}
}

// IsOutcast implements Host.
func (n *node) IsOutcast() bool { return n.shut() != nil }

func (n *node) shut() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.outcast
}

// see changes what the node sees.
func (n *node) see(hidden, suspect []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hidden, n.suspect = hidden, suspect
}

// joins makes the node one that wants to join, and begins.
func (n *node) joins(rejected string) {
	n.mu.Lock()
	n.self.State, n.self.Rejected = member.Joining, rejected
	n.mu.Unlock()
	n.entry.Begin()
}

func (n *node) expect(when string, state member.State, reason string) {
	n.r.Helper()
	synctest.Wait()
	err := n.entry.Reason()
	if got := n.Self().State; got != state || (err == nil) != (reason == "") || err != nil && !strings.Contains(err.Error(), reason) {
		n.r.Errorf("%s: %s is %v, because of %v; want %v, %q", when, n.name, got, err, state, reason)
	}
}

// pass lets time pass.
func (r *rig) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// foreign is the first bundle with another authority.
func (r *rig) foreign() *trust.Bundle {
	r.Helper()
	other, err := trust.New("test", nil, "", time.Now())
	if err != nil {
		r.Fatal(err)
	}
	b := *r.first
	b.Authorities = other.Authorities
	return &b
}

// rotate takes all nodes of some names through a whole rotation.
func (r *rig) rotate(revoked string, names ...string) {
	r.Helper()
	first := r.nodes[names[0]].live
	step := func(f func(*trust.Bundle) (*trust.Bundle, error)) {
		if _, err := first.Change(f); err != nil {
			r.Fatal(err)
		}
	}
	if revoked == "" {
		step(func(b *trust.Bundle) (*trust.Bundle, error) { return b.RotateAll("ada", time.Now()) })
	} else {
		step(func(b *trust.Bundle) (*trust.Bundle, error) { return b.Revoke(revoked, "ada", time.Now()) })
	}
	for first.Bundle().Rotating() {
		step(func(b *trust.Bundle) (*trust.Bundle, error) { return b.Advance(time.Now()) })
	}
	for _, name := range names[1:] {
		if _, err := r.nodes[name].live.Merge(first.Bundle()); err != nil {
			r.Fatal(err)
		}
	}
}

// TestEntry: a node becomes active at once if another one and it accept each other, or if there is nobody who could refuse, and not before
// gossip lets it.
func TestEntry(t *testing.T) {
	run(t, func(r *rig) {
		b := r.nodes["b"]
		b.joins("it has met nobody")
		r.pass(time.Minute)
		b.expect("kept out by gossip", member.Joining, "")
		b.mu.Lock()
		b.self.Rejected = ""
		b.mu.Unlock()
		r.pass(100 * time.Millisecond)
		b.expect("let in", member.Active, "")
		b.entry.End()
		b.entry.End()

		c := r.nodes["c"]
		c.see([]string{"a", "b"}, nil)
		c.joins("")
		r.pass(time.Second)
		c.expect("alone", member.Active, "")
		if len(c.entry.Seen()) != 0 || len(b.entry.Seen()) != 2 {
			t.Errorf("c has seen %v, b %v", c.entry.Seen(), b.entry.Seen())
		}
	}, "a", "b", "c")
}

// TestKeptOut: a node whose certificates are of another authority stays out, says why, and once, and is let in when it has the right ones.
func TestKeptOut(t *testing.T) {
	run(t, func(r *rig) {
		n := r.start("n", r.foreign())
		n.joins("")
		r.pass(time.Minute)
		n.expect("another authority", member.Joining, "don't accept each other")
		if k := n.logs.FilterMessage("this node stays out of the cluster").Len(); k != 1 {
			t.Errorf("it said so %d times", k)
		}
		if _, err := n.live.Change(func(b *trust.Bundle) (*trust.Bundle, error) {
			next := b.RotateToken("x", time.Now())
			next.Authorities = r.first.Authorities
			return next, nil
		}); err != nil {
			t.Fatal(err)
		}
		r.pass(2 * time.Second)
		n.expect("with the right one", member.Active, "")
	}, "a", "b")
}

// TestShutOut: a node that all those whom it knew refuse is shut out, says so, and is taken back by one that accepts it.
func TestShutOut(t *testing.T) {
	for _, revoked := range []string{"", "n"} {
		run(t, func(r *rig) {
			n := r.nodes["n"]
			n.joins("")
			r.pass(10 * time.Second)
			n.expect("at first", member.Active, "")
			r.rotate(revoked, "a", "b")
			n.see(nil, []string{"a", "b"})
			r.pass(10 * time.Second)
			if err := n.shut(); err == nil || !strings.Contains(err.Error(), "doesn't accept this node any more") {
				t.Fatalf("revoked %q: it is shut out because of %v", revoked, err)
			}
			n.expect("shut out", member.Active, "a new token")
			if len(n.entry.Seen()) != 2 {
				t.Errorf("it has seen %v", n.entry.Seen())
			}

			n.see(nil, nil) // by gossip alone it isn't taken back
			r.pass(10 * time.Second)
			if n.shut() == nil {
				t.Error("it is taken back by who doesn't accept it")
			}
			if revoked != "" {
				return
			}
			if _, err := n.live.Merge(r.nodes["a"].live.Bundle()); err != nil {
				t.Fatal(err)
			}
			r.pass(10 * time.Second)
			n.expect("taken back", member.Active, "")
			if n.shut() != nil || n.taken != 1 {
				t.Errorf("it is shut out because of %v, and was taken back %d times", n.shut(), n.taken)
			}
		}, "a", "b", "n")
	}
}

// TestAway: a node that was away while all keys were rotated meets nobody by gossip. It stays out all the same, and the one that has the new keys goes
// on, though neither accepts the other and it is the only one; so it does after it has revoked the other.
func TestAway(t *testing.T) {
	for _, revoked := range []string{"", "n"} {
		run(t, func(r *rig) {
			a, n := r.nodes["a"], r.nodes["n"]
			a.joins("")
			r.pass(10 * time.Second)
			r.rotate(revoked, "a")
			a.see([]string{"n"}, nil)
			n.see([]string{"a"}, nil)
			a.missing, n.missing = []member.Past{{Addr: n.sim.Addr()}}, []member.Past{{Addr: a.sim.Addr()}}
			n.joins("")
			r.pass(time.Minute)
			a.expect("it has the new keys", member.Active, "")
			n.expect("it was away", member.Joining, "doesn't accept this node any more")
			if a.shut() != nil {
				t.Errorf("who has the new keys is shut out: %v", a.shut())
			}
			n.entry.End()

			n = r.start("n", r.first) // it begins while nobody answers
			a.sim.Pause()
			n.see([]string{"a"}, nil)
			n.missing = []member.Past{{Name: "a", Addr: a.sim.Addr()}}
			n.joins("")
			r.pass(10 * time.Second)
			n.expect("nobody answers", member.Active, "")
			a.sim.Resume()
			r.pass(20 * time.Second)
			if n.shut() == nil {
				t.Error("it goes on by itself")
			}
			a.sim.Pause()
			r.pass((forgiveLooks - 2) * watchPause)
			if n.shut() == nil {
				t.Error("it doesn't wait for the one that doesn't answer any more")
			}
			r.pass(2 * forgiveLooks * watchPause) // a look takes as long as nobody answers
			if n.shut() != nil {
				t.Error("it is shut out by somebody who is gone")
			}
			a.sim.Resume()
			r.pass(20 * time.Second)
			if n.shut() == nil {
				t.Error("who is back has no say")
			}
		}, "a", "n")
	}
}

// TestRevokedAreNotAsked: a node that was revoked has no say, at whatever address of the past it is, and whatever keys it makes.
func TestRevokedAreNotAsked(t *testing.T) {
	for name, want := range map[string]member.State{"n": member.Active, "": member.Joining} { // the address alone, of before names were kept, could be anybody's
		run(t, func(r *rig) {
			a, n := r.nodes["a"], r.nodes["n"]
			r.rotate("n", "a")
			r.rotate("", "n")
			r.rotate("", "n")
			a.see([]string{"n"}, nil)
			a.missing = []member.Past{{Name: name, Addr: n.sim.Addr()}}
			a.joins("")
			r.pass(10 * time.Second)
			if got := a.Self().State; got != want {
				t.Errorf("named %q: %v, %v", name, got, a.entry.Reason())
			}
		}, "a", "n")
	}
}

// TestClockOfAnother: that another node's clock is a year off doesn't shut this one out.
func TestClockOfAnother(t *testing.T) {
	for _, off := range []time.Duration{-400 * 24 * time.Hour, 400 * 24 * time.Hour} {
		run(t, func(r *rig) {
			a, n := r.nodes["a"], r.nodes["n"]
			a.joins("")
			n.joins("")
			r.pass(10 * time.Second)
			n.off.Store(int64(off))
			n.SetState(member.Joining) // as gossip does to it
			r.pass(time.Minute)
			if a.shut() != nil {
				t.Errorf("%v off: %v", off, a.shut())
			}
		}, "a", "n")
	}
}

// TestParted: of two parts of a cluster of which one has missed a rotation the nodes of that one say so, now and then, and go on.
func TestParted(t *testing.T) {
	run(t, func(r *rig) {
		a, n := r.nodes["a"], r.nodes["n"]
		for name, hidden := range map[string][]string{"a": {"n", "m"}, "b": {"n", "m"}, "n": {"a", "b"}, "m": {"a", "b"}} {
			r.nodes[name].see(hidden, nil)
			for _, h := range hidden {
				r.nodes[name].missing = append(r.nodes[name].missing, member.Past{Name: h, Addr: r.nodes[h].sim.Addr()})
			}
		}
		a.joins("")
		n.joins("")
		said := func(n *node) int { return n.logs.FilterMessageSnippet("a part of the cluster has later keys").Len() }
		r.pass(time.Minute)
		if said(a)+said(n) > 0 {
			t.Error("they have the same keys")
		}
		r.rotate("", "a", "b")
		r.pass(9 * time.Minute)
		if said(a) != 0 || said(n) != 1 || a.shut() != nil || n.shut() != nil {
			t.Errorf("said %d times by the one with later keys, %d by the other; shut out: %v, %v", said(a), said(n), a.shut(), n.shut())
		}
		r.pass(4 * time.Minute)
		if said(n) != 2 {
			t.Errorf("said %d times", said(n))
		}
	}, "a", "b", "n", "m")
}

// TestNotShutOut: a node that reaches nobody, or that one node accepts, goes on.
func TestNotShutOut(t *testing.T) {
	run(t, func(r *rig) {
		n := r.nodes["n"]
		n.joins("")
		r.pass(10 * time.Second)
		r.net.Partition([]string{"n"}, []string{"a", "b"})
		n.see([]string{"a", "b"}, nil)
		r.pass(time.Minute)
		if n.shut() != nil {
			t.Errorf("cut off: %v", n.shut())
		}
		r.net.Heal()
		r.rotate("", "a")
		r.pass(time.Minute)
		if n.shut() != nil {
			t.Errorf("b accepts it: %v", n.shut())
		}
		r.rotate("", "b")
		r.pass(time.Minute)
		if err := n.shut(); !errors.Is(err, trust.ErrRefused) && !errors.Is(err, trust.ErrOtherAuthority) {
			t.Errorf("nobody accepts it: %v", err)
		}
	}, "a", "b", "n")
}
