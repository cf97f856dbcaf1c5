package actors

import (
	"time"

	"go.uber.org/zap"
)

// Context is an actor's own view of the system. It belongs to the actor's turn: its methods must be called from the
// behaviour's callbacks only, but for Self and System.
type Context struct{ p *process }

// TimerRef names one timer of this actor.
type TimerRef uint64

// Self returns the actor's own Ref.
func (c *Context) Self() Ref { return c.p.ref }

// System returns the system the actor lives in.
func (c *Context) System() *System { return c.p.sys }

// Now returns the current time.
func (c *Context) Now() time.Time { return time.Now() }

// Log returns the system's logger.
func (c *Context) Log() *zap.Logger { return c.p.sys.log }

// Cast sends msg and expects no answer. The errors are those of System.Cast.
func (c *Context) Cast(to Ref, msg any) error { return c.p.sys.Cast(to, msg) }

// Answer sends msg as the answer to an earlier message: it is never refused for a full queue.
func (c *Context) Answer(to Ref, msg any) error { return c.p.sys.Answer(to, msg) }

// Call asks to and returns at once; the answer, or the error that there is none, comes as a Reply with this id.
func (c *Context) Call(to Ref, req any, timeout time.Duration) CallID {
	x := c.p.extra()
	x.nextID++
	id := CallID(x.nextID)
	pc := &pendingCall{sys: c.p.sys, asker: c.p, id: id}
	x.calls.put(id, pc)
	pc.timer.Store(uint64(c.p.sys.wheel.add(timeout, c.p, &expired{pc}))) // before the request: its answer cancels it
	if err := c.p.sys.send(to, callMsg{From{pc}, req}, false); err != nil {
		pc.settle(nil, err)
	}
	return id
}

// Reply answers a call whose HandleCall returned NoReply. A second answer, or one after the deadline, is dropped and counted.
func (c *Context) Reply(from From, v any, err error) { from.reply.complete(v, err) }

// Monitor asks for one Down when to ends, crashes, or at once with NoProc if it isn't there. An actor that starts on demand
// counts as there: watch it first, and then wake it.
func (c *Context) Monitor(to Ref) MonitorRef {
	x := c.p.extra()
	x.nextID++
	m := &monitor{ref: MonitorRef(x.nextID), watcher: c.p, target: to}
	x.monitors.put(m.ref, m)
	c.p.sys.watch(m)
	return m.ref
}

// Demonitor withdraws a monitor; no Down of it is seen afterwards.
func (c *Context) Demonitor(m MonitorRef) {
	if c.p.ext == nil {
		return
	}
	if mon, ok := c.p.ext.monitors.get(m); ok {
		c.p.ext.monitors.remove(m)
		c.p.sys.unwatch(mon)
	}
}

// SendAfter gives this actor msg after d, rounded up to the wheel's tick of 10 ms; d is 248 days at most. Timers due at the
// same tick come in the order in which they were set.
func (c *Context) SendAfter(d time.Duration, msg any) TimerRef {
	x := c.p.extra()
	x.nextID++
	ref := TimerRef(x.nextID)
	x.timers.put(ref, c.p.sys.wheel.add(d, c.p, timerMsg{ref, msg}))
	return ref
}

// CancelTimer withdraws a timer and reports whether it had not fired yet; its message is not seen afterwards.
func (c *Context) CancelTimer(t TimerRef) bool {
	if c.p.ext == nil {
		return false
	}
	id, ok := c.p.ext.timers.get(t)
	if ok {
		c.p.ext.timers.remove(t)
		c.p.sys.wheel.cancel(id)
	}
	return ok
}

// Stop ends the actor with reason once the running handler returns.
func (c *Context) Stop(reason Reason) { c.p.stopping = &reason }

type timerMsg struct {
	ref TimerRef
	msg any
}
