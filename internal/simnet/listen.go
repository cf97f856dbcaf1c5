package simnet

import (
	"context"
	"net"
)

// listener takes the streams for a process that aren't gossip's.
type listener struct {
	node  *Node
	conns chan net.Conn
	done  chan struct{}
}

// Listen takes streams that others Dial, at the process's only address, until the listener is closed. Another Listen takes its place. What is
// dialled while nobody listens, or while too many wait to be accepted, is refused.
func (n *Node) Listen() net.Listener {
	l := &listener{n, make(chan net.Conn, streamsHeld), make(chan struct{})}
	n.net.mu.Lock()
	defer n.net.mu.Unlock()
	n.calls = l
	return l
}

// Dial opens a stream to who listens at an address, which is under the same faults as one of gossip. Like TCP it goes on trying while the host
// can't be reached, until ctx is over.
func (n *Node) Dial(ctx context.Context, addr string) (net.Conn, error) {
	return n.dial(ctx, addr, Call)
}

// accepts reports whether a stream of a kind would be taken. The lock is held.
func (n *Node) accepts(k Kind) bool {
	if k == Stream {
		return len(n.streams) < cap(n.streams)
	}
	return n.calls != nil && len(n.calls.conns) < cap(n.calls.conns)
}

// accept lets the process have a stream. The lock is held.
func (n *Node) accept(k Kind, c net.Conn) bool {
	if !n.accepts(k) {
		return false
	}
	if k == Stream {
		n.streams <- c
	} else {
		n.calls.conns <- c
	}
	return true
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.Addr(), Err: net.ErrClosed}
	}
}

// Close implements net.Listener: streams that wait to be accepted are closed.
func (l *listener) Close() error {
	for _, c := range l.end() {
		_ = c.Close()
	}
	return nil
}

// end returns the streams that wait.
func (l *listener) end() (waiting []net.Conn) {
	n := l.node.net
	n.mu.Lock()
	defer n.mu.Unlock()
	select {
	case <-l.done:
		return nil
	default:
	}
	close(l.done)
	if l.node.calls == l {
		l.node.calls = nil
	}
	for len(l.conns) > 0 {
		waiting = append(waiting, <-l.conns)
	}
	return waiting
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return address(l.node.addr) }
