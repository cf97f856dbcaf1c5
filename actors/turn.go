package actors

import "time"

// turn is what one worker, or one goroutine of a blocking actor, knows of the actor it runs.
type turn struct {
	w        *worker // nil: a goroutine of its own
	n        int     // messages of the last turn
	current  any     // what is handled now, for the answer of a crash
	stopping *Reason // set by Context.Stop
}

// turn handles messages until the queue is empty, the kind's BatchLen is reached or the time is up. It reports whether the actor
// has to be run again.
func (p *process) turn(t *turn) (again bool) {
	p.on = t
	var (
		begin   time.Duration
		batched bool
		n       int
	)
	k := p.kind
	for {
		msg, ok := p.take(batched)
		if !ok {
			if !batched {
				k.counter.add(t, n)
				return false
			}
			batched = false
			if p.handle(t, endBatch{}) {
				break
			}
			continue
		}
		n++
		batched = k.batches && p.idling&cleared == 0
		if p.handle(t, msg) || n >= k.batchLen {
			break
		}
		if n&7 == 0 && t.w != nil {
			// What comes before the first look at the clock is few messages: a turn of few doesn't look at all.
			if at := now(); begin == 0 {
				begin = at
			} else if at-begin > turnTime {
				break
			}
		}
	}
	if batched {
		p.handle(t, endBatch{})
	}
	k.counter.add(t, n)
	p.q.mu.Lock()
	p.q.busy = false
	p.q.mu.Unlock()
	p.on = nil
	return true
}

// handle runs one message, and reports whether the worker was replaced while it ran.
func (p *process) handle(t *turn, msg any) bool {
	t.current = msg
	if t.w == nil {
		p.guarded(t, msg)
		t.current = nil
		return false
	}
	t.w.began()
	p.guarded(t, msg)
	t.current = nil
	return t.w.replaced.Load() && t.w.returned(p, msg)
}

// guarded handles one message and does what it asked for: a crash, a stop.
func (p *process) guarded(t *turn, msg any) {
	defer p.recover()
	p.deliver(msg)
	switch r := t.stopping; {
	case r == nil:
	case r.Ended():
		p.exit(*r)
	default:
		p.crash(r.Err)
	}
}

func (p *process) recover() {
	if v := recover(); v != nil {
		p.crash(panicError(v))
	}
}

func (p *process) deliver(msg any) {
	if p.ext != nil && p.ext.trace != nil && p.up && !p.q.paused { // what waits is seen when it is handled
		p.traced(msg)
	} else {
		p.dispatch(msg)
	}
}

// dispatch gives a message to the behaviour, or does what it tells the runtime.
func (p *process) dispatch(msg any) {
	if (!p.up || p.q.paused) && p.waits(msg) {
		return
	}
	var err error
	switch m := msg.(type) {
	case *callRequest:
		p.touch()
		p.handleCall(m)
	case endBatch:
		err = p.beh.(BatchEnder).EndBatch(p.context())
	case *callReply:
		err = p.handleReply((*pendingCall)(m))
	case *callExpiry:
		(*pendingCall)(m).settle(nil, ErrTimeout, p.worker())
	case timerMsg:
		if p.ext.timers.has(m.ref) {
			p.ext.timers.remove(m.ref)
			err = p.beh.Handle(p.context(), m.msg)
		}
	case Down:
		if p.ext.monitors.has(m.Monitor) {
			p.ext.monitors.remove(m.Monitor)
			err = p.beh.Handle(p.context(), m)
		}
	case exitSignal:
		err = p.signalled(m)
	case linkMsg:
		p.linked(m)
	case unlinkMsg:
		p.unlinked(m)
	case *inspectMsg:
		m.run(p)
	case initMsg:
		err = p.begin()
	case restartMsg:
		p.restart()
	case stopMsg:
		p.exit(m.reason)
	case idleMsg:
		p.idling &^= m.set
		p.idle()
	case retireMsg:
		p.retire(m)
	case *Undelivered:
		err = p.bounced(m)
	case endedMsg:
		p.forget()  // what a killed one had under way; for the others nothing is left
		p.beh = nil // the timer of its idleness may hold the actor for long
	default:
		p.touch()
		err = p.beh.Handle(p.context(), msg)
	}
	if err != nil {
		p.crash(err)
	}
}

// waits reports whether msg isn't for now: for an actor without a life, or suspended by sys. What was meant for the life before is
// gone; answers and whatever else was promised not to be refused wait for the next one.
func (p *process) waits(msg any) bool {
	switch m := msg.(type) {
	case initMsg, restartMsg, stopMsg, endedMsg, *inspectMsg, unlinkMsg, retireMsg:
		return false
	case *Undelivered:
		if p.up {
			return false
		}
		p.sys().counted(m.To, m.Msg)
		return true
	case linkMsg:
		if p.up {
			return false
		}
		p.sys().signal(m.from, m.refused(p.ref()))
		return true
	case idleMsg:
		p.idling &^= m.set
		if p.up {
			p.idleAfter(p.kind.idleAfter)
		}
		return true
	case endBatch, *callExpiry:
		return !p.up
	case exitSignal:
		if p.up && (!p.ext.trapping() || m.kills()) {
			return false
		}
	case timerMsg, *callReply, Down:
	default:
		if !p.q.hold(msg) {
			p.sys().deadLetter(p.ref(), msg)
		} else if _, ok := msg.(Resumer); ok && p.up {
			p.pause(false)
			p.replay()
		}
		return true
	}
	if p.up {
		p.q.hold(msg)
	}
	return true
}

// touch notes that the actor isn't idle.
func (p *process) touch() {
	p.q.touched = p.kind.sys.clock.Load()
	if p.idling&hibernated != 0 {
		p.idling &^= hibernated
		p.idleAfter(p.kind.idleAfter)
	}
}

// worker is what runs the actor's turn, nil if it has a goroutine of its own or no turn at all.
func (p *process) worker() *worker {
	if p.on == nil {
		return nil
	}
	return p.on.w
}
