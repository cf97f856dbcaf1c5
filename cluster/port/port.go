package port

import (
	"container/list"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/telemetry"
)

// The defaults of a Config.
const (
	DefaultFirstByte = 5 * time.Second
	DefaultUndecided = 256
)

const (
	// handshake is the first byte of a TLS connection (RFC 8446 section 5.1). Memberlist's messages begin with 0 to 13 or 244.
	handshake = 0x16
	// waiting is how many connections and packets of each kind wait to be taken up.
	waiting = 128
	// socketBuffer is asked of the kernel for each direction of UDP, in bytes. It is halved until the kernel agrees.
	socketBuffer = 2 << 20
	maxPacket    = 64 << 10
	bindTries    = 16
)

// Config says where a Port listens.
type Config struct {
	// Bind is HOST:PORT. Port 0 is one of the kernel's choice, the same for both protocols.
	Bind string
	// Advertise is the HOST:PORT that other nodes are told. Empty, or without host or with port 0: what is bound, and for an
	// unspecified address the machine's first private one.
	Advertise string
	// FirstByte is how long a connection may stay without its first byte; 0 is DefaultFirstByte.
	FirstByte time.Duration
	// Undecided is how many such connections there may be; 0 is DefaultUndecided. One more drops the oldest.
	Undecided int
	// Logger hears of sockets that fail; nil is silence.
	Logger *zap.Logger
}

// Stats counts what passed a Port since its start. Refused are connections that were dropped: without a first byte in time, or that
// nobody took up; Dropped are packets that nobody took up.
type Stats struct {
	PacketsIn, PacketsOut, BytesIn, BytesOut uint64
	Streams, TLS, Refused, Dropped           uint64
}

// Port is one open address. Safe for concurrent use.
type Port struct {
	cfg     Config
	log     *zap.Logger
	tcp     *net.TCPListener
	udp     *net.UDPConn
	bound   netip.AddrPort
	done    chan struct{}
	close   func() error
	wg      sync.WaitGroup
	gossip  *transport
	secured *tlsListener

	mu struct {
		sync.Mutex
		undecided *list.List // of net.Conn, the oldest first
	}
	stats struct {
		packetsIn, packetsOut, bytesIn, bytesOut atomic.Uint64
		streams, tls, refused, dropped           atomic.Uint64
	}
}

// Start opens the address and serves it until Close.
func Start(cfg Config) (*Port, error) {
	if cfg.FirstByte == 0 {
		cfg.FirstByte = DefaultFirstByte
	}
	if cfg.Undecided == 0 {
		cfg.Undecided = DefaultUndecided
	}
	p := &Port{cfg: cfg, log: cfg.Logger, done: make(chan struct{})}
	if p.log == nil {
		p.log = zap.NewNop()
	}
	p.mu.undecided = list.New()
	if cfg.Advertise != "" {
		if _, _, err := splitAddr(cfg.Advertise); err != nil {
			return nil, err
		}
	}
	if err := p.bind(); err != nil {
		return nil, err
	}
	p.bound = p.tcp.Addr().(*net.TCPAddr).AddrPort()
	p.gossip = &transport{port: p, packets: make(chan *memberlist.Packet, waiting), streams: make(chan net.Conn, waiting), done: make(chan struct{})}
	p.secured = &tlsListener{port: p, conns: make(chan net.Conn, waiting), done: make(chan struct{})}
	p.close = sync.OnceValue(p.shut)
	p.wg.Go(p.accept)
	p.wg.Go(p.receive)
	return p, nil
}

// bind opens both sockets. With port 0 the kernel's choice for TCP may be taken for UDP: then another is tried.
func (p *Port) bind() error {
	host, number, err := splitAddr(p.cfg.Bind)
	if err != nil {
		return err
	}
	for try := 0; ; try++ {
		l, err := net.Listen("tcp", p.cfg.Bind)
		if err != nil {
			return fmt.Errorf("port: listen: %w", err)
		}
		p.tcp = l.(*net.TCPListener)
		at := p.tcp.Addr().(*net.TCPAddr)
		u, err := net.ListenUDP("udp", &net.UDPAddr{IP: at.IP, Port: at.Port, Zone: at.Zone})
		if err == nil {
			p.udp = u
			widen(u)
			return nil
		}
		_ = p.tcp.Close() // nobody has seen it
		if number != 0 || try >= bindTries {
			return fmt.Errorf("port: listen for packets at %s: %w", net.JoinHostPort(host, strconv.Itoa(at.Port)), err)
		}
	}
}

// widen asks for large socket buffers, and is content with less.
func widen(u *net.UDPConn) {
	for _, set := range []func(int) error{u.SetReadBuffer, u.SetWriteBuffer} {
		for size := socketBuffer; size > 0 && set(size) != nil; {
			size /= 2
		}
	}
}

func splitAddr(addr string) (host string, number int, err error) {
	host, text, err := net.SplitHostPort(addr)
	if err == nil {
		number, err = strconv.Atoi(text)
	}
	if err != nil || number < 0 || number > 65535 {
		return "", 0, fmt.Errorf("port: %q is no address: write HOST:PORT", addr)
	}
	return host, number, nil
}

