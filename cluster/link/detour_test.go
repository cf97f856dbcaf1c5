package link_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/cluster/link"
	"github.com/jackdaw-im/jackdaw/ident"
)

// everybody understands detours.
func everybody(ident.NodeID) bool { return true }

// circle is nodes of which each knows each, by the first letters of the alphabet.
func (r *rig) circle(n int, b link.Bounds) (list []*node) {
	for i := range n {
		list = append(list, r.node(ident.NodeID(fmt.Sprintf("%c@1", 'a'+i)), b))
	}
	for _, x := range list {
		for _, y := range list {
			if x != y {
				x.knows(y)
			}
		}
	}
	wait(time.Second)
	return list
}

// way is the path of a node to another one.
func (n *node) way(to *node) link.Path {
	for _, p := range n.Paths() {
		if p.Peer.ID == to.id {
			return p
		}
	}
	return link.Path{}
}

func (n *node) via(t *testing.T, to *node, want ident.NodeID) {
	t.Helper()
	if p := n.way(to); p.Via != want {
		t.Errorf("from %s to %s via %q, not %q: %+v", n.id, to.id, p.Via, want, p)
	}
}

// TestDetour: what a cut keeps from a peer, in one direction or in both, comes by another one within a little more than two seconds, and later envelopes
// don't wait. When the cut is over, the direct way is taken again.
func TestDetour(t *testing.T) {
	for _, both := range []bool{false, true} {
		run(t, 21, func(t *testing.T, r *rig) {
			r.passes = everybody
			list := r.circle(3, link.Bounds{})
			a, b := list[0], list[1]
			r.net.Cut("a", "b")
			if both {
				r.net.Cut("b", "a")
			}
			a.send(t, b, messages, 1, 500)
			b.send(t, a, control, 1, 3)
			wait(1900 * time.Millisecond)
			a.via(t, b, "")
			wait(200 * time.Millisecond)
			a.via(t, b, "c@1")
			b.via(t, a, "c@1")
			wait(300 * time.Millisecond)
			expect(t, "after the detour was found", b.from(a, messages), numbers(1, 500))
			expect(t, "back", a.from(b, control), numbers(1, 3))
			for i := range 30 {
				a.send(t, b, messages, 501+i, 501+i)
				b.send(t, a, presence, 1+i, 1+i)
				wait(100 * time.Millisecond)
				expect(t, "on the detour", b.from(a, messages), numbers(1, 501+i))
				expect(t, "on the detour, back", a.from(b, presence), numbers(1, 1+i))
			}
			c := list[2].way(b)
			if p := a.way(b); p.Changes != 1 || p.Detoured == 0 || c.Passed == 0 || c.Dropped != 0 || p.Since < 3*time.Second {
				t.Errorf("%+v, %+v", p, c)
			}
			if st := a.stat(b, messages); st.Queue+st.Unacked+st.Tries != 0 {
				t.Errorf("%+v", st)
			}
			r.net.Heal()
			wait(2500 * time.Millisecond)
			a.via(t, b, "")
			b.via(t, a, "")
			passed := list[2].way(b).Passed
			a.send(t, b, messages, 531, 600)
			wait(time.Minute)
			expect(t, "after the cut", b.from(a, messages), numbers(1, 600))
			if p, c := a.way(b), list[2].way(b); p.Changes != 2 || c.Passed != passed {
				t.Errorf("%+v, %+v", p, c)
			}
		})
	}
}

// TestWhoOnlyHearsFollows: a node that sends nothing but acknowledgements takes the detour that its peer takes.
func TestWhoOnlyHearsFollows(t *testing.T) {
	run(t, 22, func(t *testing.T, r *rig) {
		r.passes = everybody
		list := r.circle(3, link.Bounds{})
		a, b := list[0], list[1]
		r.net.Cut("b", "a")
		a.send(t, b, messages, 1, 50)
		wait(100 * time.Millisecond)
		expect(t, "it gets there, its acknowledgement doesn't", b.from(a, messages), numbers(1, 50))
		wait(2200 * time.Millisecond)
		a.via(t, b, "c@1")
		b.via(t, a, "c@1")
		if st := a.stat(b, messages); st.Unacked != 0 {
			t.Errorf("%+v", st)
		}
	})
}

// TestNoDetourWithoutThoseWhoUnderstandIt: nothing of it goes to a node that doesn't, nor for one, nor by one.
func TestNoDetourWithoutThoseWhoUnderstandIt(t *testing.T) {
	for _, old := range []string{"a b c", "b", "c", "b c", "a"} {
		run(t, 23, func(t *testing.T, r *rig) {
			r.passes = func(id ident.NodeID) bool { return !strings.Contains(old, id.Name()) }
			list := r.circle(3, link.Bounds{})
			r.net.CutBoth("a", "b")
			list[0].send(t, list[1], messages, 1, 100)
			list[1].send(t, list[0], messages, 1, 100)
			wait(20 * time.Second)
			for _, from := range list {
				for _, to := range list {
					from.mu.Lock()
					if n := from.mu.crossed[to.id]; n > 0 && strings.Contains(old, to.id.Name()) {
						t.Errorf("%s are old: %d frames of detours from %s to %s", old, n, from.id, to.id)
					}
					from.mu.Unlock()
				}
			}
			if n := len(list[1].from(list[0], messages)); n != 0 {
				t.Errorf("%s are old: %d have come", old, n)
			}
			r.net.Heal()
			wait(10 * time.Second)
			expect(t, "after the cut", list[1].from(list[0], messages), numbers(1, 100))
		})
	}
}

