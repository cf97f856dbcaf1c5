package gateway

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"
)

// portable is the transport that runs wherever Go does: one goroutine per connection, parked in a read into a few bytes of
// the connection itself. Only while bytes are at hand does it borrow a buffer from a pool.
type portable struct{ guard func(run func()) }

// Portable returns the transport with one parked goroutine per connection.
func Portable() Transport { return portable{unguarded} }

// headLen is how many bytes the parked read takes: enough for the smallest stanzas, little enough to keep per connection.
const headLen = 64

var readBuffers = sync.Pool{New: func() any { return new([16 << 10]byte) }}

// portableConn is one connection of the portable transport.
type portableConn struct {
	tls     *tls.Conn
	sock    *socket
	handler Handler
	head    [headLen]byte

	writing sync.Mutex    // orders Write and Finish
	resumed chan struct{} // one token: a pause may end
}

// Start implements Transport. The reading goroutine is a fresh one: the handshake has grown the caller's stack, and that
// would stay for the connection's life.
func (p portable) Start(conn *secureConn, open func(Conn) (Handler, error)) error {
	c := &portableConn{tls: conn.Conn, sock: conn.sock, resumed: make(chan struct{}, 1)}
	conn.sock.nonblocking(func() { c.handler.Writable() }, c.Resume)
	var err error
	if c.handler, err = open(c); err != nil {
		return err
	}
	go p.guard(c.run)
	return nil
}

// run reads until the connection ends.
func (c *portableConn) run() {
	err := c.read()
	if lost := c.sock.lost(); lost != nil {
		err = lost
	}
	c.sock.Close()
	c.handler.Closed(err)
}

func (c *portableConn) read() error {
	for {
		n, err := c.tls.Read(c.head[:])
		if err != nil {
			return err
		}
		if err := c.burst(n); err != nil {
			return err
		}
		if _, err := c.sock.flush(); err != nil { // crypto/tls may have answered a KeyUpdate
			return err
		}
	}
}

// burst hands over what the parked read got and all that crypto/tls has decrypted or received with it.
func (c *portableConn) burst(n int) error {
	for {
		full, pause, err := c.hand(n)
		c.pause(pause)
		if err != nil || !full {
			return err
		}
		n = 0
	}
}

// hand fills one borrowed buffer, behind the n bytes that the parked read got, and gives it to the handler. A pause then
// holds no buffer.
func (c *portableConn) hand(n int) (full bool, pause Pause, err error) {
	buf := readBuffers.Get().(*[16 << 10]byte)
	defer readBuffers.Put(buf)
	copy(buf[:], c.head[:n])
	c.sock.dry = true
	full, err = c.fill(buf[:], &n)
	c.sock.dry = false
	if n > 0 {
		pause = c.handler.Receive(buf[:n])
	}
	return full, pause, err
}

// fill reads into buf behind *n until it is full or nothing more is buffered.
func (c *portableConn) fill(buf []byte, n *int) (full bool, err error) {
	for *n < len(buf) {
		m, err := c.tls.Read(buf[*n:])
		*n += m
		if err != nil {
			if errors.As(err, &wouldBlock{}) {
				return false, nil
			}
			return false, err
		}
	}
	return true, nil
}

// pause waits as the handler asked, and asks it again afterwards. On a connection that this side has ended there is nothing to
// wait for: who ended it wakes one pause, and several may follow, since what was read before is still handed over.
func (c *portableConn) pause(p Pause) {
	for (p.UntilResume || p.For > 0) && c.sock.lost() == nil {
		var over <-chan time.Time
		if !p.UntilResume {
			over = time.After(p.For)
		}
		select {
		case <-c.resumed:
		case <-over:
		}
		if c.sock.lost() != nil {
			return
		}
		p = c.handler.Receive(nil)
	}
}

// Write implements Conn.
func (c *portableConn) Write(p []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.sock.slow(); err != nil {
		return 0, err
	}
	if len(p) > 0 {
		if _, err := c.tls.Write(p); err != nil {
			return 0, err
		}
	}
	return c.sock.flush()
}

// Resume implements Conn.
func (c *portableConn) Resume() {
	select {
	case c.resumed <- struct{}{}:
	default:
	}
}

// Expect implements Conn.
func (c *portableConn) Expect(d time.Duration) {
	var at time.Time
	if d > 0 {
		at = time.Now().Add(d)
	}
	c.sock.expect(at)
}

// Finish implements Conn.
func (c *portableConn) Finish() {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.tls.CloseWrite() == nil {
		_, _ = c.sock.flush()
	}
	c.sock.finish()
}

// Close implements Conn.
func (c *portableConn) Close() error {
	return c.sock.Close()
}

// Delivered implements Conn.
func (c *portableConn) Delivered() bool {
	backlog, err := c.sock.flush()
	if err != nil || backlog > 0 {
		return false
	}
	n, known := c.sock.unacked()
	return known && n == 0
}

// RemoteAddr implements Conn.
func (c *portableConn) RemoteAddr() net.Addr { return c.sock.RemoteAddr() }
