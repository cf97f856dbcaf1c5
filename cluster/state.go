package cluster

import (
	"slices"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/cluster/placement"
	"github.com/jackdaw-im/jackdaw/ident"
)

// View is who is in the cluster, as this node sees it.
type View struct {
	// ID is the same on all nodes that see the same.
	ID uint64
	// Placed are the nodes that own partitions.
	Placed []placement.Node
	// Peers are all other nodes that can be reached, and the address of each one's carriage.
	Peers map[ident.NodeID]string
	// Hears are those of them that want to know by which nodes this one sends.
	Hears map[ident.NodeID]bool
	// Revoked are the names of nodes that have no part in the cluster any more, sorted: what they have claimed in the store is claimed again at once.
	Revoked []string
}

// yields reports whether what another node has claimed in the store is to be claimed again by who has it: one that is there, and knows better by
// now, or one that is revoked.
func (s *state) yields(claimer ident.NodeID) bool {
	_, revoked := slices.BinarySearch(s.view.Revoked, claimer.Name())
	return s.known[claimer] || revoked
}

// phase is what a partition is to this node.
type phase uint8

const (
	// away: it is another node's, or nobody's.
	away phase = iota
	// waiting: it is this node's, once the one before has released it.
	waiting
	// claiming: it is this node's, once the store knows.
	claiming
	// mine: its actors are here.
	mine
)

// part is one partition.
type part struct {
	owner ident.NodeID // "": nobody
	phase phase
	// leaving: actors of it are still here, from when it was this node's.
	leaving bool
	// from is the owner before, while waiting; until is when it isn't waited for any more; released says that it has let go.
	from     ident.NodeID
	until    time.Time
	released bool
	// before is who had it before its owner, or before from while waiting: its release counts too, should it have skipped one.
	before ident.NodeID
	// owed is who hasn't released it to this node, whose it isn't any more: that release is passed on.
	owed ident.NodeID
	// has says that it is this node's to release: it was open here, or was released to this node. passes is what that release says of itself.
	has    bool
	passes uint32
	// quiet is until when its release waits, as nodes that don't know of its new owner still send for it by way of this one; zero: there is
	// none to wait for.
	quiet time.Time
	// left is when it was this node's last.
	left time.Time
	// claim is the number of the claim that is under way.
	claim uint64
}

// state is the ownership of all partitions as one node sees it. It is pure: events and the time in, effects out.
type state struct {
	self  ident.NodeID
	hold  time.Duration
	view  View
	table *placement.Table
	known map[ident.NodeID]bool // who is reachable, self included
	parts [ident.Partitions]part
	next  time.Time // when something is due; zero: nothing is
	last  uint64    // claim
	// early are releases of partitions that aren't this node's yet, by its view.
	early map[ident.Partition]release
	// routed is for what other nodes send by way of this one, by their own word; told is this node's word to them.
	routed map[ident.NodeID]*ways
	told   map[ident.NodeID]word
	// unsent are releases that links had no room for; again is when they, and words of routes, are tried once more, zero: there are none.
	unsent map[handing][]ident.Partition
	again  time.Time
	// pins is the override table, and pinned is what it names.
	pins   placement.Pins
	pinned map[actors.Ref]*pin
}

type release struct {
	from   ident.NodeID
	at     time.Time
	passes uint32
}

// handing is where a release goes. passes is how many nodes have handed it on, the first of which had the partition; 0: it only says that
// whoever sends it doesn't have it, which nodes of older versions always say.
type handing struct {
	to     ident.NodeID
	passes uint32
}

// effects are what an event leads to.
type effects struct {
	// left are partitions that aren't this node's any more.
	left []ident.Partition
	// claim are partitions to be claimed in the store, and unreleased those of them that their owner before didn't release.
	claim, unreleased []ident.Partition
	// opened are partitions whose actors may run here from now on.
	opened []ident.Partition
	// claimed is the number of this claim.
	number uint64
	// released are partitions to be released, mostly to their owners.
	released map[handing][]ident.Partition
	// routed is what nodes are told that this one sends by way of them.
	routed map[ident.NodeID]word
	up     map[ident.NodeID]string
	down   []ident.NodeID

	// tracked are actors that are partitions of their own from now on.
	tracked []actors.Ref
	leavers []leaver
	openers []opener
	// asks are the actors that nodes are asked for, by the number question.
	asks     map[ident.NodeID][]actors.Ref
	question uint64
	yields   []yielding
}