// TestAnotherHelper: one that doesn't reach the peer either is passed over, and one that is lost is replaced.
func TestAnotherHelper(t *testing.T) {
	run(t, 24, func(t *testing.T, r *rig) {
		r.passes = everybody
		list := r.circle(6, link.Bounds{})
		a, b := list[0], list[1]
		for _, x := range []string{"a", "c", "d", "e"} {
			r.net.CutBoth(x, "b")
		}
		a.send(t, b, messages, 1, 100)
		wait(3100 * time.Millisecond) // three are asked, then the fourth
		a.via(t, b, "f@1")
		expect(t, "by the fourth", b.from(a, messages), numbers(1, 100))
		r.net.Heal()
		r.net.CutBoth("a", "b")
		wait(time.Second)
		r.nodes["f@1"].sim.Crash()
		a.send(t, b, messages, 101, 200)
		wait(5 * time.Second)
		for _, p := range []link.Path{a.way(b), b.way(a)} { // not by the same one, perhaps, if both have looked for another
			if p.Via == "f@1" || p.Via == "" {
				t.Errorf("%+v", p)
			}
		}
		expect(t, "by another one", b.from(a, messages), numbers(1, 200))
		a.PeerDown(a.way(b).Via) // gossip says so
		b.PeerDown(b.way(a).Via)
		a.send(t, b, messages, 201, 300)
		wait(4 * time.Second)
		expect(t, "by a third one", b.from(a, messages), numbers(1, 300))
	})
}

// TestTwoHopsAreNone: two nodes that take detours to a third one pass nothing on to it, not even by each other in a circle.
func TestTwoHopsAreNone(t *testing.T) {
	run(t, 25, func(t *testing.T, r *rig) {
		r.passes = everybody
		list := r.circle(4, link.Bounds{})
		a, b, c, d := list[0], list[1], list[2], list[3]
		r.net.CutBoth("a", "b")
		r.net.CutBoth("a", "d")
		r.net.CutBoth("b", "c")
		r.net.CutBoth("c", "d") // what is left: a - c and b - d
		a.send(t, b, messages, 1, 10)
		c.send(t, b, messages, 1, 10)
		wait(30 * time.Second)
		if n := len(b.from(a, messages)) + len(b.from(c, messages)); n != 0 {
			t.Errorf("%d have come", n)
		}
		for _, n := range list {
			for _, p := range n.Paths() {
				if p.Changes > 0 {
					t.Errorf("%s: %+v", n.id, p)
				}
			}
		}
		r.net.Heal()
		r.net.CutBoth("a", "b")
		r.net.CutBoth("c", "d")
		wait(5 * time.Second)
		d.send(t, c, messages, 1, 10)
		wait(5 * time.Second)
		expect(t, "two pairs are cut", append(b.from(a, messages), c.from(d, messages)...), append(numbers(1, 10), numbers(1, 10)...))
	})
}

// TestSilenceCostsLittle: for a peer that nobody reaches, a few small frames go every four seconds.
func TestSilenceCostsLittle(t *testing.T) {
	run(t, 26, func(t *testing.T, r *rig) {
		r.passes = everybody
		list := r.circle(5, link.Bounds{})
		a, b := list[0], list[1]
		b.sim.Crash()
		a.send(t, b, messages, 1, 1000)
		wait(time.Minute)
		a.via(t, b, "")
		crossed := 0
		for _, to := range list {
			a.mu.Lock()
			crossed += a.mu.crossed[to.id]
			a.mu.Unlock()
		}
		if crossed > 4*20 || crossed < 4*10 {
			t.Errorf("%d questions in a minute", crossed)
		}
	})
}

// TestDetoursUnderFlaps: pairs of nodes are cut and healed in one direction and in both, frames get lost, doubled and out of order, and nodes come up anew;
// every link delivers what was sent on it once and in order.
func TestDetoursUnderFlaps(t *testing.T) {
	for seed := range uint64(8) {
		run(t, seed, func(t *testing.T, r *rig) {
			r.passes = everybody
			random := rand.New(rand.NewPCG(seed, 1))
			list := r.circle(4, link.Bounds{QueueLen: 1 << 20, Window: 64, FrameLen: 8})
			r.net.Loss(0.05)
			r.net.Duplicate(0.2)
			r.net.Reorder(0.2)
			r.net.Delay(time.Millisecond, 50*time.Millisecond)
			sent := map[[2]*node]int{}
			for range 400 {
				for _, x := range list {
					for _, y := range list {
						if x != y && random.IntN(3) == 0 {
							n := random.IntN(5)
							x.send(t, y, messages, sent[[2]*node{x, y}]+1, sent[[2]*node{x, y}]+n)
							sent[[2]*node{x, y}] += n
						}
					}
				}
				x, y := list[random.IntN(4)], list[random.IntN(4)]
				switch random.IntN(12) {
				case 0:
					r.net.Heal()
				case 1, 2:
					if x != y {
						r.net.Cut(x.id.Name(), y.id.Name())
					}
				case 3:
					if x != y {
						r.net.CutBoth(x.id.Name(), y.id.Name())
					}
				}
				wait(time.Duration(random.IntN(500)) * time.Millisecond)
			}
			r.net.Loss(0)
			r.net.Heal()
			wait(2 * time.Minute)
			detoured := uint64(0)
			for pair, n := range sent {
				x, y := pair[0], pair[1]
				expect(t, fmt.Sprintf("seed %d, from %s to %s", seed, x.id, y.id), y.from(x, messages), numbers(1, n))
				x.via(t, y, "")
				detoured += x.way(y).Detoured
			}
			if detoured == 0 {
				t.Error("there was no detour")
			}
		})
	}
}