// Addr returns what is bound, with the port that the kernel chose.
func (p *Port) Addr() netip.AddrPort {
	return netip.AddrPortFrom(p.bound.Addr().Unmap(), p.bound.Port())
}

// Transport returns memberlist's side; there is one, and its Shutdown leaves the TLS side open.
func (p *Port) Transport() memberlist.NodeAwareTransport { return p.gossip }

// TLS returns the listener of connections that begin with a TLS handshake, of which nothing has been read yet; there is one. Closing it
// leaves gossip open.
func (p *Port) TLS() net.Listener { return p.secured }

// Stats returns the counts.
func (p *Port) Stats() Stats {
	s := &p.stats
	return Stats{
		PacketsIn: s.packetsIn.Load(), PacketsOut: s.packetsOut.Load(), BytesIn: s.bytesIn.Load(), BytesOut: s.bytesOut.Load(),
		Streams: s.streams.Load(), TLS: s.tls.Load(), Refused: s.refused.Load(), Dropped: s.dropped.Load(),
	}
}

// Close closes the address and what nobody has taken up yet, and waits for the port's goroutines. Connections already taken up stay.
func (p *Port) Close() error { return p.close() }

func (p *Port) shut() error {
	close(p.done)
	err := errors.Join(p.tcp.Close(), p.udp.Close())
	p.mu.Lock()
	for e := p.mu.undecided.Front(); e != nil; e = e.Next() {
		_ = e.Value.(net.Conn).Close()
	}
	p.mu.Unlock()
	p.wg.Wait()
	return errors.Join(err, p.gossip.Shutdown(), p.secured.Close())
}

func (p *Port) accept() {
	for {
		conn, err := p.tcp.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			p.log.Warn("can't accept a connection at the cluster's address", zap.Error(err))
			select {
			case <-time.After(100 * time.Millisecond): // descriptors may have run out
				continue
			case <-p.done:
				return
			}
		}
		entry := p.hold(conn)
		p.wg.Go(func() { p.decide(conn, entry) })
	}
}

// hold notes a connection that is undecided, and drops the oldest if there are too many.
func (p *Port) hold(conn net.Conn) *list.Element {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.mu.undecided.Len() >= p.cfg.Undecided {
		oldest := p.mu.undecided.Remove(p.mu.undecided.Front()).(net.Conn)
		_ = oldest.Close() // its reader counts it
	}
	select {
	case <-p.done:
		_ = conn.Close() // Close may have gone through the list already
	default:
	}
	return p.mu.undecided.PushBack(conn)
}

// decide waits for the first byte and gives the connection to its side.
func (p *Port) decide(conn net.Conn, entry *list.Element) {
	first := make([]byte, 1)
	err := conn.SetReadDeadline(time.Now().Add(p.cfg.FirstByte))
	if err == nil {
		_, err = conn.Read(first)
	}
	if err == nil {
		err = conn.SetReadDeadline(time.Time{})
	}
	p.mu.Lock()
	p.mu.undecided.Remove(entry) // nothing, if it has been dropped
	p.mu.Unlock()
	if err != nil || !p.give(&begun{Conn: conn, first: first}) {
		p.stats.refused.Add(1)
		_ = conn.Close()
	}
}

// give gives a connection to its side, if there is room and the side is open.
func (p *Port) give(conn *begun) bool {
	count, to, done := &p.stats.streams, p.gossip.streams, p.gossip.done
	if conn.first[0] == handshake {
		count, to, done = &p.stats.tls, p.secured.conns, p.secured.done
	}
	if !offer(to, net.Conn(conn), done) {
		return false
	}
	count.Add(1)
	return true
}

// offer puts v into a queue that is neither full nor closed.
func offer[T any](to chan<- T, v T, done <-chan struct{}) bool {
	select {
	case <-done:
		return false
	default:
	}
	select {
	case to <- v:
		return true
	default:
		return false
	}
}

func (p *Port) receive() {
	room := make([]byte, maxPacket)
	for {
		n, from, err := p.udp.ReadFromUDPAddrPort(room)
		at := time.Now()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // an ICMP answer to a packet of ours, for example
			p.log.Debug("can't read a packet", zap.Stringer(telemetry.KeyAddress, p.bound), zap.Error(err))
			continue
		case n == 0:
			continue
		}
		p.stats.packetsIn.Add(1)
		p.stats.bytesIn.Add(uint64(n))
		packet := &memberlist.Packet{
			Buf:       append([]byte(nil), room[:n]...),
			From:      net.UDPAddrFromAddrPort(netip.AddrPortFrom(from.Addr().Unmap(), from.Port())),
			Timestamp: at,
		}
		if !offer(p.gossip.packets, packet, p.gossip.done) {
			p.stats.dropped.Add(1)
		}
	}
}

// begun is a connection whose first byte has been read.
type begun struct {
	net.Conn
	mu    sync.Mutex
	first []byte
}

// Read implements net.Conn.
func (b *begun) Read(to []byte) (int, error) {
	b.mu.Lock()
	if len(b.first) > 0 && len(to) > 0 {
		n := copy(to, b.first)
		b.first = b.first[n:]
		b.mu.Unlock()
		return n, nil
	}
	b.mu.Unlock()
	return b.Conn.Read(to)
}
