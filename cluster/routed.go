package cluster

import (
	"cmp"
	"slices"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
)

// A partition that moves is released once nobody sends anything for it by way of the old owner any more. Otherwise what is under way to that
// one, and is sent on, would come after what the same sender sends directly. So every node tells the others, when its view changes, what it
// takes them for the owner of; on each link this follows what it has sent by the view before.

// word is what a node tells another one: for which partitions it sends by way of that one, and which single actors are exceptions, with
// and without.
type word struct {
	list          []ident.Partition
	with, without []actors.Ref
}

func (w word) equal(x word) bool {
	return slices.Equal(w.list, x.list) && slices.Equal(w.with, x.with) && slices.Equal(w.without, x.without)
}

func compareRefs(a, b actors.Ref) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
}

// ways is another node's word, as it is asked.
type ways struct {
	all [ident.Partitions]bool
	// not are the exceptions: true are those that it sends here, though not their partitions.
	not map[actors.Ref]bool
}

// leads reports whether an actor is sent for by way of this node.
func (w *ways) leads(ref actors.Ref) bool {
	if here, known := w.not[ref]; known {
		return here
	}
	return w.all[ident.PartitionOf(ref.Kind, ref.ID)]
}

// tell makes the word to the nodes for which it is another than before.
func (st *state) tell(fx *effects) {
	words := make(map[ident.NodeID]word, len(st.known))
	for i := range st.parts {
		owner := st.parts[i].owner
		w := words[owner]
		w.list = append(w.list, ident.Partition(i))
		words[owner] = w
	}
	for ref, x := range st.pinned {
		if owner := st.parts[ident.PartitionOf(ref.Kind, ref.ID)].owner; owner != x.home {
			w := words[owner]
			w.without = append(w.without, ref)
			words[owner] = w
			w = words[x.home]
			w.with = append(w.with, ref)
			words[x.home] = w
		}
	}
	for id := range st.known {
		w := words[id]
		slices.SortFunc(w.with, compareRefs)
		slices.SortFunc(w.without, compareRefs)
		if told, ever := st.told[id]; id != st.self && st.view.Hears[id] && (!ever || !told.equal(w)) {
			if fx.routed == nil {
				fx.routed = map[ident.NodeID]word{}
			}
			fx.routed[id], st.told[id] = w, w
		}
	}
}

// heard takes another node's word.
func (st *state) heard(now time.Time, from ident.NodeID, w word) (fx effects) {
	if !st.known[from] {
		return fx
	}
	to := &ways{}
	for _, i := range w.list {
		to.all[i] = true
	}
	if len(w.with)+len(w.without) > 0 {
		to.not = make(map[actors.Ref]bool, len(w.with)+len(w.without))
	}
	for _, ref := range w.without {
		to.not[ref] = false
	}
	for _, ref := range w.with {
		to.not[ref] = true
	}
	st.routed[from] = to
	st.due(now, &fx)
	return fx
}

// tryAgain is how long it takes until what a link had no room for is given to it again.
const tryAgain = 50 * time.Millisecond

// untold takes that a node could not be told of routes.
func (st *state) untold(now time.Time, id ident.NodeID) {
	delete(st.told, id)
	st.tryAgain(now)
}

func (st *state) tryAgain(now time.Time) {
	if st.again.IsZero() {
		st.again = now.Add(tryAgain)
	}
	st.wake(st.again)
}

// retry says again what could not be said.
func (st *state) retry(now time.Time, fx *effects) {
	if st.again.IsZero() {
		return
	}
	if st.again.After(now) {
		st.wake(st.again)
		return
	}
	st.again = time.Time{}
	st.tell(fx)
	for ref, x := range st.pinned {
		if x.unasked {
			if x.unasked = false; st.known[x.home] {
				st.yield(now, fx, ref, x, 0)
			}
		}
	}
	for to, list := range st.unsent {
		if delete(st.unsent, to); st.known[to.to] {
			for _, i := range list {
				fx.pass(to, i)
			}
		}
	}
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
		for _, w := range st.routed {
			if w.all[i] {
				st.wake(p.quiet)
				return
			}
		}
	}
	st.pass(fx, p.owner, i)
}

// lately reports whether an actor was this node's until a moment ago. Its new node may not know that yet, and send here what is for itself.
func (st *state) lately(now time.Time, ref actors.Ref) bool {
	if x := st.pinned[ref]; x != nil {
		return x.phase == away && now.Sub(x.since) < parkTime
	}
	p := &st.parts[ident.PartitionOf(ref.Kind, ref.ID)]
	return p.phase == away && now.Sub(p.left) < parkTime
}
