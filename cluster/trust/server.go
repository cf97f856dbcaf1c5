package trust

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/telemetry"
)

const (
	// exchange is how long a connection may last, handshake and all.
	exchange = 10 * time.Second
	// connections is how many there may be at a time. Of those beyond, the oldest that has not asked for anything yet has to go: who only connects,
	// and says nothing, keeps nobody out.
	connections = 64
)

// Joining is a node that wants to join and has a good token.
type Joining struct {
	// Name is the node's, Advertise what it says others reach its cluster address by, and Release its program's.
	Name, Advertise, Release string
	// From is the network address it comes from.
	From net.Addr
}

// ServerConfig says what a Server serves.
type ServerConfig struct {
	Live *Live
	// Admit may refuse a node that has a good token, such as one whose name is in use; the node is told the error's text. It is called
	// from the connection's goroutine and may block for a second. nil admits all.
	Admit func(Joining) error
	// Logger hears of who joined, and at debug of who was refused; nil is silence.
	Logger *zap.Logger
}

// Server lets nodes join and gives bundles to members, over the connections of one listener. NewServer makes it, Start serves, Stop ends.
type Server struct {
	cfg  ServerConfig
	log  *zap.Logger
	wg   sync.WaitGroup
	done chan struct{}

	mu struct {
		sync.Mutex
		listener net.Listener
		conns    map[net.Conn]time.Time // since when they have been there; zero: they have asked for something
		stopped  bool
		connects limiter // connections, by address
		attempts limiter // joins, good and bad
	}
}

// NewServer returns a server that serves nothing yet.
func NewServer(cfg ServerConfig) *Server {
	s := &Server{cfg: cfg, log: cfg.Logger, done: make(chan struct{})}
	if s.log == nil {
		s.log = zap.NewNop()
	}
	s.mu.conns = map[net.Conn]time.Time{}
	s.mu.connects = limiter{every: time.Second / 20, burst: 200}
	s.mu.attempts = limiter{every: 3 * time.Second, burst: 20}
	return s
}

// Start serves the listener, whose connections begin with a TLS handshake. The server closes it.
func (s *Server) Start(listener net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.listener = listener
	s.wg.Go(func() { s.accept(listener) })
}

// Stop closes the listener and the connections, and waits until nothing runs any more.
func (s *Server) Stop() {
	s.mu.Lock()
	if !s.mu.stopped {
		s.mu.stopped = true
		close(s.done)
		if s.mu.listener != nil {
			_ = s.mu.listener.Close()
		}
		for c := range s.mu.conns {
			_ = c.Close()
		}
	}
	s.mu.Unlock()
	s.wg.Wait()
}

func (s *Server) accept(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			select {
			case <-time.After(100 * time.Millisecond): // descriptors may have run out
				continue
			case <-s.done:
				return
			}
		}
		if !s.take(conn) {
			_ = conn.Close()
			continue
		}
		s.wg.Go(func() {
			defer s.drop(conn)
			s.serve(conn)
		})
	}
}

// take notes a connection, unless there are too many.
func (s *Server) take(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.mu.stopped || !s.mu.connects.allow(origin(conn.RemoteAddr()), now) || len(s.mu.conns) >= connections && !s.makeRoom() {
		return false
	}
	s.mu.conns[conn] = now
	return true
}

// makeRoom ends the oldest connection that has not asked for anything yet, and reports whether there is one. s.mu is held.
func (s *Server) makeRoom() bool {
	var oldest net.Conn
	for c, since := range s.mu.conns {
		if !since.IsZero() && (oldest == nil || since.Before(s.mu.conns[oldest])) {
			oldest = c
		}
	}
	if oldest == nil {
		return false
	}
	delete(s.mu.conns, oldest)
	_ = oldest.Close()
	return true
}

// asks notes that a connection has asked for something.
func (s *Server) asks(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.mu.conns[conn]; ok {
		s.mu.conns[conn] = time.Time{}
	}
}

func (s *Server) drop(conn net.Conn) {
	s.mu.Lock()
	delete(s.mu.conns, conn)
	s.mu.Unlock()
	_ = conn.Close()
}

