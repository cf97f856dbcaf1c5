package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/session"
	"github.com/jackdaw-im/jackdaw/telemetry"
)

// Config says what a gateway listens on and what it allows. Zero fields get the defaults below.
type Config struct {
	// Domain is the served domain; it answers streams before TLS.
	Domain string
	// C2S and C2STLS are the addresses for STARTTLS and for direct TLS (XEP-0368). Empty ones aren't opened.
	C2S, C2STLS string
	// Certificate is what both present.
	Certificate *Certificate
	// TicketKeys, if set, are the keys of TLS session tickets: the first makes new ones, all open them. It is asked before each
	// handshake, so that they can be changed, and must be quick. Nodes of one cluster have the same.
	TicketKeys func() [][32]byte
	// Start makes the session actor of a connection.
	Start func(session.Args) (actors.Ref, error)
	// Cast sends to a session actor.
	Cast func(actors.Ref, any) error
	// Transport carries the connections; nil is Portable.
	Transport Transport
	// StanzaBytesBeforeAuth and StanzaBytes bound one stanza.
	StanzaBytesBeforeAuth, StanzaBytes int
	// Rate bounds what one client may send.
	Rate RateLimit
	// Handshakes run at a time; HandshakeQueue more may wait.
	Handshakes, HandshakeQueue int
	// HandshakeTime is how long a client has from its first packet to the end of TLS; LoginTime from there to the end of
	// authentication, for which the session has less patience, and tells the client; StanzaTime to complete a stanza it has
	// begun.
	HandshakeTime, LoginTime, StanzaTime time.Duration
	// Guard, if set, runs what each goroutine of the gateway does, so that a panic can be noted before it ends the process.
	Guard    func(run func())
	Logger   *zap.Logger
	Counters *Counters
}

// Defaults of Config.
const (
	DefaultStanzaBytesBeforeAuth = 8 << 10
	DefaultStanzaBytes           = 256 << 10
	DefaultHandshakeQueue        = 4096
	DefaultHandshakeTime         = 10 * time.Second
	DefaultLoginTime             = 40 * time.Second
	DefaultStanzaTime            = 60 * time.Second
)

// Counters count what all connections of a gateway do.
type Counters struct {
	Open              atomic.Int64 // connections now open, handshakes included
	Accepted          atomic.Int64
	Handshakes        atomic.Int64 // completed
	HandshakesFailed  atomic.Int64
	HandshakesRefused atomic.Int64 // no room, or no patience left
	HandshakesWaiting atomic.Int64
	RateLimited       atomic.Int64 // times a connection was not read for a while
	Slow              atomic.Int64 // connections closed because the client did not read
	StanzasIn         atomic.Int64
	BytesIn, BytesOut atomic.Int64 // decrypted
	StreamErrors      atomic.Int64 // bytes that were no legal stream
}

// Server is the listeners and all their connections. New makes it, Start opens it, Stop drains it.
type Server struct {
	cfg       Config
	admission *admission
	direct    *tls.Config
	starttls  *tls.Config
	tickets   tickets
	log       *zap.Logger
	count     *Counters
	start     time.Time

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup // accept loops and handshakes

	mu struct {
		sync.Mutex
		listeners []listener
		streams   map[*stream]bool // whether its session has begun
		empty     chan struct{}    // closed when stopping and no stream is left
		stopping  bool
		drain     *drain // nil: clients are welcome
	}
}

// listener is one of the gateway's addresses.
type listener struct {
	net.Listener
	flag   string // that names it
	direct bool   // TLS from the first byte
}

