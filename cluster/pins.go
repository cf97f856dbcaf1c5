package cluster

import (
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/cluster/placement"
	"github.com/jackdaw-im/jackdaw/ident"
)

// An actor that the override table names is a partition of its own: it has a home, it leaves one node and is waited for at the next. But
// nodes learn of the table one after the other, and nobody claims single actors in the store. So the new home doesn't wait for the word of
// the one that it takes for the old: it asks every node that it knows. Each answers once it has no such actor, takes the asker for
// its home, too, and nobody sends for it by way of it any more, and says since when. An actor whose home was another by somebody's view, while it ran here, begins anew.

// pinKeep is how long an actor that isn't named any more stays a partition of its own: until the others know it as well.
const pinKeep = 10 * time.Second

// pin is one actor that the override table names, or did until lately.
type pin struct {
	// home is whose it is; "": nobody's. since is when it became that one's; zero: it always was.
	home  ident.NodeID
	since time.Time
	phase phase
	// leaving is the number of its leaving; 0: none of the name is here any more from before.
	leaving uint64
	// from is whose it was before, while waiting, or "", and lost says that a node went without an answer.
	from ident.NodeID
	lost bool
	// asked are the nodes that have not answered yet, and the number of the question. until is when they aren't waited for any more; zero:
	// nothing waits for them.
	asked map[ident.NodeID]uint64
	until time.Time
	// fresh is when what is here began, and doubt says that another node may have had it since.
	fresh time.Time
	doubt bool
	// askers are who waits for this node's answer, and the numbers of their questions. quiet is until when the answer waits, as nodes that don't
	// know of its home still send for it by way of this one; zero: it could not be given yet.
	askers map[ident.NodeID]uint64
	quiet  time.Time
	// unasked says that the home, which has not asked, could not be told yet that there is none here any more.
	unasked bool
	// kept is until when one that isn't named stays; zero: it is named.
	kept time.Time
}

// What becomes of pins is the part of effects that follows.
type (
	// leaver is an actor that ends here, if ran says that it may be here. What is held for it goes on.
	leaver struct {
		ref    actors.Ref
		number uint64
		ran    bool
	}
	// opener is one that may run here from now on. released says that nobody has it any more.
	opener struct {
		ref      actors.Ref
		from     ident.NodeID
		released bool
	}
	// yielding is what a node is told: none of the actor is here, which is the node's, and has been for a while; 0: always. number is that
	// of its question, or 0 if it has asked nothing.
	yielding struct {
		to     ident.NodeID
		number uint64
		ref    actors.Ref
		age    time.Duration
	}
)

// homeOf is whose an actor is.
func (st *state) homeOf(ref actors.Ref) ident.NodeID {
	if name, ok := st.pins.Find(ref.Kind, ref.ID); ok {
		if id := st.table.Named(name); id != "" {
			return id
		}
	}
	return st.table.Owner(ident.PartitionOf(ref.Kind, ref.ID))
}

// at is whose an actor is, and what it is to this node.
func (st *state) at(ref actors.Ref) (home ident.NodeID, ph phase) {
	if x := st.pinned[ref]; x != nil {
		return x.home, x.phase
	}
	p := &st.parts[ident.PartitionOf(ref.Kind, ref.ID)]
	return p.owner, p.phase
}

// setPins takes the override table.
func (st *state) setPins(now time.Time, pins placement.Pins) (fx effects) {
	st.pins = pins
	for _, p := range pins.List() {
		st.track(now, &fx, actors.Ref{Kind: p.Kind, ID: p.ID}).kept = time.Time{}
	}
	for ref, x := range st.pinned {
		if _, named := pins.Find(ref.Kind, ref.ID); !named && x.kept.IsZero() {
			x.kept = now.Add(pinKeep)
		}
	}
	st.rehome(now, &fx)
	st.tell(&fx)
	st.due(now, &fx)
	return fx
}

// track makes an actor a partition of its own, in the phase of its partition.
func (st *state) track(now time.Time, fx *effects, ref actors.Ref) *pin {
	x := st.pinned[ref]
	if x != nil {
		return x
	}
	p := &st.parts[ident.PartitionOf(ref.Kind, ref.ID)]
	x = &pin{home: p.owner, phase: p.phase, fresh: now}
	st.pinned[ref] = x
	fx.tracked = append(fx.tracked, ref)
	if p.leaving {
		st.depart(fx, ref, x)
	}
	if p.owner == st.self && p.phase != mine {
		st.await(now, fx, ref, x, p.from)
	}
	return x
}

