package actors

import (
	"slices"
	"time"
)

// idleAfter sets the timer that looks whether the actor is idle; 0 is never.
func (p *process) idleAfter(d time.Duration) {
	set := timed
	if p.idling&hibernated != 0 {
		set = timedLong // what wakes it wants to be looked at sooner
	}
	if d > 0 && p.idling&set == 0 {
		p.idling |= set
		p.sys().wheel.add(d, p, idleMsg{set})
	}
}

// idle lets an actor hibernate or passivates it, if nothing has come for so long.
func (p *process) idle() {
	since := p.sys().sinceTick(p.q.touched)
	sleep, leave := p.kind.spec.HibernateAfter, p.kind.spec.IdleTimeout
	if sleep > 0 && since >= sleep && p.idling&hibernated == 0 {
		p.hibernate()
	}
	if leave > 0 && since >= leave {
		if v, ok := p.beh.(Passivator); !ok || v.MayPassivate(p.context()) {
			p.passivate()
			return
		}
		p.touch()
		since = 0
	}
	next := time.Duration(0)
	for _, d := range []time.Duration{sleep, leave} {
		if d > since && (next == 0 || d-since < next) {
			next = d - since
		}
	}
	p.idleAfter(next)
}

// hibernate gives back what an idle actor can do without.
func (p *process) hibernate() {
	p.idling |= hibernated
	if h, ok := p.beh.(Hibernator); ok {
		h.Hibernate(p.context())
	}
	if x := p.ext; x != nil {
		x.calls.shrink()
		x.monitors.shrink()
		x.timers.shrink()
		x.links.shrink()
		x.owed = append([]*pendingCall(nil), slices.DeleteFunc(x.owed, (*pendingCall).settled)...) // an answered call holds its asker
	}
}

// passivate ends an idle actor, unless something came meanwhile.
func (p *process) passivate() {
	// What comes from now on waits in the queue, and either finds a new life here or, after the end, another actor.
	p.enter(suspended)
	p.up = false
	if t, ok := p.beh.(Terminator); ok {
		p.terminate(t, Normal)
	}
	p.breakLinks(Normal)
	p.renege(ErrNoProc)
	p.forget()
	p.q.mu.Lock()
	if p.q.phase == ended { // its owner has lost patience
		p.q.mu.Unlock()
		return
	}
	if p.q.length() > 0 || p.q.ctl.block != nil {
		p.q.phase = starting
		watching := p.sys().watching(p.ref())
		p.q.mu.Unlock()
		tell(watching, Normal) // that life has ended, though another begins
		p.control(initMsg{}, nil)
		return
	}
	p.gone(Normal, nil, 0)
	p.owner.Exited(&Child{p}, Normal)
}