// New returns a gateway that listens to nothing yet.
func New(cfg Config) *Server {
	setDefault(&cfg.StanzaBytesBeforeAuth, DefaultStanzaBytesBeforeAuth)
	setDefault(&cfg.StanzaBytes, DefaultStanzaBytes)
	setDefault(&cfg.Handshakes, 4*runtime.GOMAXPROCS(0))
	setDefault(&cfg.HandshakeQueue, DefaultHandshakeQueue)
	setDefault(&cfg.HandshakeTime, DefaultHandshakeTime)
	setDefault(&cfg.LoginTime, DefaultLoginTime)
	setDefault(&cfg.StanzaTime, DefaultStanzaTime)
	if cfg.Guard == nil {
		cfg.Guard = unguarded
	}
	if cfg.Transport == nil {
		cfg.Transport = portable{cfg.Guard}
	}
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	if cfg.Counters == nil {
		cfg.Counters = &Counters{}
	}
	s := &Server{cfg: cfg, log: cfg.Logger, count: cfg.Counters, start: time.Now()}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.admission = newAdmission(cfg.Handshakes, cfg.HandshakeQueue, cfg.HandshakeTime, &s.count.HandshakesWaiting, &s.count.HandshakesRefused)
	s.mu.streams = map[*stream]bool{}
	s.mu.empty = make(chan struct{})
	s.starttls = &tls.Config{
		GetCertificate: cfg.Certificate.get,
		MinVersion:     tls.VersionTLS12,
		// One record per write: growing records would cost a system call each and save nothing for stanzas.
		DynamicRecordSizingDisabled: true,
	}
	s.direct = s.starttls.Clone()
	s.direct.NextProtos = []string{"xmpp-client"}
	s.tickets = tickets{keys: cfg.TicketKeys, configs: []*tls.Config{s.starttls, s.direct}}
	return s
}

func unguarded(run func()) { run() }

func setDefault[T int | time.Duration](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

// Start opens the listeners. An error names the address and what to do.
func (s *Server) Start() error {
	for _, l := range []struct {
		addr, flag string
		direct     bool
	}{{s.cfg.C2S, "--c2s", false}, {s.cfg.C2STLS, "--c2s-tls", true}} {
		if l.addr == "" {
			continue
		}
		if err := s.listen(l.addr, l.flag, l.direct); err != nil {
			s.closeListeners()
			return err
		}
	}
	return nil
}

// listen opens one listener.
func (s *Server) listen(addr, flag string, direct bool) error {
	ln, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("gateway: %s is in use by another program: stop it, or give another address with %s", addr, flag)
	}
	if err != nil {
		return fmt.Errorf("gateway: can't listen on %s (%s): %w", addr, flag, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.stopping {
		_ = ln.Close()
		return net.ErrClosed
	}
	s.mu.listeners = append(s.mu.listeners, listener{ln, flag, direct})
	s.wg.Add(1)
	go s.cfg.Guard(func() { s.accept(ln, direct) })
	return nil
}

// Addrs returns the listening addresses, STARTTLS first.
func (s *Server) Addrs() []net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	var addrs []net.Addr
	for _, l := range s.mu.listeners {
		addrs = append(addrs, l.Addr())
	}
	return addrs
}

// Stop accepts nothing more, tells every session to end its stream, and waits for them until ctx is over; then it closes
// what is left. It may be called again.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	first := !s.mu.stopping
	s.mu.stopping = true
	if first && len(s.mu.streams) == 0 {
		close(s.mu.empty)
	}
	s.mu.Unlock()
	s.closeListeners() // of which there are no more from now on
	s.cancel()
	if first {
		for _, st := range s.open(true) {
			st.shutdown()
		}
	}
	var err error
	select {
	case <-s.mu.empty:
	case <-ctx.Done():
		left := s.open(false)
		if len(left) > 0 {
			err = fmt.Errorf("gateway: closed %d connections that did not end in time: %w", len(left), ctx.Err())
		}
		for _, st := range left {
			_ = st.conn.Close()
		}
		<-s.mu.empty
	}
	s.wg.Wait()
	return err
}

// open lists the streams, without those whose session has not begun if begun is set.
func (s *Server) open(begun bool) (list []*stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for st, has := range s.mu.streams {
		if has || !begun {
			list = append(list, st)
		}
	}
	return list
}

func (s *Server) closeListeners() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.mu.listeners {
		_ = l.Close() // again, perhaps
	}
}

