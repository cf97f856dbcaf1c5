package actors

import (
	"time"

	"go.uber.org/zap"
)

// Context is an actor's own view of the system. It belongs to the actor's turn: its methods must be called from the
// behaviour's callbacks only, but for Self and System.
type Context process

func (c *Context) process() *process { return (*process)(c) }

// TimerRef names one timer of this actor.
type TimerRef uint64

// Self returns the actor's own Ref.
func (c *Context) Self() Ref { return c.process().ref() }

// Life names the actor's present life: no other life, of this actor or any other of the system, has the same number. It is what a
// process identifier tells in OTP and a Ref, which outlives a crash, doesn't.
func (c *Context) Life() uint64 {
	x := c.process().extra()
	if x.life == 0 {
		x.life = c.process().sys().lives.Add(1)
	}
	return x.life
}

// System returns the system the actor lives in.
func (c *Context) System() *System { return c.process().sys() }

// Now returns the current time.
func (c *Context) Now() time.Time { return time.Now() }

// Log returns the system's logger.
func (c *Context) Log() *zap.Logger { return c.process().sys().log }

// Cast sends msg and expects no answer. The errors are those of System.Cast.
func (c *Context) Cast(to Ref, msg any) error { return c.send(to, msg, false) }

// Answer sends msg as the answer to an earlier message: it is never refused for a full queue.
func (c *Context) Answer(to Ref, msg any) error { return c.send(to, msg, true) }

func (c *Context) send(to Ref, msg any, answer bool) error {
	p := c.process()
	if p.ext != nil && p.ext.trace != nil {
		p.ext.trace.sent(to, msg)
	}
	return p.sys().send(to, msg, answer, p)
}

// SendAfter gives this actor msg after d, rounded up to the wheel's tick of 10 ms; d is 248 days at most. Timers due at the
// same tick come in the order in which they were set.
func (c *Context) SendAfter(d time.Duration, msg any) TimerRef {
	p := c.process()
	x := p.extra()
	x.nextID++
	ref := TimerRef(x.nextID)
	x.timers.put(ref, p.sys().wheel.add(d, p, timerMsg{ref, msg}))
	return ref
}

// CancelTimer withdraws a timer and reports whether it had not fired yet; its message is not seen afterwards.
func (c *Context) CancelTimer(t TimerRef) bool {
	p := c.process()
	if p.ext == nil {
		return false
	}
	id, ok := p.ext.timers.get(t)
	if ok {
		p.ext.timers.remove(t)
		p.sys().wheel.cancel(id)
	}
	return ok
}

// Stop ends the actor with reason once the running handler returns.
func (c *Context) Stop(reason Reason) {
	if p := c.process(); p.on != nil {
		p.on.stopping = &reason
	}
}

type timerMsg struct {
	ref TimerRef
	msg any
}
