package actors

import (
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/jackdaw-im/jackdaw/telemetry"
)

// Owner is what started an actor and hears of its end: a supervisor. Exited is called on the actor's own turn and must not
// block. The actor's queue stands until the owner calls Restart or End.
type Owner interface {
	Exited(child *Child, reason Reason)
}

// Child is an owner's handle on an actor it has started.
type Child struct{ p *process }

// Ref returns the actor's name.
func (c *Child) Ref() Ref { return c.p.ref }

// Restart makes a new behaviour of a crashed actor under the same Ref, with the same queue.
func (c *Child) Restart() { c.p.control(restartMsg{}) }

// Stop asks the actor to end with reason; Exited follows once it has.
func (c *Child) Stop(reason Reason) { c.p.control(stopMsg{reason}) }

// End gives up on a crashed or hung actor: its name is free, its queue becomes dead letters. What a hung handler still does
// is lost, and the owner hears no more of it. It reports false if the actor had ended already.
func (c *Child) End(reason Reason) bool { return c.p.end(reason) }

// Control messages of the runtime itself.
type (
	initMsg      struct{}
	restartMsg   struct{}
	stopMsg      struct{ reason Reason }
	passivateMsg struct{}
	callMsg      struct {
		from From
		req  any
	}
)

// process is one actor: what protoactor calls the actor and its mailbox in one.
type process struct {
	ctx   Context
	sys   *System
	kind  *kind
	ref   Ref
	args  any
	owner Owner
	beh   Behaviour
	inv   actor.MessageInvoker
	ext   *extras // what only some actors have; owned by the running turn, but for watchers
	q     queue
	// touched is the wheel's tick at the last message, for passivation.
	touched atomic.Uint32
	home    uint32 // the run queue it is put into
	stopped bool   // protoactor has been told of the end
	up      bool   // Init has begun and no crash or end has come since; owned by the turn
	timed   bool   // a passivateMsg is on its way; owned by the turn
	// current is what runs now, for the answer of a crash.
	current  any
	stopping *Reason
}

// extras are the parts of an actor that most have none of.
type extras struct {
	nextID   uint64
	calls    smallMap[CallID, *pendingCall]
	monitors smallMap[MonitorRef, *monitor]
	timers   smallMap[TimerRef, timerID]
}

func (p *process) extra() *extras {
	if p.ext == nil {
		p.ext = &extras{}
	}
	return p.ext
}

// PostUserMessage implements actor.Mailbox. Only protoactor's own sends come this way; ours go to the queue directly.
func (p *process) PostUserMessage(msg any) { _ = p.cast(msg) }

// PostSystemMessage implements actor.Mailbox.
func (p *process) PostSystemMessage(msg any) {
	if _, ok := msg.(*actor.Started); ok {
		return // Init runs when the owner starts the actor
	}
	p.control(systemMsg{msg})
}

type systemMsg struct{ msg any }

// RegisterHandlers implements actor.Mailbox.
func (p *process) RegisterHandlers(inv actor.MessageInvoker, _ actor.Dispatcher) { p.inv = inv }

// Start implements actor.Mailbox.
func (p *process) Start() {}

// UserMessageCount implements actor.Mailbox.
func (p *process) UserMessageCount() int {
	p.q.mu.Lock()
	defer p.q.mu.Unlock()
	return p.q.length()
}

// cast queues a user message within the bound.
func (p *process) cast(msg any) error {
	q := &p.q
	q.mu.Lock()
	if q.phase == ended {
		q.mu.Unlock()
		return ErrNoProc
	}
	n := q.length()
	if n >= p.kind.queueLen {
		q.mu.Unlock()
		p.sys.stats.overloads.Add(1)
		return ErrOverloaded
	}
	q.pushUser(msg)
	p.wakeLocked(q.phase != suspended)
	if n+1 >= markLow && (n+1)&n == 0 {
		p.sys.stats.mark(p.ref, n+1)
	}
	return nil
}

// control queues a message that user load can't hold up, and that is never refused while the actor lives.
func (p *process) control(msg any) bool {
	q := &p.q
	q.mu.Lock()
	if q.phase == ended {
		q.mu.Unlock()
		return false
	}
	q.pushControl(msg)
	p.wakeLocked(true)
	return true
}

// wakeLocked makes the queue known to a worker if it isn't, and unlocks it.
func (p *process) wakeLocked(due bool) {
	wake := due && p.q.state == idle
	if wake {
		p.q.state = queued
	}
	p.q.mu.Unlock()
	if wake {
		p.kind.run(p)
	}
}

// next takes the next message to handle, or marks the queue idle.
func (p *process) next(batched bool) (msg any, ok bool) {
	q := &p.q
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.phase == ended {
		if !p.stopped {
			p.stopped = true
			return systemMsg{&actor.Stop{}}, true
		}
		batched = false
	} else {
		if msg = q.popControl(); msg != nil {
			return msg, true
		}
		if q.phase == alive {
			if msg = q.popUser(); msg != nil {
				return msg, true
			}
		}
	}
	if !batched {
		q.state = idle
	}
	return nil, false
}

