package pg

import (
	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
)

// state is a scope: who is in which group, who watches, which nodes take part. It is pure: messages in, effects out. A join, a
// leave and an end cost the same however large the groups are, but for the path that vec copies.
type state struct {
	local    map[actors.Ref]*party // actors of this node that are members, or watch
	groups   map[string]*group
	peers    map[ident.NodeID]*peer
	watchers map[MonitorRef]*watcher
	whole    map[MonitorRef]*watcher // those of the whole scope
	late     bool                    // retry has been asked for

	joined, left changes // of the message at hand
	effects      []effect
}

// effect is what the actor has to do, in order: one of the types below.
type effect any

type (
	// watch and unwatch begin and end a monitor of an actor of this node.
	watch   struct{ ref actors.Ref }
	unwatch struct{ ref actors.Ref }
	// publish shows readers a group; nil takes it away.
	publish struct {
		group string
		view  *view
	}
	// tell casts a Current or a Change; if it isn't taken, state.refused is to hear of it.
	tell struct {
		w   *watcher
		msg any
	}
	// send gives an update to Peers; if it isn't taken, state.unsent is to hear of it.
	send struct {
		to ident.NodeID
		u  *Update
	}
	// keep and unkeep note a watcher where the next life of the scope finds it.
	keep   struct{ w *watcher }
	unkeep struct{ id MonitorRef }
	// retry asks for state.retry after a moment.
	retry struct{}
)

// party is an actor as the scope knows it.
type party struct {
	ref     actors.Ref
	node    ident.NodeID // "" is this node
	in      []*slot
	watches []MonitorRef
	life    uint64 // the last it has joined or left by itself; 0 is none
}

// life is of an actor that joins or leaves by itself; the zero one is nobody's.
type life struct {
	ref actors.Ref
	id  uint64
}

// slot is an actor's place in a group.
type slot struct {
	party *party
	group *group
	pos   int // in the half's order and vec
	idx   int // in party.in
	n     int // how often it has joined
	own   int // how often of these by itself, in party.life
}

func (sl *slot) entry() *entry {
	return &entry{sl.party.ref, sl.party.node, sl.n, sl.own, sl.party.life}
}

// The halves of a group: members of this node, and of others.
const (
	here = iota
	there
)

type group struct {
	name     string
	halves   [2]half
	at       map[*party]*slot
	watchers map[MonitorRef]*watcher
}

type half struct {
	order []*slot
	vec   vec // what readers see of order
	total int
}

func (p *party) half() int {
	if p.node == "" {
		return here
	}
	return there
}

func newState() *state {
	return &state{
		local: map[actors.Ref]*party{}, groups: map[string]*group{}, peers: map[ident.NodeID]*peer{},
		watchers: map[MonitorRef]*watcher{}, whole: map[MonitorRef]*watcher{},
	}
}

// join makes actors of this node members; it counts for each as often as it is listed.
func (s *state) join(name string, members []actors.Ref, by life) {
	for _, ref := range members {
		p := s.party(ref)
		s.add(p, name, s.own(p, by))
	}
	s.flush(true)
}

// leave takes one membership of each away, and reports false if none of them had one.
func (s *state) leave(name string, members []actors.Ref, by life) bool {
	some := false
	for _, ref := range members {
		if p := s.local[ref]; p != nil {
			some = s.drop(p, name, s.own(p, by)) || some
			s.release(p)
		}
	}
	s.flush(true)
	return some
}

// own reports whether it is p itself that joins or leaves. What it has joined in another life is over then: it crashed while that
// join waited, or while the scope had no life, so that no Down has told.
func (s *state) own(p *party, by life) bool {
	if by.id == 0 || by.ref != p.ref {
		return false
	}
	if p.life != by.id {
		p.life = by.id
		for i := len(p.in) - 1; i >= 0; i-- { // backwards: take moves the last, which is done
			for sl := p.in[i]; sl.own > 0; {
				s.take(sl, true)
			}
		}
	}
	return true
}

// ended takes an actor of this node away from everywhere.
func (s *state) ended(ref actors.Ref) {
	p := s.local[ref]
	if p == nil {
		return
	}
	delete(s.local, ref) // before the rest: there is nothing to unwatch
	s.dropAll(p)
	for _, id := range p.watches {
		s.unwatch(id)
	}
	s.flush(true)
}

// party returns an actor of this node, which is watched from now on.
func (s *state) party(ref actors.Ref) *party {
	p := s.local[ref]
	if p == nil {
		p = &party{ref: ref}
		s.local[ref] = p
		s.effects = append(s.effects, watch{ref})
	}
	return p
}

// release lets go of an actor of this node that is in no group and watches none.
func (s *state) release(p *party) {
	if len(p.in) == 0 && len(p.watches) == 0 && s.local[p.ref] == p {
		delete(s.local, p.ref)
		s.effects = append(s.effects, unwatch{p.ref})
	}
}

// group returns the group of that name, made if need be.
func (s *state) group(name string) *group {
	g := s.groups[name]
	if g == nil {
		g = &group{name: name, at: map[*party]*slot{}}
		s.groups[name] = g
	}
	return g
}

