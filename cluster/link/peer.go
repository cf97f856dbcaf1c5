package link

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/telemetry"
)

// stalled is after how many pauses without an acknowledgement the log says so.
const stalled = 3

// peer is one other node from PeerUp to PeerDown. Its goroutine, the only one, gives frames to the carrier; no lock is held
// meanwhile.
type peer struct {
	links   *Links
	id      ident.NodeID
	to      atomic.Pointer[Peer]
	out     [classes]outbox
	in      *[classes]inbox // outlives the peer, and so does the next
	heardOf *heard
	cross   crossing
	awake   atomic.Bool // bell has rung since the goroutine looked last
	bell    chan struct{}
	done    chan struct{} // closed by end
	// former is closed when the goroutine of the epoch before has ended, gone when this one's has.
	former, gone chan struct{}
	slow         [classes]bool // of the goroutine: what it has logged
	steerAt      time.Duration // of the goroutine: when the way may have to change
}

type outbox struct {
	mu struct {
		sync.Mutex
		sender
		errors uint64 // of the carrier
	}
}

func newPeer(l *Links, to Peer, was *past) *peer {
	p := &peer{
		links: l, id: to.ID, in: &was.in, heardOf: &was.heard, bell: make(chan struct{}, 1), done: make(chan struct{}),
		former: was.gone, gone: make(chan struct{}), steerAt: never,
	}
	p.cross.mu.path = newPath(l.now(), uint64(rand.Uint32())<<32)
	was.gone = p.gone
	p.to.Store(&to)
	for c := range p.out {
		p.out[c].mu.sender = newSender(&l.bounds, was.epoch, rand.Uint64())
	}
	return p
}

// wake makes the goroutine look.
func (p *peer) wake() {
	if !p.awake.Load() && p.awake.CompareAndSwap(false, true) {
		select {
		case p.bell <- struct{}{}:
		default:
		}
	}
}

// move notes the peer's address.
func (p *peer) move(to Peer) {
	if *p.to.Load() == to {
		return
	}
	p.to.Store(&to)
	p.eachOut(func(s *sender) { s.nudge(p.links.now()) })
	p.wake()
}

// eachOut calls f for each class's sender, locked.
func (p *peer) eachOut(f func(*sender)) {
	for c := range p.out {
		o := &p.out[c]
		o.mu.Lock()
		f(&o.mu.sender)
		o.mu.Unlock()
	}
}

// end stops the goroutine and gives back what is not acknowledged. It is called once.
func (p *peer) end() {
	close(p.done)
	for c := range p.out {
		o := &p.out[c]
		o.mu.Lock()
		left := o.mu.giveUp()
		o.mu.Unlock()
		if len(left) > 0 {
			p.links.options.Return(p.id, nodepb.LinkClass(c), left)
		}
	}
}

// run gives frames to the carrier until the peer is down.
func (p *peer) run() {
	defer close(p.gone)
	if p.former != nil {
		<-p.former // has nothing left to do but its last frame
	}
	p.greet()
	timer := time.NewTimer(0)
	defer timer.Stop()
	var armed time.Duration // when the timer fires; it may be early
	for {
		select {
		case <-p.done:
			return
		case <-p.bell:
			runtime.Gosched() // who rang may have more to send
		case <-timer.C:
			armed = never
		}
		p.awake.Store(false)
		p.steer()
		p.flush()
		if at := p.deadline(); at < armed {
			armed = at
			timer.Reset(at - p.links.now())
		}
	}
}

// never is later than all times.
const never = time.Duration(1<<63 - 1)

// greet asks for a frame of each class, from which the peer learns that its frames are taken now.
func (p *peer) greet() {
	for c := range p.in {
		i := &p.in[c]
		i.mu.Lock()
		i.mu.dueBy(p.links.now())
		i.mu.Unlock()
	}
}

// flush gives all that may go to the carrier, a frame of each class and one of another node in turn.
func (p *peer) flush() {
	p.reply()
	for more := true; more; {
		more = p.passOne()
		for c := range p.out {
			select {
			case <-p.done:
				return
			default:
			}
			f := p.frame(c)
			if f == nil {
				continue
			}
			more = true
			p.give(p.via(), f)
		}
	}
}

// frame makes the next frame of a class, nil if there is none now.
func (p *peer) frame(c int) *nodepb.Frame {
	now := p.links.now()
	o, i := &p.out[c], &p.in[c]
	o.mu.Lock()
	epoch, level := o.mu.epoch, o.mu.level
	first, envelopes := o.mu.cut(now)
	o.mu.Unlock()
	p.note(c, level)

	i.mu.Lock()
	defer i.mu.Unlock()
	if at, due := i.mu.deadline(); envelopes == nil && (!due || now < at) {
		return nil
	}
	f := &nodepb.Frame{
		Version: Version, From: string(p.links.options.Self), To: string(p.id), Class: nodepb.LinkClass(c),
		Epoch: epoch, First: first, Envelopes: envelopes,
	}
	f.AckEpoch, f.Ack, f.Credit = i.mu.say(now)
	if i.mu.refusal != "" && envelopes == nil {
		f.Refused, i.mu.refusal = i.mu.refusal, ""
	}
	return f
}

// note logs that a link doesn't flow, or does again.
func (p *peer) note(c, level int) {
	if slow := level >= stalled || p.slow[c] && level > 0; slow != p.slow[c] {
		p.slow[c] = slow
		says := "link flows again"
		if slow {
			says = "link stalled"
		}
		p.links.log.Info(says, zap.String(telemetry.KeyPeer, string(p.id)), zap.Stringer(telemetry.KeyClass, nodepb.LinkClass(c)))
	}
}

// deadline returns when there is something to do though nothing happens.
func (p *peer) deadline() time.Duration {
	first, stuck := never, never
	for c := range p.out {
		o, i := &p.out[c], &p.in[c]
		o.mu.Lock()
		if at, ok := o.mu.deadline(); ok {
			first = min(first, at)
		}
		stuck = min(stuck, o.mu.stuck())
		o.mu.Unlock()
		i.mu.Lock()
		if at, ok := i.mu.deadline(); ok {
			first = min(first, at)
		}
		i.mu.Unlock()
	}
	p.cross.mu.Lock()
	p.steerAt = p.cross.mu.deadline(stuck)
	p.cross.mu.Unlock()
	return min(first, p.steerAt)
}
