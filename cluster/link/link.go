package link

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// Version is the format of frames that links speak; one of another is refused.
const Version = 1

// MaxEnvelope is the longest envelope, in bytes.
const MaxEnvelope = 16 << 20

// remembered is how many peers that are down a receiver remembers.
const remembered = 1024

// classes is the number of links with a peer.
const classes = 3

var (
	// ErrFull means that the link holds as much as it may. Nothing of the envelope was taken.
	ErrFull = errors.New("link: full")
	// ErrNoPeer means that the node isn't up: it never was, or PeerDown came before.
	ErrNoPeer = errors.New("link: no such peer")
	// ErrClosed means that the links are closed.
	ErrClosed = errors.New("link: closed")
	// ErrTooLarge means that the envelope is longer than MaxEnvelope.
	ErrTooLarge = errors.New("link: envelope too large")
)

// Peer is another node.
type Peer struct {
	ID ident.NodeID
	// Addr is where its carrier listens, HOST:PORT.
	Addr string
}

// Carrier takes frames to peers. Send must not block, and may be called for several peers at once, for one peer by one
// goroutine at a time. After an error or a silence the frame may be lost, doubled or late: links mend it. The frame belongs
// to the carrier from then on; its envelopes are never changed, by neither side.
type Carrier interface {
	Send(to Peer, f *nodepb.Frame) error
}

// CarrierFunc is a function as a Carrier.
type CarrierFunc func(to Peer, f *nodepb.Frame) error

// Send calls the function.
func (c CarrierFunc) Send(to Peer, f *nodepb.Frame) error { return c(to, f) }

// Options say what links connect. All but Logger and Bounds are needed.
type Options struct {
	// Self is this node.
	Self    ident.NodeID
	Carrier Carrier
	// Logger hears of links that don't flow, and when they do again. Nil: nobody does.
	Logger *zap.Logger
	// Deliver takes an envelope, which nobody changes. Calls for one (from, class) come one at a time and in order, on a goroutine
	// of the carrier's; it must not block. It may Send, and call PeerUp and PeerDown. An envelope at which it panics counts as
	// delivered, and the panic goes on to the carrier. Deliveries that are under way may end after a PeerDown.
	Deliver func(from ident.NodeID, class nodepb.LinkClass, envelope []byte)
	// Return takes what was not acknowledged when PeerDown or Close was called, in order, within that call and for each
	// class once; not if there is nothing. The slice is its own.
	Return func(to ident.NodeID, class nodepb.LinkClass, envelopes [][]byte)
	// Anew, if set, hears that a peer which is up has begun a new epoch though this side has not given it up: the peer has given this side
	// up, and what it had said before it may have forgotten. It is called before anything of the new epoch is delivered, on a goroutine of
	// the carrier's, and must not block.
	Anew func(from ident.NodeID)
	// Mutual, if set, hears in the same way of a peer that has begun a new epoch since this side gave it up and had it back: each has given up the
	// other. A peer that has heard nothing of it, and goes on with its epoch, is none of these.
	Mutual func(from ident.NodeID)
	// Passes, if set, reports whether a node knows of detours, as it says of itself; it must not block. Frames go by no other, and to no other by
	// anybody. nil: there are no detours.
	Passes func(ident.NodeID) bool
	Bounds Bounds
}

// Bounds limit each link; what is zero or less stands for the default. Nodes with different bounds understand each other.
type Bounds struct {
	// QueueLen and QueueBytes are how much a link holds, waiting and unacknowledged; for reserved envelopes, twice as much.
	// 16,384 and 16 MiB. An empty link takes any envelope.
	QueueLen, QueueBytes int
	// Window and WindowBytes are how much of it may be unacknowledged, and Window what a receiver gives credit for. 4,096
	// and 4 MiB. One envelope may always go.
	Window, WindowBytes int
	// FrameLen and FrameBytes limit the envelopes of a frame. 256 and 256 KiB. One envelope may always go.
	FrameLen, FrameBytes int
	// Resend is after how long without an acknowledgement a frame is sent again, and ResendMax the longest pause between two
	// such. 200 ms and 5 s.
	Resend, ResendMax time.Duration
	// AckDelay is how long an acknowledgement waits for a frame that takes it along. 20 ms.
	AckDelay time.Duration
}

// filled returns the bounds with the defaults.
func (b Bounds) filled() Bounds {
	fill := func(n *int, usual int) {
		if *n <= 0 {
			*n = usual
		}
	}
	span := func(d *time.Duration, usual time.Duration) {
		if *d <= 0 {
			*d = usual
		}
	}
	fill(&b.QueueLen, 16384)
	fill(&b.QueueBytes, 16<<20)
	fill(&b.Window, 4096)
	fill(&b.WindowBytes, 4<<20)
	fill(&b.FrameLen, 256)
	fill(&b.FrameBytes, 256<<10)
	span(&b.Resend, 200*time.Millisecond)
	span(&b.ResendMax, 5*time.Second)
	span(&b.AckDelay, 20*time.Millisecond)
	b.ResendMax = max(b.ResendMax, b.Resend)
	return b
}

