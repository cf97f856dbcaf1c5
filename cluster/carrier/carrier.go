package carrier

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/cluster/link"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// The bounds. They are constants because both ends must have the same.
const (
	// MaxMessage is the largest message on the wire, in bytes. A larger one ends its stream.
	MaxMessage = 64 << 20
	// MaxFrame is the largest frame, encoded, in bytes.
	MaxFrame = 32 << 20
	// BatchBytes is when a batch of frames is full, in bytes: it ends with the frame that passes it.
	BatchBytes = 4 << 20
	// PendingFrames and PendingBytes bound what was sent to a node and is not on its way yet.
	PendingFrames = 4096
	PendingBytes  = 64 << 20
)

// What Send says no with. Each may pass.
var (
	// ErrBusy says that the node doesn't take as fast as it is sent to.
	ErrBusy = errors.New("carrier: the node does not keep up")
	// ErrUnreachable says that the node could not be reached a moment ago.
	ErrUnreachable = errors.New("carrier: the node can't be reached")
	// ErrClosed says that the carrier is closed.
	ErrClosed = errors.New("carrier: closed")
)

// Options say what a Carrier is made of.
type Options struct {
	// Self is this incarnation of this node.
	Self ident.NodeID
	// Bind is the HOST:PORT to listen on; the port 0 is any, Addr tells which.
	Bind string
	// ServerTLS is asked before each handshake with a node that connects, so that certificates and CAs may change meanwhile. It must
	// demand certificates and verify them; what its GetConfigForClient returns, if it has one, must offer "h2". Nil: there is no
	// certificate yet, and nobody is let in.
	ServerTLS func() *tls.Config
	// ClientTLS is asked in the same way before each handshake with the node of that name. It must verify the certificate; without a
	// ServerName, that is for the node's name.
	ClientTLS func(node string) *tls.Config
	// NodeOf is the name of the node that a verified certificate is for; nil is NameOf.
	NodeOf func(*x509.Certificate) (string, error)
	// Admit, unless nil, may refuse a node whose certificate is valid: in each handshake, and in Recheck for those that are connected.
	Admit func(node string, cert *x509.Certificate) error
	// Receive takes each frame that came, on any goroutine, one at a time for each class. It must not block; the frame is its own.
	Receive func(*nodepb.Frame)
	// Logger may be nil.
	Logger *zap.Logger
}

// NameOf is the node that a certificate names: its first DNS name, or else its common name.
func NameOf(cert *x509.Certificate) (string, error) {
	name := cert.Subject.CommonName
	if len(cert.DNSNames) > 0 {
		name = cert.DNSNames[0]
	}
	if name == "" {
		return "", errors.New("carrier: the certificate names no node")
	}
	return name, nil
}

// Stats counts what a Carrier has done since it began.
type Stats struct {
	// Sent and Received count frames; those sent have been given to the network.
	Sent, Received uint64
	// Busy and Unreachable count Sends that were refused.
	Busy, Unreachable uint64
	// Refused are frames that came for another incarnation than this.
	Refused uint64
	// Dials are attempts to reach a node, Connected those that did.
	Dials, Connected uint64
	// Strangers are handshakes of others that failed.
	Strangers uint64
	// Breaches are streams that were ended because of what they brought.
	Breaches uint64
}

// counters are Stats while they are counted.
type counters struct {
	sent, received, busy, unreachable, refused, dials, connected, strangers, breaches atomic.Uint64
}

// Carrier is a link.Carrier over protoactor's remote. Its methods are safe on any goroutine. New makes one.
type Carrier struct {
	opts   Options
	log    *zap.Logger
	count  counters
	conns  conns
	remote *system
	busy   sync.WaitGroup // connections that are being opened, open, or about to end
	done   chan struct{}  // closed when Close is over

	mu struct {
		sync.RWMutex
		peers  map[string]*peer // by address
		closed bool
	}
}

var _ link.Carrier = (*Carrier)(nil)

