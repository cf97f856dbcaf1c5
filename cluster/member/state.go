package member

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// rules are what a state decides by; they never change.
type rules struct {
	self   Member // what never changes of it
	timing Timing
	grace  time.Duration
	// seeds: there are some, and the first life of this node depends on them; remembered: it has had others.
	seeds, remembered bool
}

// wish is what the owner of the node wants it to be.
type wish struct {
	state   State
	weight  uint32
	trust   uint64
	digest  uint64 // of what has to be equal; 0: not compared
	text    string // its readable form
	leaving bool
}

// state is what one node knows, and decides from it. It has no clock: now is the time since the start by a clock that never jumps, wall what
// the wall clock says. Nor has it goroutines, logs or a network.
type state struct {
	rules
	want     wish
	peers    map[ident.NodeID]*peer
	order    []*peer // sorted by id; nil: to be made anew
	statuses map[ident.NodeID]*status
	flaps    map[string][]time.Duration // when a node of that name was lost

	now     time.Duration
	wall    time.Time
	met     time.Duration // when the first other was met, -1: not yet
	heard   bool          // an exchange of everything has come
	active  bool          // this node is, or drains, as it has told the others
	held    nodepb.MemberHeld
	why     string        // held, in words
	differs time.Duration // since when another's configuration differs while active, -1: it doesn't
	clock   clock
	rivals  map[ident.NodeID]bool // nodes with this node's name that have answered a ping
	lost    bool                  // the conflict has been told
	view    *View                 // the latest
	viewed  time.Duration         // when its id became what it is
	asked   time.Duration         // when somebody of another view was asked
	news    []news
}

// peer is another node.
type peer struct {
	id      ident.NodeID
	addr    string
	meta    *nodepb.MemberMeta // nil: not readable
	said    bool               // alive, as gossip says
	alive   bool               // and its address is its own
	was     bool               // alive, some time
	changed time.Duration      // when alive became what it is
	grace   time.Duration      // how long it stays after changed, when not alive
}

// status is what another node says from time to time.
type status struct {
	seq    uint64
	view   uint64
	at     time.Duration // when it was told
	since  time.Duration // when another view than before was told
	digest string
	base   time.Duration // its wall clock (since 1970) minus now
	clock  bool          // its clock is known
	read   time.Duration // when it was read: before the start, perhaps
}

// news is something to be logged.
type news struct {
	what string // constant
	bad  bool   // degraded, heals itself
	id   ident.NodeID
	text string
}

func newState(r rules, want wish) *state {
	return &state{rules: r, want: want, peers: map[ident.NodeID]*peer{}, statuses: map[ident.NodeID]*status{},
		flaps: map[string][]time.Duration{}, rivals: map[ident.NodeID]bool{}, met: -1, differs: -1}
}

func (s *state) tell(what string, bad bool, id ident.NodeID, text string) {
	s.news = append(s.news, news{what, bad, id, text})
}

// seen takes what memberlist says of a node. flapped: it was dead and back since it was last seen. settle draws the conclusions.
func (s *state) seen(id ident.NodeID, addr string, meta *nodepb.MemberMeta, alive, flapped bool) {
	p := s.peers[id]
	switch {
	case id == s.self.ID || p == nil && !alive:
		return
	case p == nil:
		p = &peer{id: id, changed: s.now}
		s.peers[id], s.order = p, nil
	case flapped && p.alive && alive:
		s.flap(id)
	}
	p.said = alive
	if alive {
		p.addr, p.meta = addr, meta
	}
}

// settle finds out who is alive by now.
func (s *state) settle() {
	// When a process has taken the address of another, the other is gone, whatever gossip still says.
	owner := map[string]uint64{s.self.Gossip: math.MaxUint64}
	for _, p := range s.peers {
		if p.said {
			owner[p.addr] = max(owner[p.addr], p.id.Incarnation())
		}
	}
	for _, p := range s.sorted() {
		alive := p.said && p.id.Incarnation() >= owner[p.addr]
		switch {
		case alive && !p.alive:
			if p.was {
				s.tell("a node is back", false, p.id, p.addr)
			} else {
				s.tell("a node has joined", false, p.id, p.addr)
			}
			p.alive, p.was, p.changed = true, true, s.now
			if s.met < 0 {
				s.met = s.now
			}
		case !alive && p.alive:
			s.lose(p)
		}
	}
}

// sorted returns the other nodes, sorted by id. The list is never changed.
func (s *state) sorted() []*peer {
	if s.order == nil {
		for _, p := range s.peers {
			s.order = append(s.order, p)
		}
		slices.SortFunc(s.order, func(a, b *peer) int { return cmp.Compare(a.id, b.id) })
	}
	return s.order
}

