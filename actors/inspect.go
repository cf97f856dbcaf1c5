package actors

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// Abilities that a behaviour may have for those who look at a live system.
type (
	// StatusFormatter is the ability to say what may be shown of its state: values without keys or bodies. It is called on the
	// actor's own turn. Of other behaviours only types and sizes are shown.
	StatusFormatter interface{ FormatStatus() any }
	// StateReplacer is the ability to take over a state that an operator gives as a JSON document. After an error the state is
	// as it was.
	StateReplacer interface {
		ReplaceState(ctx *Context, doc []byte) error
	}
	// Resumer is the ability of a message sent by Answer to end a suspension: a supervisor that is told to stop must not wait for an
	// operator. What came by Answer before it is handled before it.
	Resumer interface{ Resumes() }
)

// Inspection is one live actor, seen on its own turn between two messages. It is valid while the function that was given it runs.
type Inspection struct {
	p *process
	m *inspectMsg
}

// Sent is one message that a traced handler has sent, without what is in it.
type Sent struct {
	To   Ref
	Kind string
}

// TraceEvent is one message that a traced actor has handled.
type TraceEvent struct {
	Time time.Time
	// Kind is the type of the message; How is cast, call, reply, down, exit or timer.
	Kind, How string
	Took      time.Duration
	// Queue is how many messages still waited.
	Queue int
	// Err is the crash that it led to, if it did.
	Err  error
	Sent []Sent
}

type inspectMsg struct {
	f      func(*Inspection)
	taken  atomic.Bool // by the actor's turn, or by whoever doesn't wait any more
	done   chan error
	resume bool
}

// Inspect runs f on the actor's own turn, whatever its state: also while it is suspended, or waits for its supervisor after a crash.
// An actor that starts on demand isn't woken. ErrNoProc: it isn't there. ErrTimeout: ctx was over before its turn came, because a
// handler runs for long; f doesn't run then. f must not block; a panic in it is the error.
func (s *System) Inspect(ctx context.Context, ref Ref, f func(*Inspection)) error {
	p := s.registry.find(s.named(ref))
	m := &inspectMsg{f: f, done: make(chan error, 1)}
	if p == nil || !p.control(m, nil) {
		return ErrNoProc
	}
	select {
	case err := <-m.done:
		return err
	case <-ctx.Done():
		if m.taken.Swap(true) {
			return <-m.done
		}
		return ErrTimeout
	}
}

func (m *inspectMsg) run(p *process) {
	if m.taken.Swap(true) {
		return
	}
	m.done <- m.call(p)
	if m.resume {
		p.replay()
	}
}

// fail answers when the actor has ended.
func (m *inspectMsg) fail() {
	if !m.taken.Swap(true) {
		m.done <- ErrNoProc
	}
}

func (m *inspectMsg) call(p *process) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("actors: inspecting %v: %w", p.ref(), panicError(v))
		}
	}()
	m.f(&Inspection{p, m})
	return nil
}

// Context is the actor's own.
func (i *Inspection) Context() *Context { return i.p.context() }

// Behaviour is the value that is the actor's state; nil between two lives.
func (i *Inspection) Behaviour() Behaviour {
	if !i.p.up {
		return nil
	}
	return i.p.beh
}

// Replace puts another value in its place, from the next message on. It reports false between two lives.
func (i *Inspection) Replace(b Behaviour) bool {
	_, ends := b.(BatchEnder)
	if !i.p.up || i.p.kind.batches && !ends {
		return false
	}
	i.p.beh = b
	return true
}

// Suspend makes messages, calls, timers and whatever else the behaviour handles wait, within the bounds of the queue, until
// Resume or a restart. What sys and supervisors ask goes on.
func (i *Inspection) Suspend() { i.pause(true) }

// Resume ends Suspend.
func (i *Inspection) Resume() {
	i.m.resume = i.pause(false) || i.m.resume
}

func (i *Inspection) pause(on bool) (was bool) { return i.p.pause(on) }

// pause suspends an actor or ends that, and reports whether it was suspended.
func (p *process) pause(on bool) (was bool) {
	p.q.mu.Lock()
	defer p.q.mu.Unlock()
	if was = p.q.paused; was != on && p.q.phase != ended {
		p.q.paused = on
		p.sys().suspended.put(p.ref(), on)
	}
	return was
}

// Trace gives f an event for each of the next n messages, restarts of the actor included; 0 ends it. f runs on the actor's turn and
// must not block.
func (i *Inspection) Trace(n int, f func(TraceEvent)) {
	if n > 0 {
		i.p.extra().trace = &tracer{left: n, f: f}
	} else if i.p.ext != nil {
		i.p.ext.trace = nil
	}
}

// Facts is what is known of the actor.
func (i *Inspection) Facts() Facts {
	f := i.p.facts()
	f.Running, f.For = "", 0 // it is this inspection
	if x := i.p.ext; x != nil {
		f.Timers, f.Monitors, f.Links, f.Calls, f.Restarts = x.timers.len(), x.monitors.len(), x.links.len(), x.calls.len(), x.restarts
		f.Traps = x.traps
	}
	return f
}

// tracer follows an actor's next messages.
type tracer struct {
	left  int
	f     func(TraceEvent)
	event *TraceEvent // of the message that is handled now
}

func (t *tracer) sent(to Ref, msg any) {
	if t.event != nil {
		t.event.Sent = append(t.event.Sent, Sent{to, kindOfMessage(msg)})
	}
}

func (t *tracer) crashed(err error) {
	if t.event != nil {
		t.event.Err = err
	}
}

// traced handles a message and tells of it, if it is one for the behaviour.
func (p *process) traced(msg any) {
	how := "cast"
	kind := kindOfMessage(msg)
	switch msg.(type) {
	case *callRequest:
		how = "call"
	case *callReply:
		how = "reply"
	case timerMsg:
		how = "timer"
	case Down:
		how = "down"
	case exitSignal:
		how = "exit"
	default:
		if isRuntime(msg) {
			p.dispatch(msg)
			return
		}
	}
	t := p.ext.trace
	begin := now()
	e := TraceEvent{Time: time.Now(), Kind: kind, How: how}
	t.event = &e
	defer func() {
		if v := recover(); v != nil {
			p.crash(panicError(v))
		}
		e.Took = now() - begin
		e.Queue = p.queued()
		t.event = nil
		if t.left--; t.left == 0 && p.ext.trace == t {
			p.ext.trace = nil
		}
		t.f(e)
	}()
	p.dispatch(msg)
}
