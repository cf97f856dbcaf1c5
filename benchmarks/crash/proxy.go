package main

import (
	"io"
	"net"
	"sync"
)

// proxy passes connections on to a server until it is cut. What a client has read by then, the server had written before.
type proxy struct {
	listener net.Listener
	to       string
	wg       sync.WaitGroup

	mu struct {
		sync.Mutex
		cut   bool
		conns []net.Conn
	}
}

// newProxy listens on addr for what goes to to.
func newProxy(addr, to string) (*proxy, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	p := &proxy{listener: l, to: to}
	p.wg.Go(p.accept)
	return p, nil
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() { p.pass(client) })
	}
}

// pass carries one connection both ways until either side ends it.
func (p *proxy) pass(client net.Conn) {
	server, err := net.Dial("tcp", p.to)
	if err != nil || !p.keep(client, server) {
		_ = client.Close() // the client sees that, which is all it needs
		return
	}
	var both sync.WaitGroup
	both.Go(func() { carry(server, client) })
	both.Go(func() { carry(client, server) })
	both.Wait()
}

// carry copies one direction; its end is the end of the connection.
func carry(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	_ = to.Close()
	_ = from.Close()
}

// keep notes connections for the cut, and reports whether there is any hope for them.
func (p *proxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.mu.cut {
		p.mu.conns = append(p.mu.conns, conns...)
		return true
	}
	for _, c := range conns {
		_ = c.Close()
	}
	return false
}

// cut ends all connections and takes no more. When it returns no client gets anything.
func (p *proxy) cut() {
	_ = p.listener.Close()
	p.mu.Lock()
	p.mu.cut = true
	for _, c := range p.mu.conns {
		_ = c.Close()
	}
	p.mu.conns = nil
	p.mu.Unlock()
	p.wg.Wait()
}
