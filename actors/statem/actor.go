package statem

import (
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
)

// machine is the behaviour of one actor that follows a Machine. It runs what the engine's turns ask for.
type machine[S comparable, D any] struct{ engine[S, D] }

// info marks a message of SendAfter.
type info struct{ msg any }

// pool keeps the Contexts that nobody uses, so that a machine at rest has none.
type pool[S comparable, D any] struct{ free sync.Pool }

// maxKept is the longest list that a Context keeps for its next use.
const maxKept = 64

func (p *pool[S, D]) get(ctx *actors.Context) *Context[S, D] {
	c, ok := p.free.Get().(*Context[S, D])
	if !ok {
		c = &Context[S, D]{}
	}
	c.Context = ctx
	return c
}

func (p *pool[S, D]) put(c *Context[S, D]) {
	t := &c.t
	if cap(t.requests) > maxKept || cap(t.inserted) > maxKept || cap(t.replies) > maxKept {
		return
	}
	t.reset() // it holds on to nobody's data
	c.Context, c.Data = nil, nil
	p.free.Put(c)
}

// Init implements actors.Behaviour. It is over when the first state has been entered and all events that Init or the enter
// call have brought about are handled.
func (m *machine[S, D]) Init(ctx *actors.Context, args any) error {
	if err := m.def.check(); err != nil {
		return err
	}
	c := m.def.pool.get(ctx)
	return m.run(ctx, c, m.start(c, args))
}

// Handle implements actors.Behaviour.
func (m *machine[S, D]) Handle(ctx *actors.Context, msg any) error {
	ev := Event{Type: Cast, Content: msg}
	switch x := msg.(type) {
	case *timeout:
		var runs bool
		if ev, runs = m.fired(x); !runs {
			return nil
		}
	case info:
		ev.Type, ev.Content = Info, x.msg
	case actors.Down, actors.Exit, *actors.Reply:
		ev.Type = Info
	}
	return m.take(ctx, ev)
}

// HandleCall implements actors.CallHandler. An error would be the caller's answer: here it is a crash.
func (m *machine[S, D]) HandleCall(ctx *actors.Context, from actors.From, req any) (any, error) {
	if err := m.take(ctx, Event{Call, req, from}); err != nil {
		ctx.Stop(actors.Crashed(err))
	}
	return actors.NoReply, nil
}

// take handles one event.
func (m *machine[S, D]) take(ctx *actors.Context, ev Event) error {
	c := m.def.pool.get(ctx)
	return m.run(ctx, c, m.event(c, ev))
}

// run does what the first function called has asked for, and goes on until the machine waits for a message.
func (m *machine[S, D]) run(ctx *actors.Context, c *Context[S, D], err error) error {
	for {
		if err != nil {
			return err
		}
		if err = m.transition(ctx, c); err != nil || c.t.stopped {
			return err
		}
		ev, more := m.follows()
		if !more {
			m.rest()
			m.def.pool.put(c)
			return nil
		}
		err = m.event(c, ev)
	}
}

// transition does what follows an event.
func (m *machine[S, D]) transition(ctx *actors.Context, c *Context[S, D]) error {
	for {
		m.reply(ctx, c)
		if c.t.stopped {
			ctx.Stop(c.t.reason)
			return nil
		}
		if !m.enterDue(c) {
			break
		}
		if err := m.enter(c); err != nil {
			return err
		}
	}
	if err := m.finish(c); err != nil {
		return err
	}
	m.reply(ctx, c)
	for _, ref := range c.t.cancels {
		ctx.CancelTimer(ref)
	}
	for _, s := range c.t.starts {
		d := s.d
		if !s.at.IsZero() {
			d = s.at.Sub(ctx.Now())
		}
		s.t.ref = ctx.SendAfter(d, s.t)
	}
	return nil
}

func (m *machine[S, D]) reply(ctx *actors.Context, c *Context[S, D]) {
	for _, a := range m.sent(c) {
		ctx.Reply(a.from, a.v, a.err)
	}
}

// Terminate implements actors.Terminator. Calls without an answer are the runtime's to answer.
func (m *machine[S, D]) Terminate(ctx *actors.Context, reason actors.Reason) {
	if m.up && m.def.Terminate != nil {
		m.def.Terminate(ctx, m.state, &m.data, reason)
	}
}

// Hibernate implements actors.Hibernator. What the machine keeps beside the data it has given back before.
func (m *machine[S, D]) Hibernate(ctx *actors.Context) {
	if m.def.Hibernate != nil {
		m.def.Hibernate(ctx, m.state, &m.data)
	}
}

// MayPassivate implements actors.Passivator.
func (m *machine[S, D]) MayPassivate(ctx *actors.Context) bool {
	return !m.waits() && (m.def.MayPassivate == nil || m.def.MayPassivate(ctx, m.state, &m.data))
}

// FormatStatus implements actors.StatusFormatter by a Status.
func (m *machine[S, D]) FormatStatus() any { return m.status() }

// ReplaceState implements actors.StateReplacer.
func (m *machine[S, D]) ReplaceState(ctx *actors.Context, doc []byte) error {
	if m.def.ReplaceState == nil {
		return errNoReplace
	}
	s, err := m.def.ReplaceState(ctx, m.state, &m.data, doc)
	if err != nil {
		return fmt.Errorf("statem: %w", err)
	}
	m.state = s
	return nil
}

// nameOf is a state's name, or its type if the name could be content.
func nameOf(s any) string {
	if n, ok := s.(fmt.Stringer); ok {
		return n.String()
	}
	switch reflect.ValueOf(s).Kind() {
	case reflect.Struct, reflect.Array, reflect.Pointer, reflect.Interface, reflect.Chan, reflect.Invalid, reflect.UnsafePointer:
		return fmt.Sprintf("%T", s)
	}
	return fmt.Sprint(s)
}

var _ interface {
	actors.Behaviour
	actors.CallHandler
	actors.Terminator
	actors.Hibernator
	actors.Passivator
	actors.StatusFormatter
	actors.StateReplacer
} = (*machine[int, time.Time])(nil)
