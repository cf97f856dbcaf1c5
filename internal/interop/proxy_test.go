//go:build linux

package interop

import (
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// proxy stands between one client and the server and passes bytes on, TLS and all, until the test damages a connection. Connections
// made later are whole again.
type proxy struct {
	listener net.Listener
	closing  sync.WaitGroup

	mu struct {
		sync.Mutex
		pairs  []*pair
		target string
	}
}

// pair is one connection of the client with the one to the server that belongs to it.
type pair struct {
	client, server *net.TCPConn
	swallow        atomic.Bool // what is read goes nowhere
	lost           [2]atomic.Int64
}

// The directions in which a pair loses bytes.
const (
	toServer = iota
	toClient
)

// newProxy listens on a loopback port for the time of the test.
func newProxy(tb testing.TB, target string) *proxy {
	tb.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &proxy{listener: listener}
	p.lead(target)
	p.closing.Go(p.accept)
	tb.Cleanup(func() {
		_ = listener.Close() // it was only listening
		p.each(func(c *pair) { reset(c.client, c.server) })
		p.closing.Wait()
	})
	return p
}

// lead makes later connections lead to another server.
func (p *proxy) lead(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.target = target
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		target := p.mu.target
		p.mu.Unlock()
		server, err := net.Dial("tcp", target)
		if err != nil {
			_ = client.Close() // the client sees that nobody is there
			continue
		}
		c := &pair{client: client.(*net.TCPConn), server: server.(*net.TCPConn)}
		p.mu.Lock()
		p.mu.pairs = append(p.mu.pairs, c)
		p.mu.Unlock()
		p.closing.Go(func() { c.copy(c.server, c.client, toServer) })
		p.closing.Go(func() { c.copy(c.client, c.server, toClient) })
	}
}

// copy passes on what comes from src. The end of src is passed on, too, unless the connection is in the state of losing everything.
func (c *pair) copy(dst, src *net.TCPConn, direction int) {
	buf := make([]byte, 32<<10)
	for {
		n, err := src.Read(buf)
		switch {
		case c.swallow.Load():
			c.lost[direction].Add(int64(n))
		case n > 0:
			if _, err := dst.Write(buf[:n]); err != nil {
				reset(src)
				return
			}
		}
		if err != nil {
			if !c.swallow.Load() && err == io.EOF {
				_ = dst.CloseWrite() // a peer that is gone needs no end
			} else if !c.swallow.Load() {
				reset(dst)
			}
			return
		}
	}
}

// each calls f for all connections so far.
func (p *proxy) each(f func(*pair)) {
	p.mu.Lock()
	pairs := slices.Clone(p.mu.pairs)
	p.mu.Unlock()
	for _, c := range pairs {
		f(c)
	}
}

// swallow makes the present connections lose everything from now on, without a sign to either side: what a dead network does.
func (p *proxy) swallow() { p.each(func(c *pair) { c.swallow.Store(true) }) }

// lost is how many bytes were swallowed in a direction.
func (p *proxy) lost(direction int) (n int64) {
	p.each(func(c *pair) { n += c.lost[direction].Load() })
	return n
}

// cut resets the present connections on both sides. What is on the way is lost.
func (p *proxy) cut() { p.each(func(c *pair) { reset(c.client, c.server) }) }

// cutClient resets the present connections on the client's side. The server isn't told: its bytes go nowhere.
func (p *proxy) cutClient() {
	p.each(func(c *pair) {
		c.swallow.Store(true)
		reset(c.client)
	})
}

// reset closes sockets with a TCP reset, dropping what they haven't sent.
func reset(conns ...*net.TCPConn) {
	for _, conn := range conns {
		_ = conn.SetLinger(0) // it may be closed already
		_ = conn.Close()
	}
}

func TestProxy(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	p := newProxy(t, server.Addr().String())
	connect := func() (near, far net.Conn) {
		near, err := net.Dial("tcp", p.addr())
		if err != nil {
			t.Fatal(err)
		}
		far, err = server.Accept()
		if err != nil {
			t.Fatal(err)
		}
		return near, far
	}
	pass := func(from, to net.Conn, text string) {
		t.Helper()
		got := make([]byte, len(text))
		if _, err := from.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(to, got); err != nil || string(got) != text {
			t.Fatalf("%q, %v", got, err)
		}
	}

	near, far := connect()
	pass(near, far, "there")
	pass(far, near, "and back")
	p.swallow()
	for direction, conn := range []net.Conn{toServer: near, toClient: far} {
		if _, err := conn.Write([]byte("lost")); err != nil {
			t.Fatal(err)
		}
		poll(t, "bytes to be lost", func() bool { return p.lost(direction) == 4 })
	}
	p.cut()
	for _, conn := range []net.Conn{near, far} {
		if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Errorf("read %d, %v after the cut", n, err)
		}
	}

	near, far = connect()
	pass(near, far, "a later connection is whole")
	p.cutClient()
	if n, err := near.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("read %d, %v after the cut of the client's side", n, err)
	}
	if _, err := far.Write([]byte("into the void")); err != nil {
		t.Error("the server noticed:", err)
	}

	near, far = connect()
	if err := near.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := far.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the end isn't passed on: %v", err)
	}
	pass(far, near, "the other direction is still open")
}
