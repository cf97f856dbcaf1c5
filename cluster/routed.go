package cluster

import (
	"slices"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
)

// A partition that moves is released once nobody sends anything for it by way of the old owner any more. Otherwise what is under way to that
// one, and is sent on, would come after what the same sender sends directly. So every node tells the others, when its view changes, what it
// takes them for the owner of; on each link this follows what it has sent by the view before.

// tell makes the word to the nodes for which it is another than before.
func (st *state) tell(fx *effects) {
	lists := make(map[ident.NodeID][]ident.Partition, len(st.known))
	for i := range st.parts {
		owner := st.parts[i].owner
		lists[owner] = append(lists[owner], ident.Partition(i))
	}
	for id := range st.known {
		if told, ever := st.told[id]; id != st.self && st.view.Hears[id] && (!ever || !slices.Equal(told, lists[id])) {
			st.toTell(fx, id, lists[id])
		}
	}
}

func (st *state) toTell(fx *effects, id ident.NodeID, list []ident.Partition) {
	if fx.routed == nil {
		fx.routed = map[ident.NodeID][]ident.Partition{}
	}
	fx.routed[id], st.told[id] = list, list
}

// heard takes another node's word.
func (st *state) heard(now time.Time, from ident.NodeID, list []ident.Partition) (fx effects) {
	if !st.known[from] {
		return fx
	}
	all := &[ident.Partitions]bool{}
	for _, i := range list {
		all[i] = true
	}
	st.routed[from] = all
	st.due(now, &fx)
	return fx
}

// unrouted forgets the words between this node and another that is gone.
func (st *state) unrouted(id ident.NodeID) {
	delete(st.routed, id)
	delete(st.told, id)
}

// speaks reports whether a node tells others of its routes; those of old versions don't.
func (st *state) speaks(id ident.NodeID) bool { return st.routed[id] != nil }

// quieten releases a partition whose actors have gone, once nobody sends for it here.
func (st *state) quieten(now time.Time, fx *effects, i ident.Partition) {
	p := &st.parts[i]
	if p.quiet.IsZero() {
		return
	}
	if p.quiet.After(now) {
		for _, all := range st.routed {
			if all[i] {
				st.wake(p.quiet)
				return
			}
		}
	}
	p.quiet = time.Time{}
	if p.owner != st.self && p.owner != "" {
		fx.pass(p.owner, i)
	}
}

// lately reports whether an actor was this node's until a moment ago. Its new node may not know that yet, and send here what is for itself.
func (st *state) lately(now time.Time, ref actors.Ref) bool {
	if x := st.pinned[ref]; x != nil {
		return x.phase == away && now.Sub(x.since) < parkTime
	}
	p := &st.parts[ident.PartitionOf(ref.Kind, ref.ID)]
	return p.phase == away && now.Sub(p.left) < parkTime
}
