package actors

import (
	"github.com/jackdaw-im/jackdaw/telemetry"
)

// begin starts a life, and lets it handle what came while there was none.
func (p *process) begin() error {
	if err := p.init(); err != nil {
		return err
	}
	p.replay()
	return nil
}

// replay handles what was held. A message that is held again stays behind those that came before it.
func (p *process) replay() {
	for p.up && !p.q.paused && p.on.stopping == nil {
		msg := p.q.unhold()
		if msg == nil {
			break
		}
		p.on.current = msg
		p.deliver(msg)
	}
}

func (p *process) init() error {
	p.beh = p.kind.spec.New()
	p.up = true
	p.touch()
	p.idling &^= hibernated
	p.idleAfter(p.kind.idleAfter)
	args := p.args
	if args == OwnID {
		args = p.id
	}
	if err := p.beh.Init(p.context(), args); err != nil {
		return err
	}
	if p.on.stopping == nil {
		p.enter(alive)
	}
	if o, ok := p.owner.(interface{ Started(*Child) }); ok {
		o.Started(&Child{p})
	}
	return nil
}

// restart begins another life after a crash.
func (p *process) restart() {
	p.sys().stats.restarted(p.ref())
	p.extra().restarts++
	if !p.enter(starting) {
		return
	}
	if err := p.begin(); err != nil {
		p.crash(err)
	}
}

// enter begins a phase, and reports false if the owner has meanwhile ended the actor. A new life isn't suspended by sys.
func (p *process) enter(ph phase) bool {
	if ph == starting && p.q.paused {
		p.pause(false)
	}
	p.q.mu.Lock()
	defer p.q.mu.Unlock()
	if p.q.phase == ended {
		return false
	}
	p.q.phase = ph
	return true
}

// crash ends this life of the actor. Its queue stays; the supervisor decides what follows.
func (p *process) crash(err error) {
	if p.on != nil {
		if c, ok := p.on.current.(*callRequest); ok {
			(*pendingCall)(c).settle(nil, ErrCrashed, p.on.w) // unless it has been answered
		}
	}
	if p.ext != nil && p.ext.trace != nil {
		p.ext.trace.crashed(err)
	}
	p.leave(Crashed(err), suspended)
}

// exit ends the actor for good.
func (p *process) exit(reason Reason) { p.leave(reason, ended) }

// leave runs Terminate, forgets what this life had under way, and tells those who watch.
func (p *process) leave(reason Reason, ph phase) {
	wasUp := p.up
	p.up = false
	if p.on != nil {
		p.on.stopping = nil
	}
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
	p.breakLinks(reason)
	if ph == ended {
		p.renege(ErrNoProc)
	}
	p.forget()
	if ph == ended && p.end(reason) || ph != ended && p.lifeOver(reason) { // unless its owner has lost patience meanwhile
		p.owner.Exited(&Child{p}, reason)
	}
}

// lifeOver tells those who watch of the end of a life that another may follow. It reports false if the owner has ended the actor:
// they know, and those who watch its name now mean the next of that name.
func (p *process) lifeOver(reason Reason) bool {
	p.q.mu.Lock()
	if p.q.phase == ended {
		p.q.mu.Unlock()
		return false
	}
	watching := p.sys().watching(p.ref())
	p.q.mu.Unlock()
	tell(watching, reason)
	return true
}

// terminate runs the behaviour's Terminate; a panic in it is only logged, the end goes on.
func (p *process) terminate(t Terminator, reason Reason) {
	defer func() {
		p.on.stopping = nil // that is under way
		if v := recover(); v != nil {
			p.sys().log.Warn("an actor crashed while it terminated", refField(p.ref()), anyField(telemetry.KeyPanic, v))
		}
	}()
	t.Terminate(p.context(), reason)
}

// forget drops timers, monitors, calls and links of this life.
func (p *process) forget() {
	x := p.ext
	if x == nil {
		return
	}
	p.breakLinks(Killed) // those of one whose owner has given it up
	p.renege(ErrCrashed)
	for _, m := range x.monitors.values() {
		p.sys().unwatch(m)
	}
	for _, id := range x.timers.values() {
		p.sys().wheel.cancel(id)
	}
	for _, c := range x.calls.values() {
		c.abandon()
	}
	// An answer or timer of this life must not be taken for one of the next.
	*x = extras{nextID: x.nextID, restarts: x.restarts, trace: x.trace}
}

// handOns bounds how often handOn looks whether more has come.
const handOns = 1000

// handOn gives what waits for an actor that leaves this node to the next one, while the name is still this one's: so what comes meanwhile
// waits behind it, and doesn't overtake it. It returns with the queue locked, and empty if so.
func (p *process) handOn() {
	p.q.mu.Lock()
	for n := 0; n < handOns && p.retiring && p.q.phase != ended && p.sys().away(p.ref()); n++ {
		var rest []any
		for m := p.q.popUser(); m != nil; m = p.q.popUser() {
			rest = append(rest, m)
		}
		if len(rest) == 0 {
			return
		}
		p.q.mu.Unlock()
		for _, m := range rest {
			p.sys().left(p, m, false)
		}
		p.q.mu.Lock()
	}
}

// end takes the name away and turns the queue into dead letters.
func (p *process) end(reason Reason) bool {
	p.handOn()
	if p.q.phase == ended {
		p.q.mu.Unlock()
		return false
	}
	var rest []any
	answers := 0
	for {
		m := p.q.held.pop()
		if m == nil {
			m = p.q.ctl.pop()
		}
		if m == nil {
			if m = p.q.popUser(); m == nil {
				break
			}
			rest = append(rest, m)
			continue
		}
		answers++
		rest = append(rest, m)
	}
	p.gone(reason, rest, answers)
	return true
}

// gone ends the actor and takes the name away. It is called with the lock of the queue held, and unlocks it: whoever learns there that
// the actor has ended finds the name free. rest are the messages that are left, the first of them by the control lane.
func (p *process) gone(reason Reason, rest []any, answers int) {
	s := p.sys()
	p.q.phase = ended
	if p.q.paused {
		s.suspended.put(p.ref(), false)
	}
	var watching []*monitor
	s.registry.remove(p, func() { // before the next of that name, who has names and watchers of its own
		s.names.remove(p.ref())
		watching = s.watching(p.ref())
	})
	p.q.mu.Unlock()
	p.kind.counter.live.Add(-1)
	if f, ok := p.owner.(family); ok {
		f.Family().remove(p)
	}
	tell(watching, reason)
	for i, m := range rest {
		s.left(p, m, i < answers)
	}
	p.q.mu.Lock()
	p.wakeLocked(true, nil) // what it had under way is forgotten on its own turn
}