// lose begins a node's time of grace.
func (s *state) lose(p *peer) {
	p.alive, p.changed, p.grace = false, s.now, 0
	if p.meta.GetLeaving() {
		return
	}
	p.grace = s.grace << min(len(s.flaps[p.id.Name()]), doublings)
	s.flap(p.id)
	s.tell("a node is lost", true, p.id, p.addr)
}

// mostFlaps is how many losses of a node are kept, and doublings how often they double its grace.
const mostFlaps, doublings = 16, 3

// flap counts a loss.
func (s *state) flap(id ident.NodeID) {
	times := append(s.flaps[id.Name()], s.now)
	s.flaps[id.Name()] = times[max(0, len(times)-mostFlaps):]
}

// hear takes a node's status, straight from it or by way of others, and reports whether there is news of its view in it.
func (s *state) hear(m *nodepb.MemberStatus) (fresh bool) {
	id := ident.NodeID(m.GetNode())
	if p := s.peers[id]; p == nil {
		return false
	}
	st := s.statuses[id]
	if st == nil {
		st = &status{}
		s.statuses[id] = st
	}
	age := min(time.Duration(m.GetAge())*time.Microsecond, 24*time.Hour)
	if read := s.now - age; m.GetClock() != 0 && age >= 0 && (!st.clock || read >= st.read) {
		st.clock = true
		st.base, st.read = time.Duration(m.GetClock())*time.Microsecond-read, read
	}
	if m.GetDigest() != "" {
		st.digest = m.GetDigest()
	}
	if m.GetSeq() <= st.seq {
		return false
	}
	if fresh = m.GetView() != st.view || st.seq == 0; fresh {
		st.since = s.now
	}
	st.seq, st.view, st.at = m.GetSeq(), m.GetView(), s.now
	return fresh
}

// forget drops who is gone for good, and what is no longer of interest. It returns the addresses of those that left.
func (s *state) forget() (left []string) {
	for _, p := range s.sorted() {
		if id := p.id; !p.alive && (p.was || !p.said) && (s.now-p.changed >= p.grace || s.replaced(p)) {
			delete(s.peers, id)
			s.order = nil
			delete(s.statuses, id)
			delete(s.rivals, id)
			what := "a lost node is given up"
			if p.meta.GetLeaving() {
				what, left = "a node has left", append(left, p.addr)
			}
			s.tell(what, false, id, p.addr)
		}
	}
	for name, times := range s.flaps {
		times = slices.DeleteFunc(times, func(t time.Duration) bool { return s.now-t > s.timing.FlapWindow })
		if s.flaps[name] = times; len(times) == 0 {
			delete(s.flaps, name)
		}
	}
	return left
}

// replaced reports whether a node's next incarnation is active: nobody waits for the earlier one then.
func (s *state) replaced(p *peer) bool {
	for _, other := range s.peers {
		if other.alive && other.id.Name() == p.id.Name() && other.id.Incarnation() > p.id.Incarnation() && other.active() {
			return true
		}
	}
	return p.id.Name() == s.self.Name && s.active
}

// active reports whether a node says it owns partitions, or did until just now.
func (p *peer) active() bool {
	return p.meta.GetState() != nodepb.MemberState_MEMBER_JOINING
}

// outcome is what a step comes to.
type outcome struct {
	meta     *nodepb.MemberMeta // of this node, as the others shall know it
	view     *View
	conflict error        // told once
	ping     ident.NodeID // who has this node's name, "" if nobody; at address
	address  string
	ask      bool     // exchange everything with somebody, now: a clock is off
	dissent  string   // the address of somebody to exchange everything with, now: its view is another
	left     []string // addresses of nodes that have left for good
	news     []news
}

// step decides, after everything that was heard until now.
func (s *state) step() outcome {
	s.settle()
	out := outcome{left: s.forget()}
	out.ask = s.clock.look(s)
	held, why, rival := s.hold()
	if rival != nil && !s.rivals[rival.id] && held == nodepb.MemberHeld_HELD_NAME {
		out.ping, out.address = rival.id, rival.addr
	}
	if held != s.held || why != s.why {
		switch {
		case held != nodepb.MemberHeld_NOT_HELD:
			// At each start it takes a moment to meet the others. Whoever calls them says so if none answers.
			s.tell("this node stays out of the cluster", held != nodepb.MemberHeld_HELD_ALONE, s.self.ID, why)
		default:
			s.tell("this node may take part in the cluster", false, s.self.ID, "")
		}
	}
	s.held, s.why = held, why
	s.active = held == nodepb.MemberHeld_NOT_HELD && s.want.state != Joining
	if !s.lost {
		out.conflict = s.conflict()
		s.lost = out.conflict != nil
	}
	out.meta = s.meta()
	s.look()
	out.view, out.dissent = s.view, s.dissent()
	out.news, s.news = s.news, nil
	return out
}

