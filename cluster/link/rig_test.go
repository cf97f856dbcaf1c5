package link_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/cluster/link"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/internal/simnet"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

const (
	control  = nodepb.LinkClass_CONTROL
	messages = nodepb.LinkClass_MESSAGES
	presence = nodepb.LinkClass_PRESENCE
)

var all = []nodepb.LinkClass{control, messages, presence}

// where is one link, seen from one side.
type where struct {
	peer  ident.NodeID
	class nodepb.LinkClass
}

// rig is a network of nodes in fake time.
type rig struct {
	t     *testing.T
	net   *simnet.Net
	nodes map[string]*node
	// passes says who understands detours; nil: nobody.
	passes func(ident.NodeID) bool
}

// node is one with links, and what they said.
type node struct {
	*link.Links
	id   ident.NodeID
	addr string
	sim  *simnet.Node
	mu   struct {
		sync.Mutex
		came, returned map[where][]string
		data, rest     map[where]int        // frames that the carrier got, with envelopes and without
		crossed        map[ident.NodeID]int // frames that have to do with detours
		anew           []string             // what it was told of epochs, and what came in between
	}
}

// run gives a test a network. Whatever links it has are closed at the end.
func run(t *testing.T, seed uint64, f func(t *testing.T, r *rig)) {
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, net: simnet.New(seed, t), nodes: map[string]*node{}}
		f(t, r)
		for _, n := range r.nodes {
			n.Close()
		}
	})
}

// node starts a node on the host of its name.
func (r *rig) node(id ident.NodeID, b link.Bounds) *node {
	n := &node{id: id, sim: r.net.Node(id.Name())}
	n.addr = n.sim.Addr()
	n.mu.came, n.mu.returned = map[where][]string{}, map[where][]string{}
	n.mu.data, n.mu.rest, n.mu.crossed = map[where]int{}, map[where]int{}, map[ident.NodeID]int{}
	c := simnet.NewCarrier(n.sim, func(p link.Peer) string { return p.Addr }, func(f *nodepb.Frame) { n.Receive(f) })
	n.Links = link.New(link.Options{
		Self: id, Bounds: b, Passes: r.passes,
		Carrier: link.CarrierFunc(func(to link.Peer, f *nodepb.Frame) error {
			n.mu.Lock()
			if f.Passed != nil || f.Ask != 0 || f.Answered != 0 {
				n.mu.crossed[to.ID]++
			} else if len(f.GetEnvelopes()) > 0 {
				n.mu.data[where{to.ID, f.GetClass()}]++
			} else {
				n.mu.rest[where{to.ID, f.GetClass()}]++
			}
			n.mu.Unlock()
			return c.Send(to, f)
		}),
		Deliver: func(from ident.NodeID, class nodepb.LinkClass, envelope []byte) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.mu.came[where{from, class}] = append(n.mu.came[where{from, class}], string(envelope))
			n.mu.anew = append(n.mu.anew, string(envelope))
		},
		Anew:   func(ident.NodeID) { n.noteEpoch("anew") },
		Mutual: func(ident.NodeID) { n.noteEpoch("mutual") },
		Return: func(to ident.NodeID, class nodepb.LinkClass, envelopes [][]byte) {
			n.mu.Lock()
			defer n.mu.Unlock()
			for _, e := range envelopes {
				n.mu.returned[where{to, class}] = append(n.mu.returned[where{to, class}], string(e))
			}
		},
	})
	r.nodes[string(id)] = n
	return n
}

func (n *node) noteEpoch(what string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.anew = append(n.mu.anew, what)
}

// epochs is what it was told of epochs, and what came in between, since it was last asked.
func (n *node) epochs() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	list := n.mu.anew
	n.mu.anew = nil
	return list
}

// pair is two nodes that know each other.
func (r *rig) pair(b link.Bounds) (x, y *node) {
	x, y = r.node("a@1", b), r.node("b@1", b)
	x.knows(y)
	y.knows(x)
	return x, y
}

func (n *node) knows(other *node) { n.PeerUp(link.Peer{ID: other.id, Addr: other.addr}) }

// send sends numbered envelopes.
func (n *node) send(t *testing.T, to *node, class nodepb.LinkClass, from, upTo int) {
	t.Helper()
	for i := from; i <= upTo; i++ {
		if err := n.Send(to.id, class, []byte(fmt.Sprint(i)), false); err != nil {
			t.Fatal(err)
		}
	}
}

func (n *node) from(other *node, class nodepb.LinkClass) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.mu.came[where{other.id, class}])
}

func (n *node) back(other *node, class nodepb.LinkClass) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.mu.returned[where{other.id, class}])
}

// frames returns how many frames the carrier got for a link, with envelopes and without, and forgets them.
func (n *node) frames(other *node, class nodepb.LinkClass) (data, rest int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	w := where{other.id, class}
	data, rest = n.mu.data[w], n.mu.rest[w]
	n.mu.data[w], n.mu.rest[w] = 0, 0
	return data, rest
}

func (n *node) stat(other *node, class nodepb.LinkClass) link.Stat {
	for _, st := range n.Stats() {
		if st.Peer.ID == other.id && st.Class == class {
			return st
		}
	}
	return link.Stat{}
}

// wait lets time pass.
func wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// numbers are those from one to another.
func numbers(from, to int) (list []string) {
	for i := from; i <= to; i++ {
		list = append(list, fmt.Sprint(i))
	}
	return list
}

func expect(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v\nwant %v", what, got, want)
	}
}