// config is that of the handshake at hand: a joining node has no certificate, a member must have one.
func (s *Server) config(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	switch {
	case slices.Contains(hello.SupportedProtos, TrustProtocol):
		return s.cfg.Live.serverNow([]string{TrustProtocol}), nil
	case slices.Contains(hello.SupportedProtos, JoinProtocol):
		c := s.cfg.Live.serverNow([]string{JoinProtocol})
		c.ClientAuth, c.ClientCAs, c.VerifyConnection = tls.NoClientCert, nil, nil
		return c, nil
	}
	return nil, errors.New("trust: neither joining nor a member")
}

func (s *Server) serve(raw net.Conn) {
	deadline := time.Now().Add(exchange)
	if raw.SetDeadline(deadline) != nil {
		return
	}
	conn := tls.Server(raw, &tls.Config{MinVersion: tls.VersionTLS13, GetConfigForClient: s.config})
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		s.log.Debug("a handshake at the cluster's address failed", zap.Stringer(telemetry.KeyRemote, raw.RemoteAddr()), zap.Error(err))
		return
	}
	var a answer
	if conn.ConnectionState().NegotiatedProtocol == JoinProtocol {
		a = s.join(conn, raw)
	} else {
		a = s.trust(conn, raw)
	}
	if a.Refused != "" {
		s.log.Debug("a node was refused", zap.Stringer(telemetry.KeyRemote, raw.RemoteAddr()), zap.String(telemetry.KeyReason, a.Refused))
	}
	if err := writeFrame(conn, a); err == nil {
		_ = conn.Close() // with TLS's own farewell
	}
}

// join lets a node in that has a token.
func (s *Server) join(conn *tls.Conn, raw net.Conn) answer {
	var r request
	if err := readFrame(conn, maxJoin, &r); err != nil {
		return refuse(err)
	}
	s.asks(raw)
	s.mu.Lock()
	room := s.mu.attempts.allow(origin(conn.RemoteAddr()), time.Now())
	s.mu.Unlock()
	if !room {
		return refuse(ErrBusy)
	}
	l := s.cfg.Live
	b := l.Bundle()
	t, err := ParseToken(r.Token)
	if err == nil {
		err = b.CheckToken(t, l.o.Now())
	}
	if err == nil {
		err = CheckName(r.Name)
	}
	if err == nil && b.IsRevoked(r.Name) {
		err = ErrRevoked
	}
	if err == nil && s.cfg.Admit != nil {
		err = s.cfg.Admit(Joining{Name: r.Name, Advertise: printable(r.Advertise), Release: printable(r.Release), From: conn.RemoteAddr()})
	}
	if err != nil {
		return refuse(err)
	}
	s.log.Info("a node joins with a token", zap.String(telemetry.KeyNode, r.Name), zap.Stringer(telemetry.KeyRemote, conn.RemoteAddr()))
	return answer{Bundle: b.Encode(), Stamp: b.Stamp().String()}
}

// trust gives a member the bundle, or takes one from it.
func (s *Server) trust(conn *tls.Conn, raw net.Conn) answer {
	l := s.cfg.Live
	peer, err := PeerOf(conn.ConnectionState())
	if err != nil {
		return refuse(err)
	}
	var r request
	if err := readFrame(conn, maxFrame, &r); err != nil {
		return refuse(err)
	}
	s.asks(raw)
	now := l.state.Load() // a revocation may have come since the handshake
	switch {
	case now.bundle.IsRevoked(peer.Name):
		return refuse(ErrRevoked)
	case !now.gives(peer):
		return refuse(ErrLeaving)
	case r.Op == "fetch":
		return answer{Bundle: now.bundle.Encode(), Stamp: now.stamp.String()}
	case r.Op != "push":
		return refuse(errors.New("trust: that can't be asked for"))
	}
	b, err := Decode(r.Bundle)
	if err != nil {
		return refuse(err)
	}
	if _, err := l.Merge(b); err != nil {
		s.log.Warn("a bundle that was pushed isn't taken", zap.String(telemetry.KeyNode, peer.Name), zap.Error(err))
		return refuse(err)
	}
	return answer{Stamp: l.Stamp().String()}
}
