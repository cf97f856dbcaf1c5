package simnet

import (
	"net"
	"strconv"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// state is what a process is doing.
type state uint8

const (
	running state = iota
	paused        // it stands still, as with SIGSTOP
	crashed       // its host is lost
	gone          // it has ended, or another has taken its place; its host says so
)

const (
	packetsHeld = 4096 // that wait for a process, the rest is dropped
	streamsHeld = 256
)

// Node is one process on a host. The fields behind the line belong to the lock of the Net.
type Node struct {
	net     *Net
	name    string
	addr    string
	packets chan *memberlist.Packet
	streams chan net.Conn

	state   state
	calls   *listener // nil: nobody listens
	receive func(*nodepb.Frame)
	held    []*memberlist.Packet // came while it was paused
	counts  [kinds]Count
}

func newNode(n *Net, name, addr string) *Node {
	return &Node{net: n, name: name, addr: addr, packets: make(chan *memberlist.Packet, packetsHeld), streams: make(chan net.Conn, streamsHeld)}
}

// Name returns the host's name, by which it is cut from others.
func (n *Node) Name() string { return n.name }

// Addr returns the host's address, IP:PORT, for gossip and frames alike.
func (n *Node) Addr() string { return n.addr }

// Count returns what the node has sent of one kind.
func (n *Node) Count(k Kind) Count {
	n.net.mu.Lock()
	defer n.net.mu.Unlock()
	return n.counts[k]
}

// Crash takes the host away: nothing leaves and nothing comes in any more, and nobody is told. What runs in the process runs on, unheard; the
// test stops it. Net.Node starts another process on the host.
func (n *Node) Crash() { n.become(crashed, "crashes") }

// Pause lets the process stand still, as others see it: nothing leaves, and what comes waits until Resume. Unlike a process that is
// really stopped, it goes on thinking, and so takes the others for dead.
func (n *Node) Pause() { n.become(paused, "pauses") }

// Resume ends a pause.
func (n *Node) Resume() {
	n.become(running, "resumes")
	n.net.mu.Lock()
	defer n.net.mu.Unlock()
	for _, p := range n.held {
		n.take(p)
	}
	n.held = nil
}

// Paused reports whether the process stands still.
func (n *Node) Paused() bool {
	n.net.mu.Lock()
	defer n.net.mu.Unlock()
	return n.state == paused
}

func (n *Node) become(s state, what string) {
	n.net.mu.Lock()
	defer n.net.mu.Unlock()
	if n.state == crashed || n.state == gone {
		return
	}
	n.state = s
	n.net.note(what, Packet, n.name, "", 0)
}

// take puts a packet where the process finds it; when it doesn't look, the packet is dropped. The lock is held.
func (n *Node) take(p *memberlist.Packet) {
	select {
	case n.packets <- p:
	default:
		n.net.note("overflow", Packet, "", n.name, len(p.Buf))
	}
}

// sent counts. The lock is held.
func (n *Node) sent(k Kind, size int, dropped bool) {
	for _, c := range []*Count{&n.counts[k], &n.net.mu.kinds[k]} {
		c.Sent++
		c.Bytes += uint64(size)
		if dropped {
			c.Dropped++
		}
	}
}

// Transport returns the process's end of the network for memberlist.
func (n *Node) Transport() memberlist.NodeAwareTransport { return transport{n} }

type transport struct{ node *Node }

// address is a host's, as net.Addr.
type address string

func (address) Network() string  { return "simnet" }
func (a address) String() string { return string(a) }

// FinalAdvertiseAddr returns the host's address, whatever is configured.
func (t transport) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	host, port, err := net.SplitHostPort(t.node.addr)
	if err != nil {
		return nil, 0, err
	}
	number, err := strconv.Atoi(port)
	return net.ParseIP(host), number, err
}

// WriteTo sends a packet; it may be lost, and nobody hears of it.
func (t transport) WriteTo(b []byte, addr string) (time.Time, error) {
	n, from := t.node.net, t.node
	now := time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	to := n.mu.hosts[addr]
	lost := to == nil || !n.open(from, to.name) || n.happens(n.mu.loss)
	from.sent(Packet, len(b), lost)
	if lost {
		n.note("lost", Packet, from.name, nameOf(to, addr), len(b))
		return now, nil
	}
	n.note("sent", Packet, from.name, to.name, len(b))
	buf := append([]byte(nil), b...)
	times := 1
	if n.happens(n.mu.duplicate) {
		times = 2
	}
	for range times {
		time.AfterFunc(n.delay(), func() { n.arrive(from, addr, buf) })
	}
	return now, nil
}

func nameOf(n *Node, addr string) string {
	if n == nil {
		return addr
	}
	return n.name
}

// arrive gives a packet to whoever is at an address by now.
func (n *Net) arrive(from *Node, addr string, buf []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	to := n.mu.hosts[addr]
	p := &memberlist.Packet{Buf: append([]byte(nil), buf...), From: address(from.addr), Timestamp: time.Now()}
	switch to.state {
	case running:
		to.take(p)
	case paused:
		if len(to.held) < packetsHeld {
			to.held = append(to.held, p)
		}
	}
}

// WriteToAddress is WriteTo; names don't matter here.
func (t transport) WriteToAddress(b []byte, to memberlist.Address) (time.Time, error) {
	return t.WriteTo(b, to.Addr)
}

// PacketCh returns where packets come.
func (t transport) PacketCh() <-chan *memberlist.Packet { return t.node.packets }

// StreamCh returns where connections come.
func (t transport) StreamCh() <-chan net.Conn { return t.node.streams }

// DialAddressTimeout is DialTimeout; names don't matter here.
func (t transport) DialAddressTimeout(to memberlist.Address, timeout time.Duration) (net.Conn, error) {
	return t.DialTimeout(to.Addr, timeout)
}

// Shutdown ends the process, as the network sees it: its host refuses connections.
func (t transport) Shutdown() error {
	t.node.become(gone, "ends")
	return nil
}
