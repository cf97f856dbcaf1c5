package actors

import (
	"reflect"
)

// Owner is what started an actor and hears of its end: a supervisor. Exited is called on the actor's own turn and must not
// block. The actor's queue stands until the owner calls Restart or End.
type Owner interface {
	Exited(child *Child, reason Reason)
}

// Child is an owner's handle on an actor it has started.
type Child struct{ p *process }

// Ref returns the actor's name.
func (c *Child) Ref() Ref { return c.p.ref() }

// Args returns what the actor has been started with.
func (c *Child) Args() any { return c.p.args }

// Restart makes a new behaviour of a crashed actor under the same Ref, with the same queue.
func (c *Child) Restart() { c.p.control(restartMsg{}, nil) }

// Stop asks the actor to end with reason; Exited follows once it has.
func (c *Child) Stop(reason Reason) { c.p.control(stopMsg{reason}, nil) }

// End gives up on a crashed or hung actor: its name is free, its queue becomes dead letters. What a hung handler still does
// is lost, and the owner hears no more of it. It reports false if the actor had ended already.
func (c *Child) End(reason Reason) bool { return c.p.end(reason) }

// Control messages of the runtime itself.
type (
	initMsg    struct{}
	restartMsg struct{}
	stopMsg    struct{ reason Reason }
	idleMsg    struct{ set idling }
	endBatch   struct{}
	endedMsg   struct{} // the last an actor gets: what it had under way is forgotten
)

// process is one actor. There may be millions: an idle one is this struct, its behaviour, its id and a place in the registry.
// Its behaviour sees it as a Context.
type process struct {
	kind  *kind
	id    string
	args  any
	owner Owner
	beh   Behaviour
	ext   *extras      // what only some actors have; owned by the running turn
	on    *turn        // the running turn, nil between two
	next  *process     // siblings, guarded by their Children
	prev  *process     //
	last  reflect.Type // of the last message taken, guarded by q.mu
	q     queue
	hash  uint32 // of id
	flags
}

// flags are owned by the turn, but for what says otherwise. pinned never changes.
type flags struct {
	pinned   bool // its Ref names this node
	up       bool // Init has begun and no crash or end has come since
	idling   idling
	retiring bool // it leaves this node, and user messages wait for the next of its name; guarded by q.mu
}

// idling is what an actor without messages has come to.
type idling uint8

const (
	timed      idling = 1 << iota // an idleMsg is on its way
	timedLong                     // and one that was set while it hibernated
	hibernated                    // nothing came since Hibernate
	cleared                       // it has ended, and what it had under way is forgotten
)

// extras are the parts of an actor that most have none of.
type extras struct {
	nextID   uint64
	calls    smallMap[CallID, *pendingCall]
	monitors smallMap[MonitorRef, *monitor]
	timers   smallMap[TimerRef, timerID]
	links    smallMap[Ref, link]
	owed     []*pendingCall // calls that are answered later, and some that have been
	life     uint64         // 0 until somebody asks
	traps    bool
	restarts int
	trace    *tracer
}

func (p *process) extra() *extras {
	if p.ext == nil {
		p.ext = &extras{}
	}
	return p.ext
}

func (p *process) sys() *System      { return p.kind.sys }
func (p *process) context() *Context { return (*Context)(p) }

// ref is the actor's name.
func (p *process) ref() Ref {
	r := Ref{Kind: p.kind.name, ID: p.id}
	if p.pinned {
		r.Node = p.kind.sys.cfg.Node
	}
	return r
}

// named reports whether that is the actor's name.
func (p *process) named(r Ref) bool {
	return p.id == r.ID && p.kind.name == r.Kind && (r.Node == "") == !p.pinned && (!p.pinned || r.Node == p.kind.sys.cfg.Node)
}

// cast queues a user message within the bound. w is the worker it comes from, if it does from one.
func (p *process) cast(msg any, w *worker) error {
	s := p.kind.sys
	q := &p.q
	q.mu.Lock()
	if q.phase == ended {
		q.mu.Unlock()
		return ErrNoProc
	}
	n := 1
	if q.first != nil || q.user.block != nil {
		if n = q.length() + 1; n > p.kind.queueLen {
			q.mu.Unlock()
			s.stats.overloads.Add(1)
			return ErrOverloaded
		}
	}
	q.pushUser(msg, s.clock.Load())
	p.wakeLocked(q.phase != suspended && !q.paused, w)
	if n >= markLow && n&(n-1) == 0 {
		s.marked(p, n, msg)
	}
	return nil
}

// control queues a message that user load can't hold up, and that is never refused while the actor lives.
func (p *process) control(msg any, w *worker) bool {
	q := &p.q
	q.mu.Lock()
	if q.phase == ended {
		q.mu.Unlock()
		return false
	}
	q.ctl.push(msg, 0)
	p.wakeLocked(true, w)
	return true
}

// wakeLocked makes the queue known to a worker if it isn't, and unlocks it.
func (p *process) wakeLocked(due bool, w *worker) {
	wake := due && p.q.state == idle
	if wake {
		p.q.state = queued
	}
	p.q.mu.Unlock()
	if wake {
		p.kind.run(p, w)
	}
}

// take is the next message to handle, or marks the queue idle, unless the turn has a batch to end.
func (p *process) take(batched bool) (msg any, ok bool) {
	q := &p.q
	q.mu.Lock()
	switch {
	case q.phase == ended:
		if p.idling&cleared == 0 {
			p.idling |= cleared
			msg = endedMsg{}
		}
	case q.ctl.block != nil:
		if msg = q.ctl.pop(); tells(msg) {
			p.last = typeOfMessage(msg)
		}
	case q.phase == alive && !q.paused && !p.retiring:
		if msg = q.popUser(); msg != nil {
			p.last = typeOfMessage(msg)
		}
	}
	if msg != nil {
		q.busy, q.busyAt = true, p.kind.sys.clock.Load()
		q.mu.Unlock()
		return msg, true
	}
	q.busy = false
	if !batched {
		q.state = idle
		p.on = nil // before another worker may run it
	}
	q.mu.Unlock()
	return nil, false
}

// queued is how many user messages wait.
func (p *process) queued() int {
	p.q.mu.Lock()
	defer p.q.mu.Unlock()
	return p.q.length()
}