// turn handles messages until the queue is empty, BatchLen is reached or the time is up. It reports whether the actor has
// to be run again.
func (p *process) turn(w *worker) (again bool) {
	batched := false
	var begin time.Duration
	if w != nil {
		begin = now()
	}
	for n := 1; ; n++ {
		msg, ok := p.next(batched)
		if !ok {
			if !batched {
				return false
			}
			batched = false
			if p.handle(w, endBatch{}) {
				break
			}
			continue
		}
		batched = p.kind.batches
		if p.handle(w, msg) {
			break
		}
		if n >= p.kind.batchLen || (n&7 == 0 && w != nil && now()-begin > turnTime) {
			break
		}
	}
	if batched {
		p.handle(w, endBatch{})
	}
	return true
}

// handle runs one message, and reports whether the worker was replaced while it ran.
func (p *process) handle(w *worker, msg any) bool {
	if w == nil {
		p.run(msg)
		return false
	}
	w.begin()
	p.run(msg)
	return w.end(msg)
}

type endBatch struct{}

// run takes one message through protoactor to Receive.
func (p *process) run(msg any) {
	p.current = msg
	if s, ok := msg.(systemMsg); ok {
		if _, over := s.msg.(*actor.Stop); over {
			p.forget() // what a killed one had under way; for the others nothing is left
		}
		p.inv.InvokeSystemMessage(s.msg)
	} else {
		p.inv.InvokeUserMessage(msg)
	}
	p.current = nil
}

// Receive implements actor.Actor.
func (p *process) Receive(c actor.Context) {
	msg := p.current
	if msg == nil {
		return // protoactor's own life-cycle messages
	}
	if _, ours := c.Message().(actor.AutoReceiveMessage); ours {
		return
	}
	defer p.recover()
	p.dispatch(msg)
	switch r := p.stopping; {
	case r == nil:
	case r.Ended():
		p.exit(*r)
	default:
		p.crash(r.Err)
	}
}

func (p *process) recover() {
	if v := recover(); v != nil {
		err, ok := v.(error)
		if !ok {
			err = fmt.Errorf("%v", v)
		}
		p.crash(fmt.Errorf("panic: %w\n%s", err, debug.Stack()))
	}
}

func (p *process) dispatch(msg any) {
	p.kind.counter.handled.Add(1)
	if _, ok := msg.(passivateMsg); ok {
		p.timed = false
	}
	if !p.up {
		switch msg.(type) {
		case initMsg, restartMsg, stopMsg:
		case systemMsg, endBatch, passivateMsg, timerMsg, *expired, reply, Down:
			return // what the life before was waiting for
		default: // an answer that came between two lives: it is for the next one
			if !p.q.hold(msg) {
				p.sys.deadLetter(p.ref, msg)
			}
			return
		}
	}
	var err error
	switch m := msg.(type) {
	case endBatch:
		err = p.beh.(BatchEnder).EndBatch(&p.ctx)
	case initMsg:
		err = p.begin()
	case restartMsg:
		p.sys.stats.restarts.Add(1)
		if p.enter(starting) {
			err = p.begin()
		}
	case stopMsg:
		p.exit(m.reason)
	case passivateMsg:
		p.passivate()
	case callMsg:
		p.touch()
		err = p.handleCall(m)
	case *expired:
		p.callExpired(m)
	case reply:
		p.handleReply(m)
	case Down:
		if _, ok := p.extra().monitors.get(m.Monitor); ok {
			p.ext.monitors.remove(m.Monitor)
			err = p.beh.Handle(&p.ctx, m)
		}
	case timerMsg:
		if _, ok := p.extra().timers.get(m.ref); ok {
			p.ext.timers.remove(m.ref)
			err = p.beh.Handle(&p.ctx, m.msg)
		}
	default:
		p.touch()
		err = p.beh.Handle(&p.ctx, msg)
	}
	if err != nil {
		p.crash(err)
	}
}

func (p *process) touch() { p.touched.Store(p.sys.wheel.now()) }

// begin starts a life, and lets it handle what came while there was none.
func (p *process) begin() error {
	if err := p.init(); err != nil {
		return err
	}
	for p.up && p.stopping == nil {
		msg := p.q.unhold()
		if msg == nil {
			break
		}
		p.current = msg
		p.dispatch(msg)
	}
	return nil
}

func (p *process) init() error {
	p.beh = p.kind.spec.New()
	p.up = true
	p.touch()
	p.passivateAfter(p.kind.spec.IdleTimeout)
	if err := p.beh.Init(&p.ctx, p.args); err != nil {
		return err
	}
	if p.stopping == nil {
		p.enter(alive)
	}
	if o, ok := p.owner.(interface{ Started(*Child) }); ok {
		o.Started(&Child{p})
	}
	return nil
}

// enter begins a phase, and reports false if the owner has meanwhile ended the actor.
func (p *process) enter(ph phase) bool {
	p.q.mu.Lock()
	defer p.q.mu.Unlock()
	if p.q.phase == ended {
		return false
	}
	p.q.phase = ph
	return true
}