func newState(self ident.NodeID, hold time.Duration) *state {
	return &state{
		self: self, hold: hold, known: map[ident.NodeID]bool{self: true}, early: map[ident.Partition]release{}, pinned: map[actors.Ref]*pin{},
		routed: map[ident.NodeID]*ways{}, told: map[ident.NodeID]word{}, unsent: map[handing][]ident.Partition{},
	}
}

// look takes a new view.
func (st *state) look(now time.Time, v View) (fx effects) {
	for id := range st.known {
		if _, there := v.Peers[id]; !there && id != st.self {
			fx.down = append(fx.down, id)
			delete(st.known, id)
			st.missed(id)
			st.unrouted(id)
			st.orphaned(now, id)
		}
	}
	for id, addr := range v.Peers {
		if id != st.self && (!st.known[id] || st.view.Peers[id] != addr) {
			if fx.up == nil {
				fx.up = map[ident.NodeID]string{}
			}
			fx.up[id] = addr
			st.known[id] = true
		}
	}
	st.view, st.table = v, placement.Make(v.Placed)
	var before *placement.Table
	if st.parts[0].owner == "" { // this node comes in, and whoever has its share hears so only now
		before = placement.Make(slices.DeleteFunc(slices.Clone(v.Placed), func(n placement.Node) bool { return n.ID == st.self }))
	}
	for i := range st.parts {
		st.place(now, &fx, ident.Partition(i), before)
	}
	st.rehome(now, &fx)
	st.tell(&fx)
	for id := range fx.up {
		st.met(now, &fx, id)
	}
	st.due(now, &fx)
	return fx
}

// place gives a partition the owner that the view says.
func (st *state) place(now time.Time, fx *effects, i ident.Partition, before *placement.Table) {
	p := &st.parts[i]
	owner := st.table.Owner(i)
	was := p.owner
	if owner == was {
		return
	}
	p.owner = owner
	if !p.quiet.IsZero() && st.known[was] { // who passes it on
		st.pass(fx, was, i)
	}
	older := p.before
	p.before = was
	switch {
	case owner == st.self:
		if was == "" {
			was = before.Owner(i)
		}
		p.before, p.owed = older, ""
		p.phase, p.from, p.until, p.released, p.quiet = waiting, was, now.Add(st.hold), false, time.Time{}
		st.ripe(now, i)
		if !p.leaving {
			st.regain(fx, i)
		}
	case was == st.self:
		p.left = now
		if p.owed = ""; p.phase == waiting && !p.has {
			if p.owed = p.from; !st.known[p.from] {
				p.owed, p.has, p.passes = "", true, 0
			}
		}
		p.leaving = p.leaving || p.phase == mine
		fx.left = append(fx.left, i)
		p.phase, p.from = away, ""
	default:
		p.phase = away
		// There is nothing of it here: the owner needn't wait. So it is, too, if this node has released it to one that is gone.
		if owner != "" && !p.has && (was == "" || older == st.self && !st.known[was]) {
			fx.pass(handing{to: owner}, i)
		}
	}
}

// due claims what need not be waited for any more.
func (st *state) due(now time.Time, fx *effects) {
	st.next = time.Time{}
	st.retry(now, fx)
	st.strays(now)
	for i := range st.parts {
		p := &st.parts[i]
		st.quieten(now, fx, ident.Partition(i))
		if p.phase != waiting {
			continue
		}
		if p.leaving { // it has come back before its actors had gone
			continue
		}
		if p.released || p.from == "" || p.from == st.self || !st.known[p.from] || !p.until.After(now) {
			if fx.number == 0 {
				st.last++
				fx.number = st.last
			}
			p.phase, p.claim, p.has, p.passes = claiming, fx.number, true, 1
			fx.claim = append(fx.claim, ident.Partition(i))
			if !p.released && p.from != "" {
				fx.unreleased = append(fx.unreleased, ident.Partition(i))
			}
			continue
		}
		st.wake(p.until)
	}
	st.duePins(now, fx)
}

// tick does what is due.
func (st *state) tick(now time.Time) (fx effects) {
	st.due(now, &fx)
	return fx
}

// claimed takes that the store knows of partitions.
func (st *state) claimed(now time.Time, list []ident.Partition, number uint64) (fx effects) {
	for _, i := range list {
		if p := &st.parts[i]; p.phase == claiming && p.claim == number {
			p.phase = mine
			fx.opened = append(fx.opened, i)
		}
	}
	st.due(now, &fx)
	return fx
}
