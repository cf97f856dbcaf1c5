package statem

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
)

// The machine of the tests: its states are words, and what it does in them comes with the events.
type (
	tcontext = Context[string, journal]
	tentry   = Entry[string, journal]
	tmachine = Machine[string, journal]
)

// journal is what a machine notes, in the order in which it happens.
type journal struct {
	*record
	count int
}

type record struct {
	mu      sync.Mutex
	lines   []string
	answers []string
}

func (r *record) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

func (r *record) answer(v any, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		v = strings.TrimPrefix(err.Error(), "actors: ")
	}
	r.answers = append(r.answers, fmt.Sprint(v))
}

// opt is one thing a handler asks for.
type opt func(c *tcontext) error

// do is an event that says what is to be done by whoever handles it.
type do struct {
	name string
	opts []opt
}

// ask is a do that is called; whoever calls it notes the answer.
type ask do

func ev(name string, opts ...opt) do    { return do{name, opts} }
func call(name string, opts ...opt) ask { return ask{name, opts} }

// did is an opt that can't fail.
func did(f func(c *tcontext)) opt { return func(c *tcontext) error { f(c); return nil } }

func next(s string) opt             { return did(func(c *tcontext) { c.Next(s) }) }
func stop(reason actors.Reason) opt { return did(func(c *tcontext) { c.Stop(reason) }) }
func insert(evs ...do) opt {
	return did(func(c *tcontext) {
		for _, e := range evs {
			c.NextEvent(Internal, e)
		}
	})
}
func in(s string, opts ...opt) opt { // in state s only
	return func(c *tcontext) error {
		if c.State() != s {
			return nil
		}
		return run(c, opts)
	}
}
func set(t Type, d time.Duration, content any) opt {
	return did(func(c *tcontext) { c.SetTimeout(t, d, content) })
}
func renew(t Type, content any) opt { return did(func(c *tcontext) { c.UpdateTimeout(t, content) }) }
func off(t Type) opt                { return did(func(c *tcontext) { c.CancelTimeout(t) }) }
func reply(v any) opt               { return did(func(c *tcontext) { c.Reply(c.t.ev.From, v, nil) }) }
func fail(err error) opt            { return func(*tcontext) error { return err } }

var (
	errOnPurpose = errors.New("on purpose")
	crash        = fail(errOnPurpose)
	postpone     = did(func(c *tcontext) { c.Postpone() })
	repeat       = did(func(c *tcontext) { c.Repeat() })
	count        = did(func(c *tcontext) { c.Data.count++; c.Data.note("count %d", c.Data.count) })
)

// keepFrom and replyKept are a call that is answered later.
var kept actors.From

func keepFrom(c *tcontext) error { kept = c.t.ev.From; return nil }
func replyKept(v any) opt        { return did(func(c *tcontext) { c.Reply(kept, v, nil) }) }

func run(c *tcontext, opts []opt) error {
	for _, o := range opts {
		if err := o(c); err != nil {
			return err
		}
	}
	return nil
}

func name(content any) string {
	switch x := content.(type) {
	case do:
		return x.name
	case ask:
		return x.name
	}
	return fmt.Sprint(content)
}

func handle(c *tcontext, e Event) error {
	c.Data.note("%s %v %s", c.State(), e.Type, name(e.Content))
	switch x := e.Content.(type) {
	case do:
		return run(c, x.opts)
	case ask:
		return run(c, x.opts)
	}
	return nil
}

// entered notes enter calls, and then does what it is given.
func entered(f func(e *tentry, old string) error) func(e *tentry, old string) error {
	return func(e *tentry, old string) error {
		e.Data.note("enter %s from %s", e.State(), old)
		if f == nil {
			return nil
		}
		return f(e, old)
	}
}

// begin is what Init is told: what to ask for, and where to note.
type begin struct {
	*record
	opts []opt
}

func newMachine() *tmachine {
	return &tmachine{
		Init: func(c *tcontext, args any) (string, error) {
			b := args.(begin)
			c.Data.record = b.record
			return "a", run(c, b.opts)
		},
		Handle: handle,
		Terminate: func(_ *actors.Context, s string, d *journal, r actors.Reason) {
			d.note("terminate %s %v", s, r)
		},
	}
}

// driver is a machine under test: the engine alone, or an actor.
type driver interface {
	start(m *tmachine, b begin)
	step(s any)
}

// bench drives an engine without actors, with a clock that it has at its hand.
type bench struct {
	engine[string, journal]
	r    *record
	now  time.Duration
	refs actors.TimerRef
	due  []alarm
	owed int // calls without an answer
	over bool
}

type alarm struct {
	t  *timeout
	at time.Duration
}

func (b *bench) start(m *tmachine, init begin) {
	b.r, b.def = init.record, m
	c := &tcontext{}
	b.settle(c, b.engine.start(c, init))
}

