package supervision

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/jackdaw-im/jackdaw/actors"
)

// partition is one share of a dynamic supervisor's children and the owner of each. It outlives its supervising actor, so that
// children know whom to tell.
type partition struct {
	dyn       *Dynamic
	id        string
	open      atomic.Bool
	live      atomic.Int64 // children that run, or wait for a restart
	restarted atomic.Int64
	asked     atomic.Int32 // children in told
	sup       atomic.Pointer[actors.Ref]
	family    actors.Children

	mu struct {
		sync.Mutex
		rests map[actors.Ref]*resting // children that wait for a restart
		told  map[actors.Child]bool   // children of whose end somebody wants to hear
	}
}

// resting is a child that waits for its restart.
type resting struct {
	child *actors.Child // a crashed one; nil: it has ended, and has another actor then
	args  any
}

// What a partition's actor hears of a child. childEnd is of one that has ended without a crash, where it matters; lastGone says that the
// last has ended while all are being stopped.
type (
	childCrash struct {
		child  *actors.Child
		reason actors.Reason
	}
	childEnd struct {
		child  *actors.Child
		reason actors.Reason
	}
	lastGone struct{}
)

// Family has the runtime list the children.
func (p *partition) Family() *actors.Children { return &p.family }

// Exited implements actors.Owner.
func (p *partition) Exited(c *actors.Child, reason actors.Reason) {
	if reason.Ended() {
		if !p.wanted(c) || !p.tell(childEnd{c, reason}) {
			p.left()
		}
		return
	}
	if !p.tell(childCrash{c, reason}) && c.End(reason) { // or its supervisor was faster
		p.left()
	}
}

// wanted reports whether the partition's actor has to hear of an end in order.
func (p *partition) wanted(c *actors.Child) bool {
	if p.dyn.spec.restarts() {
		return true
	}
	if p.asked.Load() == 0 {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.told[*c]
}

// want makes the partition's actor hear of a child's end, until it wants no more. An end that has come already isn't heard of.
func (p *partition) want(c *actors.Child) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.told == nil {
		p.mu.told = map[actors.Child]bool{}
	}
	p.mu.told[*c] = true
	p.asked.Add(1)
}

func (p *partition) unwant(c *actors.Child) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.told[*c] {
		delete(p.mu.told, *c)
		p.asked.Add(-1)
	}
}

// tell tells the partition's actor, and reports whether it can hear it.
func (p *partition) tell(msg any) bool {
	sup := p.sup.Load()
	return sup != nil && p.dyn.sys.Answer(*sup, msg) == nil
}

// spawn starts the actor of a child that is booked.
func (p *partition) spawn(ref actors.Ref, args any) (*actors.Child, error) {
	return p.dyn.sys.Spawn(p.dyn.spec.Child, ref, args, p)
}

// spawnNew is spawn, unless a child of that name waits for its restart.
func (p *partition) spawnNew(ref actors.Ref, args any) (*actors.Child, error) {
	if p.dyn.spec.Backoff.Min > 0 {
		p.mu.Lock()
		r := p.mu.rests[ref]
		p.mu.Unlock()
		if r != nil {
			return nil, fmt.Errorf("%w: %v, which waits for its restart", actors.ErrExists, ref)
		}
	}
	return p.spawn(ref, args)
}

// enter books a child that is to be started, if there is room.
func (p *partition) enter() error {
	if limit := p.dyn.spec.MaxChildren; limit > 0 && p.dyn.all.Add(1) > limit {
		p.dyn.all.Add(-1)
		return ErrMaxChildren
	}
	p.live.Add(1)
	return nil
}

// left books the end of a child.
func (p *partition) left() {
	if p.dyn.spec.MaxChildren > 0 {
		p.dyn.all.Add(-1)
	}
	if p.live.Add(-1) == 0 && !p.open.Load() {
		p.tell(lastGone{})
	}
}

// rest notes that a child waits for its restart.
func (p *partition) rest(ref actors.Ref, r *resting) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.rests == nil {
		p.mu.rests = map[actors.Ref]*resting{}
	}
	p.mu.rests[ref] = r
}

// wake notes that a child waits no more, and returns it; nil: none does, or not for this restart.
func (p *partition) wake(ref actors.Ref, which *resting) *resting {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.mu.rests[ref]
	if which != nil && which != r {
		return nil
	}
	delete(p.mu.rests, ref)
	return r
}

// resting is how many children wait for a restart.
func (p *partition) resting() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return int64(len(p.mu.rests))
}

// bury lets go of the children that wait without an actor: they won't be started any more. Nor does anybody wait for an end now.
func (p *partition) bury() {
	p.mu.Lock()
	rests := p.mu.rests
	p.mu.rests, p.mu.told = nil, nil
	p.asked.Store(0)
	p.mu.Unlock()
	for _, r := range rests {
		if r.child == nil {
			p.left()
		}
	}
}

// find returns the child of a name, nil if there is none.
func (p *partition) find(ref actors.Ref) *actors.Child {
	c, _ := p.dyn.sys.ChildOf(p, ref)
	return c
}

// each calls f for each child until it returns false, which it returns then.
func (p *partition) each(f func(ChildInfo) bool) bool {
	p.mu.Lock()
	rests := make(map[actors.Ref]bool, len(p.mu.rests))
	var bare []actors.Ref
	for ref, r := range p.mu.rests {
		rests[ref] = true
		if r.child == nil {
			bare = append(bare, ref)
		}
	}
	p.mu.Unlock()
	more := true
	tell := func(ref actors.Ref) bool {
		info := ChildInfo{ID: ref.ID, Ref: ref, State: Running, Up: true, Restart: p.dyn.spec.Restart, Shutdown: ShutdownTime(p.dyn.spec.Shutdown)}
		if rests[ref] {
			info.State, info.Up = Restarting, false
		}
		more = f(info)
		return more
	}
	p.family.Each(func(c *actors.Child) bool { return tell(c.Ref()) })
	for _, ref := range bare {
		if !more {
			break
		}
		tell(ref)
	}
	return more
}
