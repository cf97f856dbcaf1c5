package simnet

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// Net is a network of hosts. It is safe for concurrent use.
type Net struct {
	start time.Time
	mu    struct {
		sync.Mutex
		rng       *rand.Rand
		loss      float64
		duplicate float64
		reorder   float64
		least     time.Duration // of the delay
		most      time.Duration
		names     map[string]int   // which host has that name, from 0
		hosts     map[string]*Node // the latest process at an address
		cut       map[[2]string]bool
		ways      map[[2]*Node]*lane // of frames
		kinds     [kinds]Count
		log       journal
	}
}

// New makes a network without loss whose delays are between 0.2 and 1 ms. When t fails, the seed and the log of events are written.
func New(seed uint64, t testing.TB) *Net {
	n := &Net{start: time.Now()}
	n.mu.rng = rand.New(rand.NewPCG(seed, 0x73696d6e6574))
	n.mu.least, n.mu.most = 200*time.Microsecond, time.Millisecond
	n.mu.names, n.mu.hosts, n.mu.cut = map[string]int{}, map[string]*Node{}, map[[2]string]bool{}
	n.mu.ways = map[[2]*Node]*lane{}
	t.Cleanup(func() {
		if t.Failed() {
			n.report(t, seed)
		}
	})
	return n
}

// Node starts a process on the host of that name, which is made if there is none. If one has been there, it is over, and the new one
// has its address.
func (n *Net) Node(name string) *Node {
	n.mu.Lock()
	defer n.mu.Unlock()
	i, ok := n.mu.names[name]
	if !ok {
		i = len(n.mu.names)
		n.mu.names[name] = i
	}
	node := newNode(n, name, fmt.Sprintf("10.%d.%d.%d:7946", i/62500, i/250%250, i%250+1))
	if old := n.mu.hosts[node.addr]; old != nil {
		old.state = gone
	}
	n.mu.hosts[node.addr] = node
	n.note("starts", Packet, name, "", 0)
	return node
}

// Loss sets the share of packets that are lost, from 0 to 1. A loss in a stream delays it.
func (n *Net) Loss(p float64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.loss = p
	n.note(fmt.Sprintf("loss %.3f", p), Packet, "", "", 0)
}

// Duplicate sets the share of packets and frames that arrive twice, from 0 to 1.
func (n *Net) Duplicate(p float64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.duplicate = p
	n.note(fmt.Sprintf("duplicate %.3f", p), Packet, "", "", 0)
}

// Reorder sets the share of frames that don't keep their place among those of their sender, from 0 to 1. Packets never do.
func (n *Net) Reorder(p float64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.reorder = p
	n.note(fmt.Sprintf("reorder %.3f", p), Packet, "", "", 0)
}

// Delay sets between what bounds each packet's delay lies.
func (n *Net) Delay(least, most time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.least, n.mu.most = least, max(least, most)
	n.note(fmt.Sprintf("delay %v to %v", least, most), Packet, "", "", 0)
}

// Cut lets nothing through from one host to another, named; the other direction stays as it is.
func (n *Net) Cut(from, to string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.cut[[2]string{from, to}] = true
	n.note("cut", Packet, from, to, 0)
}

// CutBoth cuts both directions between two hosts.
func (n *Net) CutBoth(a, b string) {
	n.Cut(a, b)
	n.Cut(b, a)
}

// Partition cuts the network into sides: nothing passes between hosts of different sides.
func (n *Net) Partition(sides ...[]string) {
	for i, side := range sides {
		for _, other := range sides[i+1:] {
			for _, a := range side {
				for _, b := range other {
					n.CutBoth(a, b)
				}
			}
		}
	}
}

// Heal ends all cuts.
func (n *Net) Heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.mu.cut)
	n.note("heal", Packet, "", "", 0)
}

// Note adds a line of the test's own to the log of events.
func (n *Net) Note(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.note(fmt.Sprintf(format, args...), Packet, "", "", 0)
}

// Count returns what all nodes have sent of one kind.
func (n *Net) Count(k Kind) Count {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mu.kinds[k]
}

// delay draws how long one thing takes. The lock is held.
func (n *Net) delay() time.Duration {
	if n.mu.most <= n.mu.least {
		return n.mu.least
	}
	return n.mu.least + time.Duration(n.mu.rng.Int64N(int64(n.mu.most-n.mu.least)))
}

// happens draws whether something of probability p does. The lock is held.
func (n *Net) happens(p float64) bool { return p > 0 && n.mu.rng.Float64() < p }

// open reports whether something that a process sends now reaches another host. The lock is held.
func (n *Net) open(from *Node, to string) bool {
	return from.state == running && !n.mu.cut[[2]string{from.name, to}]
}