// Links are this node's links with all its peers. All methods are safe from any goroutine, but Close from within Carrier.Send
// waits for ever.
type Links struct {
	options Options
	bounds  Bounds
	start   time.Time
	log     *zap.Logger
	up      atomic.Pointer[map[ident.NodeID]*peer] // never changed, but replaced
	strays  strays
	running sync.WaitGroup
	mu      struct {
		sync.Mutex
		closed bool
		// past is what is remembered of peers, up and down; order lists those that are down, the longest first.
		past  map[ident.NodeID]*past
		order []ident.NodeID
		floor uint64 // the highest epoch with a peer that was forgotten
	}
}

// past is what outlives a peer's being down.
type past struct {
	epoch uint64
	in    [classes]inbox
	heard heard         // of the peer's epochs
	gone  chan struct{} // closed when the goroutine of the latest epoch has ended; nil: there was none
}

// heard is the peer's latest epoch of which anything has come since this side began its own; 0: nothing has. former is the latest of which anything
// had come before.
type heard struct {
	epoch, former atomic.Uint64
	mu            sync.Mutex // held while Anew and Mutual run
}

// New makes links without a peer. It starts nothing.
func New(o Options) *Links {
	l := &Links{options: o, bounds: o.Bounds.filled(), start: time.Now(), log: o.Logger}
	if l.log == nil {
		l.log = zap.NewNop()
	}
	l.mu.past = map[ident.NodeID]*past{}
	l.up.Store(&map[ident.NodeID]*peer{})
	return l
}

// now is the time since the start.
func (l *Links) now() time.Duration { return time.Since(l.start) }

// Send queues an envelope, which from then on nobody may change. It never waits. Envelopes of one caller to one peer and
// class are delivered in the order of its calls. The errors are ErrFull, ErrNoPeer, ErrTooLarge and ErrClosed; with each of
// them nothing was taken. A reserved envelope is taken up to twice the bounds.
func (l *Links) Send(to ident.NodeID, class nodepb.LinkClass, envelope []byte, reserved bool) error {
	p := l.find(to)
	switch {
	case p == nil:
		return l.absent()
	case uint32(class) >= classes:
		return fmt.Errorf("link: no class %d", class)
	case len(envelope) > MaxEnvelope:
		return ErrTooLarge
	}
	o := &p.out[class]
	o.mu.Lock()
	err := o.mu.push(l.now(), envelope, reserved)
	o.mu.Unlock()
	if err != nil {
		return err
	}
	p.wake()
	return nil
}

func (l *Links) absent() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.closed {
		return ErrClosed
	}
	return ErrNoPeer
}

func (l *Links) find(id ident.NodeID) *peer { return (*l.up.Load())[id] }

// PeerUp opens the links to a new peer, or tells them its new address; otherwise it does nothing. Links with another
// incarnation of the same name end as with PeerDown.
func (l *Links) PeerUp(to Peer) {
	l.mu.Lock()
	if l.mu.closed || to.ID == l.options.Self {
		l.mu.Unlock()
		return
	}
	if p := l.find(to.ID); p != nil {
		l.mu.Unlock()
		p.move(to)
		return
	}
	var former []*peer
	for id, p := range *l.up.Load() {
		if id.Name() == to.ID.Name() {
			former = append(former, p)
			l.forget(id)
		}
	}
	l.add(newPeer(l, to, l.recall(to.ID)))
	l.mu.Unlock()
	for _, p := range former {
		p.end()
	}
}

// add makes a peer known and starts it. l.mu is held.
func (l *Links) add(p *peer) {
	all := maps.Clone(*l.up.Load())
	all[p.id] = p
	l.up.Store(&all)
	l.running.Go(p.run)
}

// recall returns what is known of a peer, in its next epoch. l.mu is held.
func (l *Links) recall(id ident.NodeID) *past {
	was := l.mu.past[id]
	if was == nil {
		was = &past{epoch: l.mu.floor}
		for c := range was.in {
			was.in[c].mu.receiver = newReceiver(&l.bounds)
		}
		l.mu.past[id] = was
	}
	was.epoch++
	l.mu.order = slices.DeleteFunc(l.mu.order, func(x ident.NodeID) bool { return x == id })
	return was
}

// PeerDown gives a peer up: what is queued and unacknowledged goes to Return before it comes back. A later PeerUp begins
// a new epoch.
func (l *Links) PeerDown(id ident.NodeID) {
	l.mu.Lock()
	p := l.find(id)
	if p != nil {
		l.forget(id)
		if last := p.heardOf.epoch.Load(); last > 0 {
			p.heardOf.former.Store(last)
		}
		p.heardOf.epoch.Store(0) // what it begins from now on is no news, but for Mutual
	}
	l.mu.Unlock()
	if p != nil {
		p.end()
	}
}

// forget takes a peer from those that are up. l.mu is held.
func (l *Links) forget(id ident.NodeID) {
	all := maps.Clone(*l.up.Load())
	delete(all, id)
	l.up.Store(&all)
	l.mu.order = append(l.mu.order, id)
	if len(l.mu.order) > remembered {
		oldest := l.mu.order[0]
		l.mu.floor = max(l.mu.floor, l.mu.past[oldest].epoch)
		delete(l.mu.past, oldest)
		l.mu.order = slices.Delete(l.mu.order, 0, 1)
	}
}

// Close gives all peers up, as PeerDown does, and waits until nothing is given to the carrier any more.
func (l *Links) Close() {
	l.mu.Lock()
	l.mu.closed = true
	all := *l.up.Load()
	l.up.Store(&map[ident.NodeID]*peer{})
	l.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(all)) {
		all[id].end()
	}
	l.running.Wait()
}