// New listens at Bind and serves until Close.
func New(opts Options) (*Carrier, error) {
	switch {
	case opts.Self.Name() == "" || opts.Receive == nil:
		return nil, errors.New("carrier: it needs Self and Receive")
	case opts.ServerTLS == nil || opts.ClientTLS == nil:
		return nil, errors.New("carrier: it needs TLS for both directions")
	}
	if opts.NodeOf == nil {
		opts.NodeOf = NameOf
	}
	c := &Carrier{opts: opts, log: opts.Logger, done: make(chan struct{})}
	if c.log == nil {
		c.log = zap.NewNop()
	}
	c.mu.peers = map[string]*peer{}
	c.conns.open = map[*conn]struct{}{}
	var err error
	if c.remote, err = launch(c, opts.Bind); err != nil {
		return nil, err
	}
	return c, nil
}

// Addr is the HOST:PORT it listens on.
func (c *Carrier) Addr() string { return c.remote.actors.Address() }

// Send implements link.Carrier.
func (c *Carrier) Send(to link.Peer, f *nodepb.Frame) error {
	router, ok := routerOf(f.Class)
	if !ok || !utf8.ValidString(f.From) || !utf8.ValidString(f.To) || !utf8.ValidString(f.Refused) {
		return fmt.Errorf("carrier: a frame of class %v that can't be sent", f.Class)
	}
	size := proto.Size(f)
	if size > MaxFrame {
		return fmt.Errorf("carrier: a frame of %d bytes is over %d", size, MaxFrame)
	}
	p, err := c.peer(to.Addr)
	if err != nil {
		return err
	}
	switch err := p.send(to.ID.Name(), router, f, size); err {
	case ErrBusy:
		c.count.busy.Add(1)
		return err
	case ErrUnreachable:
		c.count.unreachable.Add(1)
		return err
	default:
		return err
	}
}

// peer returns the node at an address. They are never forgotten: an address takes some 300 bytes.
func (c *Carrier) peer(addr string) (*peer, error) {
	c.mu.RLock()
	p, closed := c.mu.peers[addr], c.mu.closed
	c.mu.RUnlock()
	switch {
	case closed:
		return nil, ErrClosed
	case p != nil:
		return p, nil
	case addr == c.Addr(): // remote would deliver it here, unchecked
		return nil, fmt.Errorf("carrier: %q is this node", addr)
	}
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return nil, fmt.Errorf("carrier: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.closed {
		return nil, ErrClosed
	}
	if p = c.mu.peers[addr]; p == nil {
		p = newPeer(c, addr)
		c.mu.peers[addr] = p
	}
	return p, nil
}

// known returns the node at an address, nil if nothing was ever sent to it.
func (c *Carrier) known(addr string) *peer {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.mu.peers[addr]
}

// seen ends the pauses of a node that has connected itself.
func (c *Carrier) seen(name string) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, p := range c.mu.peers {
		p.seen(name)
	}
}

// Recheck asks Admit about each node that is connected, in either direction, and ends the connections of those that are refused. Call it when
// what Admit says has changed.
func (c *Carrier) Recheck() {
	if c.opts.Admit != nil {
		c.conns.recheck(c.opts.Admit)
	}
}

// Stats returns the counters.
func (c *Carrier) Stats() Stats {
	n := &c.count
	return Stats{Sent: n.sent.Load(), Received: n.received.Load(), Busy: n.busy.Load(), Unreachable: n.unreachable.Load(),
		Refused: n.refused.Load(), Dials: n.dials.Load(), Connected: n.connected.Load(), Strangers: n.strangers.Load(), Breaches: n.breaches.Load()}
}

// closing is how long Close waits for connections that should be gone at once.
const closing = 5 * time.Second

// Close ends all connections and stops listening. What was not sent yet is lost. Afterwards nothing of it runs, and Receive isn't called
// any more.
func (c *Carrier) Close() {
	c.mu.Lock()
	if c.mu.closed {
		c.mu.Unlock()
		<-c.done
		return
	}
	defer close(c.done)
	c.mu.closed = true
	peers := make([]*peer, 0, len(c.mu.peers))
	for _, p := range c.mu.peers {
		peers = append(peers, p)
	}
	c.mu.Unlock()
	for _, p := range peers {
		p.close()
	}
	gone := make(chan struct{})
	go func() {
		c.busy.Wait()
		close(gone)
	}()
	timer := time.NewTimer(closing)
	defer timer.Stop()
	select {
	case <-gone:
	case <-timer.C:
		c.log.Warn("connections to nodes did not end in time")
	}
	c.remote.stop()
}
