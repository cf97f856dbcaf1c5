package link

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/telemetry"
)

// What waits to be passed on to one peer: its links' goroutine takes it at once, so it is hardly ever much.
const (
	passLen   = 1024
	passBytes = 16 << 20
)

// mostOwed is how many answers to a peer's questions wait, each for another way.
const mostOwed = 64

// crossing is what a peer has to do with detours: the way to it, and what goes to it for others.
type crossing struct {
	mu struct {
		sync.Mutex
		path
		owed     []question // the peer's, to be answered
		passing  []*nodepb.Frame
		bytes    int
		detoured uint64
		carried  uint64
		dropped  uint64
	}
}

// via is by whom frames go.
func (p *peer) via() ident.NodeID {
	p.cross.mu.Lock()
	defer p.cross.mu.Unlock()
	return p.cross.mu.via
}

// steer asks for a way, if it is time. Only the goroutine calls it.
func (p *peer) steer() {
	now := p.links.now()
	if now < p.steerAt {
		return
	}
	stuck := never
	p.eachOut(func(s *sender) { stuck = min(stuck, s.stuck()) })
	x := &p.cross
	if !p.links.passes(p.id) {
		x.mu.Lock()
		x.mu.excuse(now)
		x.mu.Unlock()
		return
	}
	others := p.links.helpers(p.id)
	x.mu.Lock()
	changed := x.mu.via != direct && p.links.find(x.mu.via) == nil && x.mu.gone(now, x.mu.via)
	ask := x.mu.tick(now, stuck, others)
	x.mu.Unlock()
	if changed {
		p.turned()
	}
	for _, q := range ask {
		f := p.bare()
		f.Ask = q.number
		p.give(q.by, f)
	}
}

// bare is a frame that says nothing yet.
func (p *peer) bare() *nodepb.Frame {
	return &nodepb.Frame{Version: Version, From: string(p.links.options.Self), To: string(p.id), Class: nodepb.LinkClass_CONTROL}
}

func (l *Links) passes(id ident.NodeID) bool { return l.options.Passes != nil && l.options.Passes(id) }

// helpers lists the peers that could pass frames on to another one, those first that acknowledge the fastest.
func (l *Links) helpers(to ident.NodeID) []ident.NodeID {
	type helper struct {
		id   ident.NodeID
		trip time.Duration
	}
	var list []helper
	for id, p := range *l.up.Load() {
		if trip, flows := p.flows(); id != to && flows && l.passes(id) {
			list = append(list, helper{id, trip})
		}
	}
	slices.SortFunc(list, func(a, b helper) int { return cmp.Or(cmp.Compare(a.trip, b.trip), cmp.Compare(a.id, b.id)) })
	ids := make([]ident.NodeID, len(list))
	for i := range list {
		ids[i] = list[i].id
	}
	return ids
}

// flows reports whether a peer is reached directly and leaves nothing unacknowledged, and how fast it is; never: that isn't known.
func (p *peer) flows() (trip time.Duration, flows bool) {
	p.cross.mu.Lock()
	flows = p.cross.mu.calm()
	p.cross.mu.Unlock()
	trip = never
	p.eachOut(func(s *sender) {
		flows = flows && s.level == 0
		if s.trip.mean > 0 {
			trip = min(trip, s.trip.mean)
		}
	})
	return trip, flows
}

// give sends a frame by a way. Only the goroutine calls it.
func (p *peer) give(by ident.NodeID, f *nodepb.Frame) {
	if by == direct {
		if p.links.options.Carrier.Send(*p.to.Load(), f) != nil {
			o := &p.out[f.Class]
			o.mu.Lock()
			o.mu.errors++
			o.mu.Unlock()
		}
		return
	}
	buf, err := proto.Marshal(f)
	if h := p.links.find(by); h != nil && err == nil {
		h.pass(f.Class, &nodepb.Passed{From: f.From, To: f.To, Frame: buf})
	}
	p.cross.mu.Lock()
	p.cross.mu.detoured++
	p.cross.mu.Unlock()
}

// pass queues a frame of somebody else for a peer. If there is no room it is lost, as on any way.
func (p *peer) pass(class nodepb.LinkClass, x *nodepb.Passed) {
	m := &p.cross.mu
	m.Lock()
	if n := len(m.passing); n >= passLen || n > 0 && m.bytes+len(x.Frame) > passBytes {
		m.dropped++
		m.Unlock()
		return
	}
	f := p.bare()
	f.Class, f.Passed = class, x
	m.passing = append(m.passing, f)
	m.bytes += len(x.Frame)
	m.Unlock()
	p.wake()
}

