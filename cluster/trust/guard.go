package trust

import (
	"net"
	"sync"
)

// guards are the connections that end when their peer is revoked.
type guards struct {
	sync.Mutex
	of     map[*guarded]struct{}
	closed bool
}

type guarded struct {
	peer Peer
	end  func()
}

// Guard returns conn so that it is closed as soon as its peer is revoked, or the authority of the peer's certificate is dropped for a
// revocation; at once, if that is so already. The caller closes what is returned.
func (l *Live) Guard(conn net.Conn, peer Peer) net.Conn {
	g := &guardedConn{Conn: conn}
	g.forget = l.Track(peer, func() { _ = conn.Close() }) // the reader hears of it
	return g
}

type guardedConn struct {
	net.Conn
	forget func()
}

// Close implements net.Conn.
func (g *guardedConn) Close() error {
	g.forget()
	return g.Conn.Close()
}

// Track calls end, on a goroutine of its own and once, as soon as the peer is revoked or the authority of its certificate is dropped for
// a revocation, unless forget was called before. It is for connections that Guard can't hold.
func (l *Live) Track(peer Peer, end func()) (forget func()) {
	g := &guarded{peer, end}
	l.guards.Lock()
	l.guards.of[g] = struct{}{}
	l.guards.Unlock()
	// A change before this line is seen here, one after it sees the entry.
	if s := l.state.Load(); s.bundle.IsRevoked(peer.Name) || !s.knows(peer) && l.o.Files == nil {
		l.end(g)
	}
	return func() {
		l.guards.Lock()
		defer l.guards.Unlock()
		delete(l.guards.of, g)
	}
}

// sweep ends the connections that a change of bundles forbids.
func (l *Live) sweep(from, to *state) {
	l.guards.Lock()
	var over []*guarded
	for g := range l.guards.of {
		if to.bundle.IsRevoked(g.peer.Name) || from.isLeaving(g.peer) && !to.knows(g.peer) {
			over = append(over, g)
		}
	}
	l.guards.Unlock()
	for _, g := range over {
		l.end(g)
	}
}

// end ends one, if nobody has before.
func (l *Live) end(g *guarded) {
	l.guards.Lock()
	defer l.guards.Unlock()
	_, there := l.guards.of[g]
	delete(l.guards.of, g)
	if there && !l.guards.closed {
		l.wg.Go(g.end)
	}
}