func (b *bench) step(s any) {
	switch x := s.(type) {
	case do:
		b.event(Event{Type: Cast, Content: x})
	case ask:
		b.owed++
		b.event(Event{Type: Call, Content: x})
	case time.Duration:
		end := b.now + x
		for {
			i := -1
			for k, a := range b.due {
				if a.at <= end && (i < 0 || a.at < b.due[i].at) {
					i = k
				}
			}
			if i < 0 {
				break
			}
			a := b.due[i]
			b.now = max(b.now, a.at)
			b.due = slices.Delete(b.due, i, i+1)
			if e, ok := b.fired(a.t); ok {
				b.event(e)
			} else {
				b.r.note("a timeout fired that was cancelled")
			}
		}
		b.now = end
	}
}

func (b *bench) event(e Event) {
	if b.over {
		return
	}
	c := &tcontext{}
	b.settle(c, b.engine.event(c, e))
}

// settle is the loop of machine.run, with effects that are noted.
func (b *bench) settle(c *tcontext, err error) {
	for {
		if err == nil {
			err = b.transition(c)
		}
		switch {
		case err != nil:
			b.end(actors.Crashed(err))
			return
		case c.t.stopped:
			b.end(c.t.reason)
			return
		}
		e, more := b.follows()
		if !more {
			b.rest()
			return
		}
		err = b.engine.event(c, e)
	}
}

func (b *bench) transition(c *tcontext) error {
	for {
		b.answer(c)
		if c.t.stopped {
			return nil
		}
		if !b.enterDue(c) {
			break
		}
		if err := b.enter(c); err != nil {
			return err
		}
	}
	if err := b.finish(c); err != nil {
		return err
	}
	b.answer(c)
	for _, ref := range c.t.cancels {
		b.due = slices.DeleteFunc(b.due, func(a alarm) bool { return a.t.ref == ref })
	}
	for _, s := range c.t.starts {
		b.refs++
		s.t.ref = b.refs
		at := b.now + s.d
		if !s.at.IsZero() {
			at = max(b.now, time.Duration(s.at.UnixNano()))
		}
		b.due = append(b.due, alarm{s.t, at})
	}
	return nil
}

func (b *bench) answer(c *tcontext) {
	for _, a := range b.sent(c) {
		b.owed--
		b.r.answer(a.v, a.err)
	}
}

func (b *bench) end(r actors.Reason) {
	b.over = true
	if b.up && b.def.Terminate != nil {
		b.def.Terminate(nil, b.state, &b.data, r)
	}
	for ; b.owed > 0; b.owed-- { // as the runtime does
		if r.Ended() {
			b.r.answer(nil, actors.ErrNoProc)
		} else {
			b.r.answer(nil, actors.ErrCrashed)
		}
	}
}

// stage drives a machine as an actor, in a bubble of fake time.
type stage struct {
	t     testing.TB
	sys   *actors.System
	spec  func(*actors.Spec)
	child *actors.Child
	r     *record
	calls sync.WaitGroup

	mu    sync.Mutex
	ends  []actors.Reason
	lives bool // a crash is followed by another life
}

// patience is how long a call waits before the test is taken to have failed.
const patience = 10 * time.Hour

// Exited implements actors.Owner.
func (s *stage) Exited(c *actors.Child, reason actors.Reason) {
	s.mu.Lock()
	s.ends = append(s.ends, reason)
	s.mu.Unlock()
	switch {
	case reason.Ended():
	case s.lives:
		c.Restart()
	default:
		c.End(reason)
	}
}

func (s *stage) start(m *tmachine, b begin) {
	s.r = b.record
	spec := Spec("machine", m)
	if s.spec != nil {
		s.spec(&spec)
	}
	var err error
	if s.child, err = s.sys.Spawn(spec, actors.Ref{Kind: "machine", ID: "m"}, b, s); err != nil {
		s.t.Fatal(err)
	}
	synctest.Wait()
}

func (s *stage) ref() actors.Ref { return s.child.Ref() }

func (s *stage) step(x any) {
	switch x := x.(type) {
	case do:
		_ = s.sys.Cast(s.ref(), x) // some have ended
	case ask:
		s.calls.Go(func() {
			ctx, done := context.WithTimeout(s.t.Context(), patience)
			defer done()
			s.r.answer(s.sys.Call(ctx, s.ref(), x))
		})
	case time.Duration:
		advance(x + 20*time.Millisecond) // timers come up to a tick later
	}
	synctest.Wait()
}

// advance lets d pass in the bubble and everything settle.
func advance(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// staged runs a test with a system in fake time.
func staged(t *testing.T, f func(s *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &stage{t: t, sys: actors.NewSystem(actors.Config{Workers: 2})}
		if err := s.sys.Start(); err != nil {
			t.Fatal(err)
		}
		f(s)
		if s.child != nil {
			s.child.End(actors.Killed)
		}
		if err := s.sys.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// wants compares what was noted since the last time.
func (r *record) wants(t testing.TB, lines, answers string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if got := strings.Join(r.lines, "; "); got != lines {
		t.Errorf("it did\n\t%s\nwant\n\t%s", got, lines)
	}
	slices.Sort(r.answers) // who is answered first wakes whenever it is
	if got := strings.Join(r.answers, "; "); got != answers {
		t.Errorf("answered %q, want %q", got, answers)
	}
	r.lines, r.answers = nil, nil
}