// passOne sends the peer the next frame of somebody else, and reports whether there was one.
func (p *peer) passOne() bool {
	m := &p.cross.mu
	m.Lock()
	if len(m.passing) == 0 {
		m.Unlock()
		return false
	}
	f := m.passing[0]
	m.passing = slices.Delete(m.passing, 0, 1)
	m.bytes -= len(f.Passed.Frame)
	m.carried++
	m.Unlock()
	p.give(direct, f)
	return true
}

// passed takes a frame that was sent to be passed on, or that was passed on to this node. There is one node between two, never more: one that
// takes a detour itself passes nothing on, and nobody passes on what he didn't get from who made it.
func (l *Links) passed(by *peer, f *nodepb.Frame) {
	x, self := f.Passed, string(l.options.Self)
	switch {
	case x.From == string(by.id) && x.To != self && x.To != x.From:
		to := l.find(ident.NodeID(x.To))
		if to == nil {
			l.strays.strangers.Add(1)
			return
		}
		if !l.passes(to.id) || to.via() != direct {
			to.cross.mu.Lock()
			to.cross.mu.dropped++
			to.cross.mu.Unlock()
			return
		}
		to.pass(f.Class, x)
	case x.To == self && x.From != string(by.id) && x.From != self:
		p := l.find(ident.NodeID(x.From))
		if p == nil || !l.passes(p.id) {
			l.strays.strangers.Add(1)
			return
		}
		inner := new(nodepb.Frame)
		if proto.Unmarshal(x.Frame, inner) != nil || inner.From != x.From || inner.To != self || inner.Class != f.Class || inner.Version != Version || inner.Passed != nil {
			l.strays.nonsense.Add(1)
			return
		}
		l.take(p, inner, by.id)
	default:
		l.strays.nonsense.Add(1)
	}
}

// asked takes a question or an answer of the peer's.
func (p *peer) asked(f *nodepb.Frame, by ident.NodeID) {
	now := p.links.now()
	x := &p.cross
	x.mu.Lock()
	if f.Ask != 0 { // the latest of each way is answered
		x.mu.owed = slices.DeleteFunc(x.mu.owed, func(q question) bool { return q.by == by })
		x.mu.owed = append(x.mu.owed[max(0, len(x.mu.owed)-mostOwed+1):], question{by: by, number: f.Ask, at: now})
	}
	good, changed := false, false
	if f.Answered != 0 {
		good, changed = x.mu.answered(now, f.Answered)
	}
	x.mu.Unlock()
	switch {
	case changed:
		p.turned()
	case good:
		p.eachOut(func(s *sender) { s.hurry(now) })
	}
	p.wake()
}

// reply answers the peer's questions, each on the way that it came by.
func (p *peer) reply() {
	p.cross.mu.Lock()
	owed := p.cross.mu.owed
	p.cross.mu.owed = nil
	p.cross.mu.Unlock()
	for _, q := range owed {
		f := p.bare()
		f.Answered = q.number
		p.give(q.by, f)
	}
}

// hinted follows the peer on its detour.
func (p *peer) hinted(by ident.NodeID) {
	p.cross.mu.Lock()
	changed := p.cross.mu.hinted(p.links.now(), by)
	p.cross.mu.Unlock()
	if changed {
		p.turned()
	}
}

// turned sends on the new way what waits for an acknowledgement, and tells that there is one.
func (p *peer) turned() {
	now := p.links.now()
	p.eachOut(func(s *sender) { s.nudge(now) })
	p.wake()
	if via := p.via(); via != direct {
		p.links.log.Info("a node isn't reached directly: its frames go by another one", zap.String(telemetry.KeyPeer, string(p.id)), zap.String(telemetry.KeyVia, string(via)))
		return
	}
	p.links.log.Info("frames go to a node directly again", zap.String(telemetry.KeyPeer, string(p.id)))
}

// Path says by which way frames go to a peer, and what goes to it for others.
type Path struct {
	Peer Peer
	// Via is the node that passes them on; "": they go directly.
	Via ident.NodeID
	// Since is for how long that has been so.
	Since time.Duration
	// Changes is how often it was another way before. This and what follows counts since PeerUp.
	Changes uint64
	// Detoured are frames that went to the peer by others, Passed those of others that went to it by this node, and Dropped those that didn't, as
	// there was no room, or this node doesn't reach the peer directly itself.
	Detoured, Passed, Dropped uint64
}

// Paths returns the way to each peer that is up, by peer.
func (l *Links) Paths() []Path {
	var list []Path
	now := l.now()
	for _, p := range *l.up.Load() {
		m := &p.cross.mu
		m.Lock()
		list = append(list, Path{Peer: *p.to.Load(), Via: m.via, Since: now - m.since, Changes: m.changes, Detoured: m.detoured, Passed: m.carried, Dropped: m.dropped})
		m.Unlock()
	}
	slices.SortFunc(list, func(a, b Path) int { return cmp.Compare(a.Peer.ID, b.Peer.ID) })
	return list
}
