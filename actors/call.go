package actors

import (
	"context"
	"slices"
	"sync/atomic"
	"time"
)

// pendingCall is one call under way: the request in the callee's queue, the deadline in the wheel and the answer in the asker's
// queue are this one piece of memory. Whoever completes it first, the answer or the deadline, wins.
type pendingCall struct {
	sys   *System
	done  atomic.Bool
	timer atomic.Uint64
	to    Ref // for the hook only
	req   any

	asker   *process // an actor, which gets reply
	reply   Reply
	outside caller // or who is none
}

// caller is who calls and is no actor of this node.
type caller interface {
	answered(s *System, v any, err error)
}

// answerChan is a goroutine that waits.
type answerChan chan result

func (c answerChan) answered(_ *System, v any, err error) { c <- result{v, err} }

// The three messages that a call is.
type (
	callRequest pendingCall // to the callee
	callReply   pendingCall // to the asker
	callExpiry  pendingCall // to the asker, by the wheel
)

type result struct {
	v   any
	err error
}

// From names who waits for the answer of a call. It is used once.
type From struct{ reply *pendingCall }

// complete gives an answer to whoever waits, and counts one that comes too late.
func (c *pendingCall) complete(v any, err error, w *worker) {
	if !c.settle(v, err, w) {
		c.sys.stats.lateReplies.Add(1)
	}
}

// settle gives the outcome to whoever waits, and reports false if there has been one.
func (c *pendingCall) settle(v any, err error, w *worker) bool {
	if c.done.Swap(true) {
		return false
	}
	if t := c.timer.Load(); t != 0 {
		c.sys.wheel.cancel(timerID(t))
	}
	if c.outside != nil {
		c.outside.answered(c.sys, v, err)
		return true
	}
	if hook := c.sys.cfg.OnCall; hook != nil {
		hook(c.asker.ref(), c.to, false)
	}
	c.reply.Value, c.reply.Err = v, err
	c.asker.control((*callReply)(c), w)
	return true
}

func (c *pendingCall) settled() bool { return c.done.Load() }

// abandon ends a call whose asker has no use for the answer, and withdraws its deadline. Whoever keeps the call can forget it.
func (c *pendingCall) abandon() {
	c.sys.wheel.cancel(timerID(c.timer.Load()))
	if c.done.Swap(true) {
		return
	}
	if hook := c.sys.cfg.OnCall; hook != nil {
		hook(c.asker.ref(), c.to, false)
	}
}

// Call asks to and returns at once; the answer, or the error that there is none, comes as a *Reply with this id. It takes one
// allocation.
func (c *Context) Call(to Ref, req any, timeout time.Duration) CallID {
	p := c.process()
	s, x := p.sys(), p.extra()
	x.nextID++
	pc := &pendingCall{sys: s, asker: p, req: req, reply: Reply{ID: CallID(x.nextID)}}
	x.calls.put(pc.reply.ID, pc)
	if hook := s.cfg.OnCall; hook != nil {
		pc.to = to
		hook(p.ref(), to, true)
	}
	pc.timer.Store(uint64(s.wheel.add(timeout, p, (*callExpiry)(pc)))) // before the request: its answer cancels it
	if err := c.send(to, (*callRequest)(pc), false); err != nil {
		pc.settle(nil, err, p.worker())
	}
	return pc.reply.ID
}

// Reply answers a call whose HandleCall returned NoReply. A second answer, or one after the deadline, is dropped and counted.
func (c *Context) Reply(from From, v any, err error) {
	from.reply.complete(v, err, c.process().worker())
}

func (p *process) handleCall(c *callRequest) {
	pc := (*pendingCall)(c)
	h, ok := p.beh.(CallHandler)
	if !ok {
		pc.complete(nil, ErrNoCall, p.worker())
		return
	}
	v, err := h.HandleCall(p.context(), From{pc}, pc.req)
	if err != nil {
		v = nil
	}
	if v != NoReply {
		pc.complete(v, err, p.worker())
	} else if !pc.done.Load() {
		p.owe(pc)
	}
}

// owe notes a call that is answered later: should this life end before, its caller hears so at once.
func (p *process) owe(pc *pendingCall) {
	x := p.extra()
	if len(x.owed) == cap(x.owed) {
		x.owed = slices.DeleteFunc(x.owed, (*pendingCall).settled)
	}
	x.owed = append(x.owed, pc)
}

// renege tells those who wait for an answer of this life that none comes.
func (p *process) renege(err error) {
	if p.ext == nil {
		return
	}
	for _, pc := range p.ext.owed {
		pc.settle(nil, err, p.worker())
	}
	p.ext.owed = nil
}

func (p *process) handleReply(c *pendingCall) error {
	x := p.ext
	if known, ok := x.calls.get(c.reply.ID); !ok || known != c {
		return nil // an earlier life's call
	}
	x.calls.remove(c.reply.ID)
	return p.beh.Handle(p.context(), &c.reply)
}

// waiter is what a goroutine outside waits with. One that is put back is empty, and nobody writes to it any more.
type waiter struct {
	answer answerChan
	timer  *time.Timer // nil until it is used
}

func (s *System) waiter() *waiter {
	if w, ok := s.waiters.Get().(*waiter); ok {
		return w
	}
	return &waiter{answer: make(answerChan, 1)}
}

// Call asks an actor from outside of any actor and waits for the answer until ctx is over. Inside an actor use
// Context.Call: this one would block the worker.
func (s *System) Call(ctx context.Context, to Ref, req any) (any, error) {
	return ask(s, s.waiter(), to, req, ctx.Done())
}

// CallTimeout is Call with a time instead of a context: it takes one allocation, where a context with a deadline takes several.
func (s *System) CallTimeout(to Ref, req any, timeout time.Duration) (any, error) {
	w := s.waiter()
	if w.timer == nil {
		w.timer = time.NewTimer(timeout)
	} else {
		w.timer.Reset(timeout)
	}
	return ask(s, w, to, req, w.timer.C)
}

// ask makes a call and waits until it has an outcome or over says that it is too late.
func ask[T any](s *System, w *waiter, to Ref, req any, over <-chan T) (any, error) {
	c := &pendingCall{sys: s, req: req, outside: w.answer}
	if err := s.send(to, (*callRequest)(c), false, nil); err != nil {
		c.done.Store(true)
		return nil, err // the waiter isn't put back: a dead letter may have answered
	}
	r := result{err: ErrTimeout}
	select {
	case r = <-w.answer:
	case <-over:
		if c.done.Swap(true) {
			r = <-w.answer
		}
	}
	if w.timer != nil {
		w.timer.Stop() // after which its channel is empty
	}
	s.waiters.Put(w)
	return r.v, r.err
}