// add books one membership.
func (s *state) add(p *party, name string, own bool) {
	g := s.group(name)
	h := &g.halves[p.half()]
	sl := g.at[p]
	if sl == nil {
		sl = &slot{party: p, group: g, pos: len(h.order), idx: len(p.in)}
		g.at[p] = sl
		p.in = append(p.in, sl)
		h.order = append(h.order, sl)
	}
	if sl.n++; own {
		sl.own++
	}
	if sl.n == 1 {
		h.vec = h.vec.push(sl.entry())
	} else {
		h.vec = h.vec.set(sl.pos, sl.entry())
	}
	h.total++
	s.joined.add(name, p.ref)
}

// drop takes one membership away, own says which kind first, and reports false if there is none.
func (s *state) drop(p *party, name string, own bool) bool {
	g := s.groups[name]
	if g == nil || g.at[p] == nil {
		return false
	}
	s.take(g.at[p], own)
	return true
}

// dropAll takes all memberships of an actor away.
func (s *state) dropAll(p *party) {
	for len(p.in) > 0 {
		s.take(p.in[len(p.in)-1], false)
	}
}

// take takes one membership of a slot away, one of its own or one of the others if there is such, and the slot with the last. The
// last of its half moves to where it was.
func (s *state) take(sl *slot, own bool) {
	p, g := sl.party, sl.group
	h := &g.halves[p.half()]
	h.total--
	s.left.add(g.name, p.ref)
	if sl.own > 0 && (own || sl.own == sl.n) {
		sl.own--
	}
	if sl.n--; sl.n > 0 {
		h.vec = h.vec.set(sl.pos, sl.entry())
		return
	}
	delete(g.at, p)
	last := len(h.order) - 1
	if moved := h.order[last]; moved != sl {
		h.vec = h.vec.set(sl.pos, h.vec.at(last))
		h.order[sl.pos], moved.pos = moved, sl.pos
	}
	h.order[last] = nil
	h.order = h.order[:last]
	if len(h.order) < cap(h.order)/4 { // a burst must not pin memory
		h.order = append(make([]*slot, 0, 2*len(h.order)), h.order...)
	}
	h.vec = h.vec.pop()

	last = len(p.in) - 1
	moved := p.in[last]
	p.in[sl.idx], moved.idx = moved, sl.idx
	p.in[last] = nil
	p.in = p.in[:last]
	if len(g.at) == 0 && len(g.watchers) == 0 {
		delete(s.groups, g.name)
	}
}

// flush makes effects of what has changed: readers first, then those who watch, then the other nodes if it was this one's.
func (s *state) flush(ours bool) {
	left, joined := s.left.list, s.joined.list
	s.left, s.joined = changes{}, changes{}
	for _, list := range [2][]Membership{left, joined} {
		for _, m := range list {
			s.effects = append(s.effects, publish{m.Group, s.view(m.Group)})
		}
	}
	s.notify(left, true)
	s.notify(joined, false)
	if !ours || len(left)+len(joined) == 0 {
		return
	}
	for id, p := range s.peers {
		if !p.behind {
			s.effects = append(s.effects, send{id, &Update{Left: left, Joined: joined}})
		}
	}
}

// view is what readers see of a group now.
func (s *state) view(name string) *view {
	g := s.groups[name]
	if g == nil || len(g.at) == 0 {
		return nil
	}
	a, b := &g.halves[here], &g.halves[there]
	return &view{here: a.vec, there: b.vec, total: a.total + b.total, totalHere: a.total}
}

// unsent notes that a peer has missed an update.
func (s *state) unsent(id ident.NodeID) {
	if p := s.peers[id]; p != nil && !p.behind {
		p.behind = true
		s.askRetry()
	}
}

func (s *state) askRetry() {
	if !s.late {
		s.late = true
		s.effects = append(s.effects, retry{})
	}
}

// retry tells all there is to those who have missed something.
func (s *state) retry() {
	s.late = false
	for _, w := range s.watchers {
		if w.behind {
			w.behind = false
			s.effects = append(s.effects, tell{w, s.current(w)})
		}
	}
	for id, p := range s.peers {
		if p.behind {
			p.behind = false
			s.effects = append(s.effects, send{id, &Update{Whole: true, Want: p.asked, Joined: s.ours()}})
		}
	}
}

// restore takes over what an earlier life has left: the table, who watched, and which nodes are up. Watchers and peers are told
// all anew, as it isn't known what the crash kept from them.
func (s *state) restore(t *table, watchers []watcher, nodes []ident.NodeID) {
	for _, id := range nodes {
		s.peers[id] = newPeer(id)
	}
	var names []string
	t.each(func(name string, v *view) {
		names = append(names, name)
		add := func(e *entry) bool {
			var p *party
			if e.node == "" {
				p = s.party(e.ref)
			} else if x := s.peers[e.node]; x != nil {
				p = x.party(e.ref)
			} else {
				return true // of a node that has gone down meanwhile
			}
			if e.own > 0 {
				p.life = e.life
			}
			for i := range e.n {
				s.add(p, name, i < e.own)
			}
			return true
		}
		_ = v.here.all(add) && v.there.all(add)
	})
	s.joined = changes{} // nobody hears of these: all get a Current
	for _, name := range names {
		s.effects = append(s.effects, publish{name, s.view(name)})
	}
	for _, w := range watchers {
		s.monitor(w.id, w.who, w.group, w.whole)
	}
	for _, id := range nodes {
		s.peerUp(id)
	}
}
