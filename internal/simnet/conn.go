package simnet

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

var (
	errTimeout = os.ErrDeadlineExceeded
	errRefused = syscall.ECONNREFUSED
	errReset   = syscall.ECONNRESET
)

// DialTimeout opens a stream of gossip to the process at an address. Both directions have to be open for it.
func (t transport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return t.node.dial(ctx, addr, Stream)
}

// dial opens a stream of a kind. As long as the host can't be reached it is tried again every second, until ctx is over.
func (from *Node) dial(ctx context.Context, addr string, k Kind) (net.Conn, error) {
	n := from.net
	var to *Node
	var err error
	for reached := false; !reached && err == nil; {
		n.mu.Lock()
		to = n.mu.hosts[addr]
		reached = to != nil && n.open(from, to.name) && !n.mu.cut[[2]string{to.name, from.name}] && to.state != crashed
		wait := time.Second
		if reached {
			if wait = 2 * n.delay(); to.state == gone || !to.accepts(k) {
				err = errRefused
			}
		}
		n.note(map[bool]string{true: "dials", false: "dials in vain"}[reached && err == nil], k, from.name, nameOf(to, addr), 0)
		n.mu.Unlock()
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			if err = ctx.Err(); errors.Is(err, context.DeadlineExceeded) {
				err = errTimeout
			}
		}
	}
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: address(addr), Err: err}
	}
	near, far := connect(from, to, k)
	n.mu.Lock()
	defer n.mu.Unlock()
	near.out.add(0, func() bool {
		n.mu.Lock()
		state, taken := to.state, to.state == running && to.accept(k, far)
		n.mu.Unlock()
		if state == running && !taken { // nobody listens any more
			near.change(func() { near.end = errReset })
		}
		return state != paused
	})
	return near, nil
}

// conn is one end of a stream.
type conn struct {
	node, other *Node
	kind        Kind
	peer        *conn
	out         *lane // what this end writes

	mu       sync.Mutex
	in       []byte
	end      error // what Read returns once in is empty
	closed   bool
	expired  bool
	timer    *time.Timer
	changed  chan struct{} // closed, and replaced, when Read has to look again
	deadline time.Time
}

// connect makes the two ends of a stream.
func connect(from, to *Node, k Kind) (near, far *conn) {
	near = &conn{node: from, other: to, kind: k, changed: make(chan struct{}), out: &lane{net: from.net}}
	far = &conn{node: to, other: from, kind: k, changed: make(chan struct{}), out: &lane{net: from.net}}
	near.peer, far.peer = far, near
	return near, far
}

// change changes what Read looks at.
func (c *conn) change(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
	close(c.changed)
	c.changed = make(chan struct{})
}

// Read waits for what the other end wrote.
func (c *conn) Read(b []byte) (int, error) {
	for {
		c.mu.Lock()
		n, err, done := c.read(b)
		changed := c.changed
		c.mu.Unlock()
		if done {
			return n, err
		}
		<-changed
	}
}

// read reads what is there; done is false if that is nothing yet. The conn's lock is held.
func (c *conn) read(b []byte) (n int, err error, done bool) {
	switch {
	case c.closed:
		return 0, c.failed("read", net.ErrClosed), true
	case c.expired:
		return 0, c.failed("read", errTimeout), true
	case len(c.in) > 0:
		n = copy(b, c.in)
		c.in = c.in[n:]
		return n, nil, true
	case errors.Is(c.end, io.EOF):
		return 0, io.EOF, true
	case c.end != nil:
		return 0, c.failed("read", c.end), true
	}
	return 0, nil, len(b) == 0
}

func (c *conn) failed(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Addr: address(c.other.addr), Err: err}
}

// Write sends; it never waits.
func (c *conn) Write(b []byte) (int, error) {
	c.mu.Lock()
	var err error
	switch {
	case c.closed:
		err = net.ErrClosed
	case c.expired:
		err = errTimeout
	case c.end != nil && !errors.Is(c.end, io.EOF):
		err = c.end
	}
	c.mu.Unlock()
	if err != nil {
		return 0, c.failed("write", err)
	}
	buf := append([]byte(nil), b...)
	c.send(len(b), func() { c.peer.in = append(c.peer.in, buf...) })
	return len(b), nil
}

// send lets the other end change after all that was sent before.
func (c *conn) send(size int, change func()) {
	n := c.node.net
	n.mu.Lock()
	defer n.mu.Unlock()
	delay := n.delay()
	if n.happens(n.mu.loss) {
		delay += retransmit
	}
	if size > 0 {
		c.node.sent(c.kind, size, false)
		n.note("writes", c.kind, c.node.name, c.other.name, size)
	}
	c.out.add(delay, func() bool {
		n.mu.Lock()
		from, to, cut := c.node.state, c.other.state, n.mu.cut[[2]string{c.node.name, c.other.name}]
		n.mu.Unlock()
		switch {
		case from == crashed || to == crashed:
		case from == gone && size > 0: // what it had not yet sent; its host closes the stream for it
		case cut || from == paused || to == paused:
			return false
		case to == gone:
			c.change(func() { c.end = errReset })
		default:
			c.peer.change(change)
		}
		return true
	})
}

// Close ends both directions; the other end reads what is on its way, and then its end.
func (c *conn) Close() error {
	c.mu.Lock()
	was := c.closed
	c.mu.Unlock()
	if was {
		return nil
	}
	c.change(func() { c.closed = true })
	c.stopTimer()
	c.send(0, func() {
		if c.peer.end == nil {
			c.peer.end = io.EOF
		}
	})
	return nil
}

func (c *conn) stopTimer() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer != nil {
		c.timer.Stop()
	}
}

// SetDeadline sets until when Read and Write work; the zero time is for ever.
func (c *conn) SetDeadline(t time.Time) error {
	c.stopTimer()
	c.change(func() {
		c.deadline, c.expired = t, !t.IsZero() && !t.After(time.Now())
		if t.IsZero() || c.expired || c.closed {
			return
		}
		c.timer = time.AfterFunc(time.Until(t), func() {
			c.change(func() { c.expired = c.deadline.Equal(t) })
		})
	})
	return nil
}

// SetReadDeadline is SetDeadline: Write never waits.
func (c *conn) SetReadDeadline(t time.Time) error { return c.SetDeadline(t) }

// SetWriteDeadline does nothing: Write never waits.
func (c *conn) SetWriteDeadline(time.Time) error { return nil }

// LocalAddr returns this end's address.
func (c *conn) LocalAddr() net.Addr { return address(c.node.addr) }

// RemoteAddr returns the other end's address.
func (c *conn) RemoteAddr() net.Addr { return address(c.other.addr) }