// rehome gives each pin the home that table and pins say.
func (st *state) rehome(now time.Time, fx *effects) {
	for ref, x := range st.pinned {
		home := st.homeOf(ref)
		if home == x.home {
			continue
		}
		was := x.home
		x.home, x.quiet, x.unasked = home, time.Time{}, false
		if was != "" || !x.since.IsZero() {
			x.since = now
		}
		switch {
		case home == st.self:
			st.await(now, fx, ref, x, was)
		case was == st.self:
			ran := x.phase == mine
			x.phase, x.asked, x.until, x.doubt = away, nil, time.Time{}, false
			if ran {
				st.depart(fx, ref, x)
			} else {
				fx.leavers = append(fx.leavers, leaver{ref: ref})
			}
			st.answer(now, fx, ref, x)
		default:
			st.answer(now, fx, ref, x)
		}
	}
}

// depart lets what runs here end.
func (st *state) depart(fx *effects, ref actors.Ref, x *pin) {
	st.last++
	x.leaving = st.last
	fx.leavers = append(fx.leavers, leaver{ref, x.leaving, true})
}

// await begins to wait until no other node has it.
func (st *state) await(now time.Time, fx *effects, ref actors.Ref, x *pin, from ident.NodeID) {
	x.phase, x.from, x.lost, x.doubt = waiting, from, false, false
	x.until, x.asked = now.Add(st.hold), map[ident.NodeID]uint64{}
	for id := range st.known {
		st.ask(fx, ref, x, id)
	}
}

func (st *state) ask(fx *effects, ref actors.Ref, x *pin, id ident.NodeID) {
	if id == st.self {
		return
	}
	if fx.question == 0 {
		st.last++
		fx.question = st.last
	}
	if x.asked[id] == fx.question {
		return
	}
	if x.asked == nil {
		x.asked = map[ident.NodeID]uint64{}
	}
	x.asked[id] = fx.question
	if fx.asks == nil {
		fx.asks = map[ident.NodeID][]actors.Ref{}
	}
	fx.asks[id] = append(fx.asks[id], ref)
}

// answer tells the home that there is none of it here, if it has asked and that is so, and nobody sends for it by way of this node any more.
func (st *state) answer(now time.Time, fx *effects, ref actors.Ref, x *pin) {
	number, asked := x.askers[x.home]
	if !asked || x.home == st.self || x.leaving != 0 {
		return
	}
	if x.quiet.IsZero() {
		x.quiet = now.Add(st.hold / 2)
	}
	if x.quiet.After(now) {
		for _, w := range st.routed {
			if w.leads(ref) {
				st.wake(x.quiet)
				return
			}
		}
	}
	delete(x.askers, x.home)
	x.quiet = time.Time{}
	st.yield(now, fx, ref, x, number)
}

// unyielded takes that a node could not be given answers.
func (st *state) unyielded(now time.Time, to ident.NodeID, number uint64, refs []actors.Ref) {
	for _, ref := range refs {
		x := st.pinned[ref]
		switch {
		case x == nil:
		case number == 0:
			x.unasked = x.home == to
		default:
			if _, newer := x.askers[to]; !newer {
				x.askers[to], x.quiet = number, now
			}
		}
	}
	st.tryAgain(now)
}

func (st *state) yield(now time.Time, fx *effects, ref actors.Ref, x *pin, number uint64) {
	y := yielding{to: x.home, number: number, ref: ref}
	if !x.since.IsZero() {
		y.age = max(now.Sub(x.since), time.Millisecond)
	}
	fx.yields = append(fx.yields, y)
}

// wanted takes a node's question for actors that are its own, as it sees it.
func (st *state) wanted(now time.Time, from ident.NodeID, number uint64, refs []actors.Ref) (fx effects) {
	for _, ref := range refs {
		x := st.pinned[ref]
		if x == nil {
			x = st.track(now, &fx, ref)
			x.kept, x.since = now, now // it isn't known what was before
		}
		if !x.kept.IsZero() {
			x.kept = now.Add(pinKeep)
		}
		if x.askers == nil {
			x.askers = map[ident.NodeID]uint64{}
		}
		x.askers[from] = number
		st.answer(now, &fx, ref, x)
	}
	st.due(now, &fx)
	return fx
}

