package pg

import (
	"iter"
	"sync"

	"github.com/jackdaw-im/jackdaw/actors"
)

// view is a group as readers see it; it is never changed.
type view struct {
	here, there vec // members of this node's scope and of the others'
	total       int // memberships, an actor's second one included
	totalHere   int
}

// table is what readers see of a scope. It outlives the lives of the scope's actor, which alone writes it.
type table struct {
	views sync.Map // group -> *view; never an empty one
}

func (t *table) load(group string) *view {
	if v, ok := t.views.Load(group); ok {
		return v.(*view)
	}
	return nil
}

func (t *table) store(group string, v *view) {
	if v == nil {
		t.views.Delete(group)
		return
	}
	t.views.Store(group, v)
}

func (t *table) each(f func(group string, v *view)) {
	t.views.Range(func(g, v any) bool { f(g.(string), v.(*view)); return true })
}

// Snapshot is a group at one moment. It is never changed and may be kept, shared and read by anybody; the zero value is an empty
// group. It lists each actor once, however often that has joined, those of this node first.
type Snapshot struct{ v *view }

// Len is the number of actors.
func (s Snapshot) Len() int {
	if s.v == nil {
		return 0
	}
	return s.v.here.n + s.v.there.n
}

// Local is the number of actors of this node: those at 0 to Local()-1.
func (s Snapshot) Local() int {
	if s.v == nil {
		return 0
	}
	return s.v.here.n
}

// At returns the actor at i, 0 <= i < Len; it takes a few steps in a group of any size. An i out of that range panics.
func (s Snapshot) At(i int) actors.Ref {
	if n := s.Local(); i >= n {
		return s.v.there.at(i - n).ref
	}
	return s.v.here.at(i).ref
}

// All goes through all actors.
func (s Snapshot) All() iter.Seq[actors.Ref] {
	return func(yield func(actors.Ref) bool) {
		if s.v == nil {
			return
		}
		each := func(e *entry) bool { return yield(e.ref) }
		_ = s.v.here.all(each) && s.v.there.all(each)
	}
}

// Refusal is a member that did not take a message: its queue is full (actors.ErrOverloaded), it has just ended (actors.ErrNoProc), or
// its node can't be reached (actors.ErrNoConnection). What a member on another node refuses only there, the caster hears of later, as
// actors.Undelivered.
type Refusal struct {
	To  actors.Ref
	Err error
}

// Cast casts msg to at most most actors, those from the position first on, and returns the position to go on from; Len says that
// all are through. An actor with a large group to tell takes a part a turn. All get the same msg: nobody may change it. It never waits:
// each member's queue is bounded, and a member that doesn't take msg is in refused. What a FanOut casts to members of other nodes travels
// once for those of a node, some thousand at a time.
func (s Snapshot) Cast(from Caster, msg any, first, most int) (next int, refused []Refusal) {
	end := s.Len()
	next = min(max(first, 0), end)
	if most < end-next {
		end = next + max(most, 0)
	}
	fan, ok := from.(FanOut)
	for ; next < end && !(ok && next >= s.Local()); next++ {
		to := s.At(next)
		if err := from.Cast(to, msg); err != nil {
			refused = append(refused, Refusal{to, err})
		}
	}
	chunk := make([]actors.Ref, 0, min(end-next, fanOutLen))
	for next < end {
		chunk = chunk[:0]
		for ; next < end && len(chunk) < fanOutLen; next++ {
			chunk = append(chunk, s.At(next))
		}
		for _, r := range fan.CastAll(chunk, msg) {
			refused = append(refused, Refusal(r))
		}
	}
	return next, refused
}

// fanOutLen is how many members of other nodes are told at once: enough to fill envelopes for several nodes.
const fanOutLen = 4096

// refs lists members as often as they have joined.
func refs(total int, vecs ...vec) []actors.Ref {
	if total == 0 {
		return nil
	}
	list := make([]actors.Ref, 0, total)
	for _, v := range vecs {
		v.all(func(e *entry) bool {
			for range e.n {
				list = append(list, e.ref)
			}
			return true
		})
	}
	return list
}
