package carrier

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/telemetry"
)

// state is how far the connection to a node is.
type state uint8

const (
	idle    state = iota // there is none; a Send opens it
	opening              // frames for it are queued already
	up
	ending // it is lost, and remote is about to forget it: what remote got now would go nowhere
)

// Pauses after a connection was lost or could not be opened: from the first, doubled with each in a row, to the last.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 5 * time.Second
	// steady is how long a connection must have been up to count as none in a row.
	steady = 10 * time.Second
)

// pause is how long not to dial after so many failures in a row; jitter, in [0, 1), spreads the nodes that lost the same one.
func pause(failures int, jitter float64) time.Duration {
	d := lastPause
	if failures < 8 {
		d = min(firstPause<<max(failures-1, 0), lastPause)
	}
	return d - time.Duration(jitter*float64(d)/2)
}

// peer is one node that is sent to, by its address.
type peer struct {
	c       *Carrier
	addr    string
	routers [classes]*actor.PID

	mu struct {
		sync.Mutex
		name     string // of the node that must be there
		state    state
		stream   *outgoing // while opening or up, once remote has asked for it
		frames   int       // pending
		bytes    int
		failures int // in a row
		retry    time.Time
		since    time.Time // it was up
		closed   bool
	}
}

func newPeer(c *Carrier, addr string) *peer {
	p := &peer{c: c, addr: addr}
	for i := range p.routers {
		p.routers[i] = actor.NewPID(addr, routers[i])
	}
	return p
}

// send gives a frame to remote. The lock is held meanwhile, so that frames keep their order, and none gets to an endpoint of which remote
// has not learnt that it is gone.
func (p *peer) send(name string, router int, f *nodepb.Frame, size int) error {
	m := &p.mu
	m.Lock()
	defer m.Unlock()
	if m.closed {
		return ErrClosed
	}
	if m.name != name { // another node has this address now
		m.name = name
		if m.stream != nil {
			m.stream.cancel()
		}
		if m.state != idle {
			return ErrUnreachable
		}
		m.failures, m.retry = 0, time.Time{}
	}
	switch m.state {
	case ending:
		return ErrUnreachable
	case idle:
		if !m.retry.IsZero() && time.Now().Before(m.retry) {
			return ErrUnreachable
		}
		m.state = opening
		p.c.busy.Add(1)
		p.c.count.dials.Add(1)
	default:
		if m.frames >= PendingFrames || m.frames > 0 && m.bytes+size > PendingBytes {
			return ErrBusy
		}
	}
	m.frames++
	m.bytes += size
	p.c.remote.actors.Root.Send(p.routers[router], f)
	return nil
}

// seen ends the pause if a node of that name is there: it has just connected itself.
func (p *peer) seen(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.name == name {
		p.mu.retry = time.Time{}
	}
}

// expects is the name of the node that must be at this address.
func (p *peer) expects() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.name
}

// begin notes the stream that remote has asked for.
func (p *peer) begin(s *outgoing) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.stream = s
	if p.mu.closed {
		s.cancel()
	}
}

// connected notes that a stream works.
func (p *peer) connected(s *outgoing) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.stream == s && p.mu.state == opening {
		p.mu.state, p.mu.since = up, time.Now()
		p.c.count.connected.Add(1)
		p.c.log.Info("connected to a node", zap.String(telemetry.KeyPeer, p.mu.name), zap.String(telemetry.KeyAddress, p.addr))
	}
}

// sent notes what a stream has given to the network.
func (p *peer) sent(s *outgoing, frames, bytes int) {
	p.c.count.sent.Add(uint64(frames))
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.stream == s {
		p.mu.frames -= frames
		p.mu.bytes -= bytes
	}
}

// lost notes that a stream is over. Until ended nothing is sent.
func (p *peer) lost(s *outgoing, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.stream != s {
		return
	}
	was := p.mu.state
	p.mu.state = ending
	level := zap.DebugLevel
	if was == up && !p.mu.closed {
		level = zap.InfoLevel
	}
	p.c.log.Log(level, "no connection to a node", zap.String(telemetry.KeyPeer, p.mu.name), zap.String(telemetry.KeyAddress, p.addr), zap.Error(err))
}

// announced is remote's word that it has the connection. Only now may its end be told (see outgoing).
func (p *peer) announced() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.mu.stream; s != nil {
		s.announce()
	}
}

// ended is remote's word that it has forgotten the connection, which happens once for each.
func (p *peer) ended() {
	m := &p.mu
	m.Lock()
	defer m.Unlock()
	if m.state == idle {
		return
	}
	now := time.Now()
	if !m.since.IsZero() && now.Sub(m.since) >= steady {
		m.failures = 0
	}
	m.failures++
	m.retry = now.Add(pause(m.failures, rand.Float64()))
	m.state, m.stream, m.frames, m.bytes, m.since = idle, nil, 0, 0, time.Time{}
	p.c.busy.Done()
}

// close lets nothing more through, and ends the connection.
func (p *peer) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.closed = true
	if p.mu.stream != nil {
		p.mu.stream.cancel()
	}
}
