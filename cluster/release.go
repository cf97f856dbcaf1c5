package cluster

import (
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
)

// A partition's release is a thing that one node has at a time: whoever has the partition open, and then whoever was told that it has let go,
// until that one says so to the next. As views reach nodes one after the other, and some never reach some, the one that is told may not be the
// owner by its own view, or wait for another. So a release counts whoever brings it, and who doesn't own the partition hands it on.

// maxPasses bounds how many nodes hand on a release, should each take the next for the owner.
const maxPasses = 6

func (fx *effects) pass(to handing, p ident.Partition) {
	if fx.released == nil {
		fx.released = map[handing][]ident.Partition{}
	}
	fx.released[to] = append(fx.released[to], p)
}

// pass hands on the release of a partition that this node has.
func (st *state) pass(fx *effects, to ident.NodeID, i ident.Partition) {
	p := &st.parts[i]
	p.has, p.quiet = false, time.Time{}
	if to != st.self && to != "" && p.passes <= maxPasses {
		fx.pass(handing{to, p.passes}, i)
	}
}

// unreleased takes that a node could not be told that partitions are released.
func (st *state) unreleased(now time.Time, to handing, list []ident.Partition) {
	st.unsent[to] = append(st.unsent[to], list...)
	st.tryAgain(now)
}

// let takes that another node has released partitions to this one. Those that are somebody else's by now, as this node sees it, it hands on.
func (st *state) let(now time.Time, from ident.NodeID, passes uint32, list []ident.Partition) (fx effects) {
	for _, i := range list {
		switch p := &st.parts[i]; {
		case p.phase == waiting && !p.has && (passes > 0 || p.from == from || p.before == from):
			p.take(from, passes)
		case p.owner == st.self && p.phase == mine && passes > 0:
			// Both have had it, while each didn't know of the other: the store may know the other's claim, and the actors here not know what
			// that one has stored. (A node that comes in says of everything that it has none of it: there is nothing to read again for that.)
			fx.claim = append(fx.claim, i)
		case p.owner == st.self: // waited for in vain
		case passes > 0:
			if !p.has {
				st.early[i] = release{from, now, passes} // this node's view is behind, or that one's
			}
		case p.owner != from && p.owed == from:
			st.earned(now, i, 0)
		case p.owner == from && !st.speaks(from) || p.owner == "":
			st.early[i] = release{from, now, 0}
		}
	}
	st.due(now, &fx)
	return fx
}

// take takes the release of a partition that is waited for.
func (p *part) take(from ident.NodeID, passes uint32) {
	p.released, p.has, p.passes = true, true, 0
	if passes > 0 {
		p.passes, p.from = passes+1, from // what that one has sent on comes first
	}
}

// earned takes that a partition is this node's to release, whose it isn't.
func (st *state) earned(now time.Time, i ident.Partition, passes uint32) {
	if p := &st.parts[i]; !p.has {
		p.owed, p.has, p.passes, p.quiet = "", true, passes, now.Add(st.hold/2)
	}
}

// ripe takes a release that came before this node knew that the partition is its own.
func (st *state) ripe(now time.Time, i ident.Partition) {
	r, ok := st.early[i]
	if !ok {
		return
	}
	delete(st.early, i)
	if p := &st.parts[i]; now.Sub(r.at) <= st.hold && !p.has && (r.passes > 0 || r.from == p.from) {
		p.take(r.from, r.passes)
	}
}

// regain takes that a partition which has come back is this node's to release, and none of it is here: whoever was to have it next has to say
// that nobody sends for it there any more, and hands it back with that.
func (st *state) regain(fx *effects, i ident.Partition) {
	p := &st.parts[i]
	if !p.has || p.released {
		return
	}
	if st.known[p.from] && p.from != st.self {
		st.pass(fx, p.from, i)
		return
	}
	p.released = true
}

// strays hands on what was released to this node, and isn't going to be its own: its owner is another than who has released it, or that one
// says that it doesn't send here for it.
func (st *state) strays(now time.Time) {
	for i, r := range st.early {
		p := &st.parts[i]
		switch routes := st.routed[r.from]; {
		case now.Sub(r.at) > st.hold:
			delete(st.early, i)
		case r.passes > 0 && p.owner != "" && (p.owner != r.from || routes != nil && !routes.all[i]):
			delete(st.early, i)
			st.earned(now, i, r.passes+1)
		}
	}
}

// orphaned takes that a node is gone, and can't release any more what it hasn't.
func (st *state) orphaned(now time.Time, id ident.NodeID) {
	for i := range st.parts {
		if p := &st.parts[i]; p.owed == id {
			st.earned(now, ident.Partition(i), 0)
		}
	}
}

// gone takes that no actor of partitions that have left is here any more.
func (st *state) gone(now time.Time, list []ident.Partition) (fx effects) {
	for _, i := range list {
		p := &st.parts[i]
		p.leaving = false
		switch {
		case !p.has || p.phase == claiming || p.phase == mine:
		case p.owner == st.self:
			st.regain(&fx, i)
		case p.owner != "" && p.quiet.IsZero():
			p.quiet = now.Add(st.hold / 2)
		}
	}
	st.due(now, &fx)
	return fx
}
