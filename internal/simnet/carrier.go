package simnet

import (
	"errors"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// ErrDown is what a carrier says whose own process is not running.
var ErrDown = errors.New("simnet: the sender is down")

// Carrier carries the frames of links from one process. With P the links' type of a peer it is what they call a carrier; so this
// package imports no other of the cluster and can be used in the tests of each.
type Carrier[P any] struct {
	node *Node
	addr func(P) string
}

// NewCarrier returns the process's carrier, and lets receive have the frames that come for it: one at a time and in order from one
// process, but for those that Net.Reorder takes out of their order; several at once from different ones. receive must not block. addr says where a peer is.
func NewCarrier[P any](n *Node, addr func(P) string, receive func(*nodepb.Frame)) *Carrier[P] {
	n.net.mu.Lock()
	defer n.net.mu.Unlock()
	n.receive = receive
	return &Carrier[P]{n, addr}
}

// Send sends a copy of a frame. It never waits. A frame that is lost on the way is lost silently.
func (c *Carrier[P]) Send(to P, f *nodepb.Frame) error {
	buf, err := proto.Marshal(f)
	if err != nil {
		return err
	}
	return c.node.carry(c.addr(to), buf)
}

func (n *Node) carry(addr string, buf []byte) error {
	net := n.net
	net.mu.Lock()
	defer net.mu.Unlock()
	if n.state == crashed || n.state == gone {
		return ErrDown
	}
	to := net.mu.hosts[addr]
	lost := to == nil || to.receive == nil || !net.open(n, to.name) || net.happens(net.mu.loss)
	n.sent(Link, len(buf), lost)
	if lost {
		net.note("lost", Link, n.name, nameOf(to, addr), len(buf))
		return nil
	}
	net.note("sent", Link, n.name, to.name, len(buf))
	times := 1
	if net.happens(net.mu.duplicate) {
		times = 2
	}
	for range times {
		deliver := func() bool { return to.frame(buf) }
		if net.happens(net.mu.reorder) {
			time.AfterFunc(2*net.delay(), func() { deliver() })
			continue
		}
		way := net.mu.ways[[2]*Node{n, to}]
		if way == nil {
			way = &lane{net: net}
			net.mu.ways[[2]*Node{n, to}] = way
		}
		way.add(net.delay(), deliver)
	}
	return nil
}

// frame hands a frame over; false: the process stands still.
func (n *Node) frame(buf []byte) bool {
	n.net.mu.Lock()
	state, receive := n.state, n.receive
	n.net.mu.Unlock()
	if state != running {
		return state != paused
	}
	f := &nodepb.Frame{}
	if err := proto.Unmarshal(buf, f); err != nil {
		panic(err) // Send has made it
	}
	receive(f)
	return true
}