// accept takes connections until the listener is closed. When descriptors run out it pauses instead of spinning.
func (s *Server) accept(ln net.Listener, direct bool) {
	defer s.wg.Done()
	pause := 5 * time.Millisecond
	for {
		conn, err := ln.Accept()
		switch {
		case err == nil:
			pause = 5 * time.Millisecond
			s.count.Accepted.Add(1)
			s.wg.Add(1)
			go s.cfg.Guard(func() { s.welcome(conn, direct) })
		case errors.Is(err, net.ErrClosed):
			return
		default:
			s.log.Warn("can't accept a connection", zap.Error(err), zap.Duration(telemetry.KeyPause, pause))
			select {
			case <-time.After(pause):
			case <-s.ctx.Done():
				return
			}
			pause = min(2*pause, time.Second)
		}
	}
}

// welcome brings one connection to the end of its handshake and hands it to the transport. It runs on a goroutine of its
// own that ends with it.
func (s *Server) welcome(conn net.Conn, direct bool) {
	defer s.wg.Done()
	s.count.Open.Add(1)
	_ = conn.SetDeadline(time.Now().Add(s.cfg.HandshakeTime))
	stop := context.AfterFunc(s.ctx, func() { _ = conn.Close() })
	tc, err := s.secure(conn, direct)
	stop() // from here on it is the session that ends the connection
	if err == nil {
		err = s.cfg.Transport.Start(tc, s.begin)
	}
	if err != nil {
		s.count.Open.Add(-1)
		_ = conn.Close()
		s.log.Debug("a connection ended before its stream", zap.Stringer(telemetry.KeyRemote, conn.RemoteAddr()), zap.Error(err))
	}
}

// secure does STARTTLS where needed, and the TLS handshake.
func (s *Server) secure(conn net.Conn, direct bool) (*secureConn, error) {
	config := s.direct
	sock := newSocket(conn)
	if !direct {
		config = s.starttls
		if err := s.negotiate(conn); err != nil {
			return nil, err
		}
	}
	var err error
	if sock.first, err = readHello(conn); err != nil {
		return nil, err
	}
	place := &turn{admission: s.admission, ctx: s.ctx}
	if err := place.begin(); err != nil {
		return nil, err
	}
	sock.turn = place
	s.tickets.refresh()
	tc := tls.Server(sock, config)
	err = tc.HandshakeContext(s.ctx)
	sock.turn = nil
	place.pause()
	if err != nil {
		s.count.HandshakesFailed.Add(1)
		return nil, err
	}
	s.count.Handshakes.Add(1)
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}
	return &secureConn{Conn: tc, sock: sock}, nil
}

// begin makes the stream of a secured connection and its session.
func (s *Server) begin(conn Conn) (Handler, error) {
	st := newStream(s, conn)
	s.mu.Lock()
	if s.mu.stopping {
		s.mu.Unlock()
		return nil, net.ErrClosed
	}
	s.mu.streams[st] = false
	s.mu.Unlock()
	ref, err := s.cfg.Start(session.Args{Outlet: st, Remote: conn.RemoteAddr().String()})
	if err != nil {
		s.forget(st)
		return nil, err
	}
	st.session = ref
	conn.Expect(s.cfg.LoginTime)
	s.mu.Lock()
	s.mu.streams[st] = true
	stopping, draining := s.mu.stopping, s.mu.drain
	s.mu.Unlock()
	switch { // Stop or Drain came too early to do it
	case stopping:
		st.shutdown()
	case draining != nil:
		s.sendAway(draining, st)
	}
	return st, nil
}

// ended is told by a stream that its connection is gone.
func (s *Server) ended(st *stream) {
	s.count.Open.Add(-1)
	s.forget(st)
}

// forget removes a stream from those that Stop waits for.
func (s *Server) forget(st *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.mu.streams[st]; !known {
		return
	}
	delete(s.mu.streams, st)
	if d := s.mu.drain; d != nil {
		select {
		case d.gone <- struct{}{}:
		default:
		}
	}
	if s.mu.stopping && len(s.mu.streams) == 0 {
		close(s.mu.empty)
	}
}