func (p *process) handleCall(m callMsg) error {
	h, ok := p.beh.(CallHandler)
	if !ok {
		m.from.reply.complete(nil, ErrNoCall)
		return nil
	}
	v, err := h.HandleCall(&p.ctx, m.from, m.req)
	if err != nil {
		v = nil
	}
	if _, later := v.(noReply); !later {
		m.from.reply.complete(v, err)
	}
	return nil
}

// crash ends this life of the actor. Its queue stays; the supervisor decides what follows.
func (p *process) crash(err error) {
	if c, ok := p.current.(callMsg); ok {
		c.from.reply.settle(nil, ErrCrashed) // unless it has been answered
	}
	p.leave(Crashed(err), suspended)
}

// exit ends the actor for good.
func (p *process) exit(reason Reason) { p.leave(reason, ended) }

// leave runs Terminate, forgets what this life had under way, and tells those who watch.
func (p *process) leave(reason Reason, ph phase) {
	wasUp := p.up
	p.stopping, p.up = nil, false
	p.q.mu.Lock()
	was := p.q.phase
	if was == ended || (was == suspended && ph == suspended) {
		p.q.mu.Unlock()
		return
	}
	p.q.phase = suspended
	p.q.mu.Unlock()
	if t, ok := p.beh.(Terminator); ok && wasUp {
		p.terminate(t, reason)
	}
	p.forget()
	switch {
	case ph != ended:
		p.sys.notify(p, reason)
	case !p.end(reason):
		return // its owner has lost patience meanwhile
	}
	p.owner.Exited(&Child{p}, reason)
}

// terminate runs the behaviour's Terminate; a panic in it is only logged, the end goes on.
func (p *process) terminate(t Terminator, reason Reason) {
	defer func() {
		if v := recover(); v != nil {
			p.sys.log.Warn("an actor crashed while it terminated", refField(p.ref), anyField(telemetry.KeyPanic, v))
		}
	}()
	t.Terminate(&p.ctx, reason)
}

// forget drops timers, monitors and calls of this life.
func (p *process) forget() {
	if p.ext == nil {
		return
	}
	for _, m := range p.ext.monitors.values() {
		p.sys.unwatch(m)
	}
	for _, id := range p.ext.timers.values() {
		p.sys.wheel.cancel(id)
	}
	for _, c := range p.ext.calls.values() {
		p.sys.wheel.cancel(timerID(c.timer.Load()))
	}
	*p.ext = extras{nextID: p.ext.nextID} // an answer or timer of this life must not be taken for one of the next
}

// end takes the name away and turns the queue into dead letters.
func (p *process) end(reason Reason) bool {
	p.q.mu.Lock()
	if p.q.phase == ended {
		p.q.mu.Unlock()
		return false
	}
	p.q.phase = ended
	var left []any
	for {
		m := p.q.popHeld()
		if m == nil {
			m = p.q.popControl()
		}
		if m == nil && p.q.length() > 0 {
			m = p.q.popUser()
		}
		if m == nil {
			break
		}
		left = append(left, m)
	}
	p.q.mu.Unlock()
	p.gone(reason, left)
	return true
}

// gone takes the name away after phase has become ended; left are the messages that nobody handles any more.
func (p *process) gone(reason Reason, left []any) {
	p.sys.registry.remove(p)
	p.kind.counter.live.Add(-1)
	p.sys.notify(p, reason)
	for _, m := range left {
		p.sys.deadLetter(p.ref, m)
	}
	p.q.mu.Lock()
	p.wakeLocked(true) // protoactor is told on the actor's own turn
}

// passivateAfter sets the one timer of passivation; 0 is never.
func (p *process) passivateAfter(d time.Duration) {
	if d > 0 && !p.timed {
		p.timed = true
		p.sys.wheel.add(d, p, passivateMsg{})
	}
}

// passivate ends an idle actor, unless something came meanwhile or it wants to stay.
func (p *process) passivate() {
	idleFor := p.sys.wheel.since(p.touched.Load())
	limit := p.kind.spec.IdleTimeout
	stay := idleFor < limit
	if !stay {
		if v, ok := p.beh.(Passivator); ok && !v.MayPassivate(&p.ctx) {
			p.touch()
			stay, idleFor = true, 0
		}
	}
	if stay {
		p.passivateAfter(limit - idleFor)
		return
	}
	// What comes from now on waits in the queue, and either finds a new life here or, after the end, another actor.
	p.enter(suspended)
	p.up = false
	if t, ok := p.beh.(Terminator); ok {
		p.terminate(t, Normal)
	}
	p.forget()
	p.q.mu.Lock()
	if p.q.phase == ended { // its owner has lost patience
		p.q.mu.Unlock()
		return
	}
	if p.q.length() > 0 || p.q.ctl != nil {
		p.q.phase = starting
		p.q.mu.Unlock()
		p.control(initMsg{})
		return
	}
	p.q.phase = ended
	p.q.mu.Unlock()
	p.gone(Normal, nil)
	p.owner.Exited(&Child{p}, Normal)
}
