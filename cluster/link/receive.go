package link

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// maxRefusal is how much of a peer's words is kept, in bytes.
const maxRefusal = 200

// strays counts frames that belong to no link.
type strays struct{ version, misdirected, strangers, nonsense atomic.Uint64 }

// inbox is the receiving half of a link. Of the goroutines that bring frames at once, one delivers what all of them brought;
// no lock is held meanwhile, so Deliver may call what it likes.
type inbox struct {
	mu struct {
		sync.Mutex
		receiver
		busy bool // someone delivers
	}
}

// Receive takes a frame from the carrier, on any goroutine, and delivers what is in it. The frame may be any nonsense; its
// envelopes belong to Deliver from then on.
func (l *Links) Receive(f *nodepb.Frame) {
	if f == nil || uint32(f.GetClass()) >= classes {
		l.strays.nonsense.Add(1)
		return
	}
	if f.To != string(l.options.Self) {
		l.strays.misdirected.Add(1)
		return
	}
	p := l.find(ident.NodeID(f.From))
	if p == nil {
		l.strays.strangers.Add(1)
		return
	}
	if f.Version != Version {
		l.strays.version.Add(1)
		p.refuse(int(f.Class), fmt.Sprintf("version %d; this node speaks %d", f.Version, Version))
		return
	}
	if f.Passed != nil {
		l.passed(p, f)
		return
	}
	l.take(p, f, direct)
}

// take takes a frame that a peer has made, and that has come by another node or directly.
func (l *Links) take(p *peer, f *nodepb.Frame, by ident.NodeID) {
	if f.Ask != 0 || f.Answered != 0 {
		p.asked(f, by)
		return
	}
	if by != direct {
		p.hinted(by)
	}
	p.renewed(f.Epoch)
	if err := p.heard(f); err != nil {
		l.strays.nonsense.Add(1)
		return
	}
	if len(f.Envelopes) == 0 {
		return
	}
	if err := p.deliver(f); err != nil {
		l.strays.nonsense.Add(1)
	}
}

// renewed notes a peer's epoch, and tells of one that follows another.
func (p *peer) renewed(epoch uint64) {
	h := p.heardOf
	if epoch <= h.epoch.Load() {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	last := h.epoch.Load()
	if epoch <= last || last == 0 && epoch < h.former.Load() { // the latter is late, and says nothing of how things are now
		return
	}
	tell := p.links.options.Anew
	if last == 0 {
		tell = p.links.options.Mutual
		if former := h.former.Load(); former == 0 || epoch <= former {
			tell = nil
		}
	}
	if tell != nil {
		tell(p.id)
	}
	h.epoch.Store(epoch)
}

// heard takes what a frame says of the other direction.
func (p *peer) heard(f *nodepb.Frame) error {
	now := p.links.now()
	o := &p.out[f.Class]
	o.mu.Lock()
	defer o.mu.Unlock()
	if f.Refused != "" {
		o.mu.refusal = f.Refused[:min(len(f.Refused), maxRefusal)]
		return nil
	}
	wake, err := o.mu.heard(now, f.AckEpoch, f.Ack, f.Credit)
	if wake {
		p.wake()
	}
	return err
}

// refuse tells a peer why nothing of it is taken.
func (p *peer) refuse(class int, why string) {
	i := &p.in[class]
	i.mu.Lock()
	i.mu.refusal = why
	i.mu.soon(p.links.now())
	i.mu.Unlock()
	p.wake()
}

// deliver takes a frame's envelopes and delivers what is ready, unless another goroutine does that already.
func (p *peer) deliver(f *nodepb.Frame) error {
	now := p.links.now()
	i := &p.in[f.Class]
	i.mu.Lock()
	err := i.mu.take(now, f.Epoch, f.First, f.Envelopes)
	if !i.mu.busy {
		i.mu.busy = true
		for i.mu.busy {
			x, ok := i.mu.pop()
			if !ok {
				i.mu.busy = false
				break
			}
			i.mu.Unlock()
			p.each(i, f.Class, x)
		}
	}
	if i.mu.due && i.mu.news { // also if a frame went while envelopes were delivered
		i.mu.news = false
		p.wake()
	}
	i.mu.Unlock()
	return err
}

// each delivers a run and comes back with the lock held, unless Deliver panics: then what comes after that envelope is ready
// again.
func (p *peer) each(i *inbox, class nodepb.LinkClass, x run) {
	n := 0
	defer func() {
		now := p.links.now()
		i.mu.Lock()
		if n == len(x.envelopes) {
			i.mu.delivered(now, x)
			return
		}
		i.mu.delivered(now, run{x.epoch, x.first, x.envelopes[:n+1]})
		if rest := x.envelopes[n+1:]; len(rest) > 0 {
			i.mu.putBack(run{x.epoch, x.first + uint64(n) + 1, rest})
		}
		i.mu.busy = false
		i.mu.Unlock()
		p.wake()
	}()
	for ; n < len(x.envelopes); n++ {
		p.links.options.Deliver(p.id, class, x.envelopes[n])
	}
}