// look makes another view if something has changed.
func (s *state) look() {
	members := s.members()
	if s.view != nil && slices.Equal(s.view.Members, members) {
		return
	}
	v := newView(members)
	if s.view == nil || s.view.ID != v.ID {
		s.viewed = s.now
	}
	s.view = v
}

// Gossip misses somebody now and then, which the next exchange mends; but that is ten seconds away or more. So whoever has had another view
// for bearFor is asked, by each node at most once in askEvery.
const bearFor, askEvery = 3 * time.Second, 5 * time.Second

// dissent returns the address of a living member whose view has differed from this node's for some time.
func (s *state) dissent() string {
	if s.now-s.viewed < bearFor || s.now-s.asked < askEvery {
		return ""
	}
	var found []string
	for _, p := range s.sorted() {
		if st := s.statuses[p.id]; p.alive && st != nil && st.seq > 0 && st.view != s.view.ID && s.now-st.since >= bearFor {
			found = append(found, p.addr)
		}
	}
	if len(found) == 0 {
		return ""
	}
	s.asked = s.now
	return found[int(s.now/askEvery)%len(found)]
}

// advance sets the time, before anything is heard.
func (s *state) advance(now time.Duration, wall time.Time) {
	s.clock.advance(now-s.now, wall.Sub(s.wall), s.wall.IsZero(), s.timing.ClockBound)
	s.now, s.wall = now, wall
}

// meta is what this node tells of itself.
func (s *state) meta() *nodepb.MemberMeta {
	state := s.want.state
	if s.held != nodepb.MemberHeld_NOT_HELD {
		state = Joining // also if it drains: a node that drains has been active, and bears its name
	}
	return &nodepb.MemberMeta{Format: 1, Carriage: s.self.Carriage, Proto: uint32(s.self.Proto), Oldest: uint32(s.self.Oldest),
		Release: s.self.Release, State: nodepb.MemberState(state), Held: s.held, Weight: s.want.weight, Trust: s.want.trust,
		Digest: s.want.digest, Leaving: s.want.leaving, Client: s.self.Client, Passes: s.self.Passes, Routed: s.self.Routed, ByAge: s.self.ByAge}
}

// members lists all that are known, as this node sees them.
func (s *state) members() []Member {
	self := s.self
	meta := s.meta()
	self.State, self.Weight, self.Trust, self.Rejected = State(meta.State), meta.Weight, meta.Trust, s.why
	if meta.Leaving {
		self.State = Draining
	}
	list := append(make([]Member, 0, len(s.peers)+1), self)
	bearers := s.bearers()
	for _, p := range s.peers {
		if p.was {
			list = append(list, s.member(p, bearers))
		}
	}
	slices.SortFunc(list, func(a, b Member) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// member is one other node, as this node sees it.
func (s *state) member(p *peer, bearers map[string]ident.NodeID) Member {
	m := Member{ID: p.id, Name: p.id.Name(), Gossip: p.addr, Suspect: !p.alive}
	if p.meta == nil || p.meta.GetFormat() != 1 {
		m.Rejected = "it tells of itself in another format"
		return m
	}
	m.Carriage, m.Proto, m.Oldest, m.Release = p.meta.GetCarriage(), uint16(p.meta.GetProto()), uint16(p.meta.GetOldest()), p.meta.GetRelease()
	m.Client, m.Passes, m.Routed, m.ByAge = p.meta.GetClient(), p.meta.GetPasses(), p.meta.GetRouted(), p.meta.GetByAge()
	m.State, m.Weight, m.Trust = State(min(p.meta.GetState(), nodepb.MemberState_MEMBER_DRAINING)), p.meta.GetWeight(), p.meta.GetTrust()
	if p.meta.GetLeaving() {
		m.State = Draining
	}
	switch {
	case p.meta.GetHeld() != nodepb.MemberHeld_NOT_HELD:
		m.Rejected = heldText(p.meta.GetHeld())
	case !s.understands(p):
		m.Rejected = s.versions(p)
	case p.alive && bearers[m.Name] != p.id:
		m.Rejected = "its name is " + string(bearers[m.Name]) + "'s"
	}
	return m
}
