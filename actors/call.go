package actors

import (
	"context"
	"sync/atomic"
)

// pendingCall is one call under way. Whoever completes it first, the answer or the deadline, wins.
type pendingCall struct {
	sys   *System
	done  atomic.Bool
	timer atomic.Uint64

	asker *process // an actor, which gets a Reply
	id    CallID
	wait  chan result // or a goroutine outside
}

type result struct {
	v   any
	err error
}

type reply struct {
	call *pendingCall
	result
}

// expired is a call's deadline, as a message to the asker.
type expired struct{ call *pendingCall }

// complete gives an answer to whoever waits, and counts one that comes too late.
func (c *pendingCall) complete(v any, err error) {
	if !c.settle(v, err) {
		c.sys.stats.lateReplies.Add(1)
	}
}

// settle gives the outcome to whoever waits, and reports false if there has been one.
func (c *pendingCall) settle(v any, err error) bool {
	if c.done.Swap(true) {
		return false
	}
	if t := c.timer.Load(); t != 0 {
		c.sys.wheel.cancel(timerID(t))
	}
	if c.wait != nil {
		c.wait <- result{v, err}
	} else {
		c.asker.control(reply{c, result{v, err}})
	}
	return true
}

func (p *process) handleReply(r reply) {
	if p.ext == nil {
		return
	}
	if c, ok := p.ext.calls.get(r.call.id); !ok || c != r.call {
		return // an earlier life's call
	}
	p.ext.calls.remove(r.call.id)
	if err := p.beh.Handle(&p.ctx, &Reply{r.call.id, r.v, r.err}); err != nil {
		p.crash(err)
	}
}

func (p *process) callExpired(e *expired) { e.call.settle(nil, ErrTimeout) }

// Call asks an actor from outside of any actor and waits for the answer until ctx is over. Inside an actor use
// Context.Call: this one would block the worker.
func (s *System) Call(ctx context.Context, to Ref, req any) (any, error) {
	c := &pendingCall{sys: s, wait: make(chan result, 1)}
	if err := s.send(to, callMsg{From{c}, req}, false); err != nil {
		return nil, err
	}
	select {
	case r := <-c.wait:
		return r.v, r.err
	case <-ctx.Done():
		if c.done.Swap(true) {
			r := <-c.wait
			return r.v, r.err
		}
		return nil, ErrTimeout
	}
}