// yielded takes another node's answer: it has none of the actors, and has taken this node for their home for a while, or always (0). One
// without a number comes unasked, from a node that has had them.
func (st *state) yielded(now time.Time, from ident.NodeID, number uint64, age time.Duration, refs []actors.Ref) (fx effects) {
	for _, ref := range refs {
		x := st.pinned[ref]
		if x == nil || x.home != st.self || number != 0 && x.asked[from] != number {
			continue
		}
		if number != 0 {
			delete(x.asked, from)
		}
		switch {
		case x.phase != mine:
		case number == 0, x.until.IsZero(): // it had some until now
			st.restart(now, &fx, ref, x)
		case age > 0 && now.Add(-age).After(x.fresh):
			x.doubt = true
		}
	}
	st.due(now, &fx)
	return fx
}

// restart has what runs here begin anew, from what the store has.
func (st *state) restart(now time.Time, fx *effects, ref actors.Ref, x *pin) {
	x.phase, x.from, x.until, x.doubt = waiting, "", now, false
	st.depart(fx, ref, x)
}

// met takes that a node has come up.
func (st *state) met(now time.Time, fx *effects, id ident.NodeID) {
	for ref, x := range st.pinned {
		if x.home != st.self {
			continue
		}
		if st.ask(fx, ref, x, id); x.phase == mine && x.until.IsZero() {
			x.until = now.Add(st.hold)
		}
	}
}

// missed takes that a node is gone, with what it had to say.
func (st *state) missed(id ident.NodeID) {
	for _, x := range st.pinned {
		delete(x.askers, id)
		if _, open := x.asked[id]; open {
			delete(x.asked, id)
			x.lost = true
		}
		if x.phase == mine { // should it come back as another, that one doesn't know
			x.doubt = true
		}
	}
}

// returned takes that a node which was here all the time has taken this one for lost: it has had what is pinned here, or others have.
func (st *state) returned(now time.Time, id ident.NodeID) (fx effects) {
	if !st.known[id] {
		return fx
	}
	st.unrouted(id)
	st.tell(&fx)
	for ref, x := range st.pinned {
		if x.home != st.self {
			continue
		}
		if x.phase == mine {
			st.await(now, &fx, ref, x, "")
			st.depart(&fx, ref, x)
		}
		st.ask(&fx, ref, x, id)
	}
	st.due(now, &fx)
	return fx
}

// ended takes that actors which left are here no more.
func (st *state) ended(now time.Time, list []leaver) (fx effects) {
	for _, l := range list {
		x := st.pinned[l.ref]
		if x == nil || x.leaving != l.number {
			continue
		}
		x.leaving = 0
		if _, asked := x.askers[x.home]; !asked && x.home != st.self && x.home != "" {
			st.yield(now, &fx, l.ref, x, 0) // who has not asked yet hears it twice, and who never will has to hear it
			continue
		}
		st.answer(now, &fx, l.ref, x)
	}
	st.due(now, &fx)
	return fx
}

// duePins opens what need not be waited for any more, and forgets what is as its partition is.
func (st *state) duePins(now time.Time, fx *effects) {
	for ref, x := range st.pinned {
		p := &st.parts[ident.PartitionOf(ref.Kind, ref.ID)]
		over := !x.until.After(now)
		st.answer(now, fx, ref, x)
		switch {
		case x.home != st.self || x.leaving != 0:
		case x.phase == waiting && p.owner == st.self && p.phase != mine: // which is claimed first
		case x.phase == waiting && (len(x.asked) == 0 || over):
			x.phase, x.until, x.fresh = mine, time.Time{}, now
			fx.openers = append(fx.openers, opener{ref, x.from, len(x.asked) == 0 && !x.lost})
		case x.phase == mine && !x.until.IsZero() && (len(x.asked) == 0 || over):
			if x.until = (time.Time{}); x.doubt || len(x.asked) > 0 {
				st.restart(now, fx, ref, x)
			}
		case !x.until.IsZero():
			st.wake(x.until)
		}
		if x.kept.IsZero() || x.leaving != 0 {
			continue
		}
		if x.kept.After(now) {
			st.wake(x.kept)
		} else if x.home == p.owner && x.phase == p.phase && x.until.IsZero() && len(x.askers) == 0 && !x.unasked && !p.leaving {
			delete(st.pinned, ref)
		}
	}
}

// wake has something done at a time at the latest.
func (st *state) wake(at time.Time) {
	if st.next.IsZero() || at.Before(st.next) {
		st.next = at
	}
}
