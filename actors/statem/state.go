package statem

import (
	"fmt"
	"slices"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
)

const (
	// maxInserted is how many events may wait besides those that were postponed.
	maxInserted = 10_000
	// maxRepeats is how often an enter call may repeat itself at once.
	maxRepeats = 1000
)

// engine is one machine: values in, effects out. It calls the machine's functions, but it knows no clock and sends nothing: what
// is to be done stands in the turn, and its owner does it after each step.
//
// The steps of one event are event (or start), then as long as enterDue says so enter, then finish; follows gives the next event.
type engine[S comparable, D any] struct {
	def    *Machine[S, D]
	timers *timeout // that run, in the order in which they were set
	ext    *backlog // nil while nothing waits
	up     bool     // Init has returned
	state  S
	data   D
}

// backlog are the parts of a machine that most have none of.
type backlog struct {
	queue     []Event // inserted and to be retried; the next one is the last
	postponed []Event // the oldest one is the first
}

// timeout is one that runs.
type timeout struct {
	typ     Type
	zero    bool // it waits for nothing but other events
	ref     actors.TimerRef
	content any
	next    *timeout
}

// turn is what the functions called for one event have asked for, and what follows from it.
type turn[S comparable, D any] struct {
	eng      *engine[S, D]
	ev       Event
	given    bool // there is an event: not in Init
	moved    bool // the next state is the state
	changed  bool // and it is another one
	repeats  int
	old      S
	requests []request
	inserted []Event

	next     S
	change   bool
	repeat   bool
	postpone bool
	stopped  bool
	reason   actors.Reason
	machine  *Machine[S, D]
	err      error

	// Effects.
	replies []answer
	cancels []actors.TimerRef
	starts  []start
}

// request is what is asked of a timeout.
type request struct {
	typ     Type
	how     how
	d       time.Duration
	at      time.Time
	content any
}

type how uint8

const (
	after how = iota
	atTime
	update
	cancel
)

type answer struct {
	from actors.From
	v    any
	err  error
}

// start is a timer to be set: after d, or at a time if there is one.
type start struct {
	t  *timeout
	d  time.Duration
	at time.Time
}

func (t *turn[S, D]) fail(err error) {
	if t.err == nil {
		t.err = err
	}
}

// reset forgets all but the room for lists.
func (t *turn[S, D]) reset() {
	clear(t.requests)
	clear(t.inserted)
	clear(t.replies[:cap(t.replies)]) // those that were sent are beyond its length
	clear(t.starts)
	*t = turn[S, D]{requests: t.requests[:0], inserted: t.inserted[:0], replies: t.replies[:0], cancels: t.cancels[:0], starts: t.starts[:0]}
}

// begin makes c the turn of an event.
func (g *engine[S, D]) begin(c *Context[S, D], ev Event, given bool) {
	c.t.reset()
	c.t.eng, c.t.ev, c.t.given = g, ev, given
	c.Data = &g.data
}

// start calls Init.
func (g *engine[S, D]) start(c *Context[S, D], args any) error {
	g.begin(c, Event{}, false)
	s, err := g.def.Init(c, args)
	if err == nil {
		err = c.t.err
	}
	if err == nil && c.t.change {
		err = fmt.Errorf("statem: Init returns its state, it has no other to go to")
	}
	if err != nil {
		return err
	}
	g.state, g.up = s, !c.t.stopped
	c.t.repeat = true // the first state is entered
	return nil
}

// event gives an event to the handler of the state. Any event ends the wait for none.
func (g *engine[S, D]) event(c *Context[S, D], ev Event) error {
	g.begin(c, ev, true)
	g.drop(c, EventTimeout)
	h := g.def.Handle
	if s, ok := g.def.States[g.state]; ok && s.Handle != nil {
		h = s.Handle
	}
	if h == nil {
		return fmt.Errorf("statem: nothing handles events in state %v", nameOf(g.state))
	}
	if err := h(c, ev); err != nil {
		return err
	}
	return c.t.err
}

// sent returns the replies, which are sent now.
func (g *engine[S, D]) sent(c *Context[S, D]) []answer {
	replies := c.t.replies
	c.t.replies = c.t.replies[:0]
	return replies
}

// enterDue makes the next state the state, and reports whether its enter call is due.
func (g *engine[S, D]) enterDue(c *Context[S, D]) bool {
	t := &c.t
	due := t.repeat
	t.repeat = false
	if !t.moved {
		t.moved, t.old = true, g.state
		if t.machine != nil {
			g.def = t.machine
		}
		if t.change && t.next != g.state {
			g.state, t.changed, due = t.next, true, true
		}
	}
	return due && g.enterCall() != nil
}

func (g *engine[S, D]) enterCall() func(*Entry[S, D], S) error {
	if s, ok := g.def.States[g.state]; ok && s.Enter != nil {
		return s.Enter
	}
	return g.def.Enter
}

// enter makes the enter call.
func (g *engine[S, D]) enter(c *Context[S, D]) error {
	if c.t.repeats++; c.t.repeats > maxRepeats {
		return ErrInserted
	}
	if err := g.enterCall()(&c.Entry, c.t.old); err != nil {
		return err
	}
	return c.t.err
}

// finish ends the transition: events find their places, timeouts are set and cancelled.
func (g *engine[S, D]) finish(c *Context[S, D]) error {
	t := &c.t
	if t.postpone && t.given {
		if err := g.keep(t); err != nil {
			return err
		}
	}
	if t.changed {
		g.drop(c, StateTimeout)
		if g.ext != nil {
			g.ext.retry()
		}
	}
	if len(t.inserted) > 0 {
		if err := g.insert(t); err != nil {
			return err
		}
	}
	for i := range t.requests {
		r := &t.requests[i]
		if !slices.ContainsFunc(t.requests[i+1:], func(later request) bool { return later.typ == r.typ }) {
			g.apply(c, r)
		}
	}
	return nil
}

// keep postpones the event, or refuses to.
func (g *engine[S, D]) keep(t *turn[S, D]) error {
	x := g.backlog()
	if len(x.postponed) >= g.def.postponeLen() && !t.changed {
		if t.ev.Type != Call {
			return ErrPostponed
		}
		t.replies = append(t.replies, answer{t.ev.From, nil, actors.ErrOverloaded})
		return nil
	}
	x.postponed = append(x.postponed, t.ev)
	return nil
}

// insert puts the events of NextEvent before those that wait.
func (g *engine[S, D]) insert(t *turn[S, D]) error {
	x := g.backlog()
	if len(t.inserted)+len(x.queue) > maxInserted+g.def.postponeLen() {
		return ErrInserted
	}
	for _, ev := range slices.Backward(t.inserted) {
		x.queue = append(x.queue, ev)
	}
	return nil
}

// retry puts the postponed events before those that wait.
func (x *backlog) retry() {
	for _, ev := range slices.Backward(x.postponed) {
		x.queue = append(x.queue, ev)
	}
	x.postponed = nil
}

// apply does what was asked of a timeout.
func (g *engine[S, D]) apply(c *Context[S, D], r *request) {
	t := g.find(r.typ)
	if r.how == update && t != nil {
		t.content = r.content
		return
	}
	g.drop(c, r.typ)
	if r.how == cancel {
		return
	}
	t = &timeout{typ: r.typ, content: r.content}
	t.zero = r.how == update || r.how == after && r.d <= 0
	end := &g.timers
	for *end != nil {
		end = &(*end).next
	}
	*end = t
	if !t.zero {
		c.t.starts = append(c.t.starts, start{t, r.d, r.at})
	}
}

// find returns the running timeout of a type, or nil.
func (g *engine[S, D]) find(typ Type) *timeout {
	for t := g.timers; t != nil; t = t.next {
		if t.typ == typ {
			return t
		}
	}
	return nil
}

// drop cancels the timeout of a type, if one runs.
func (g *engine[S, D]) drop(c *Context[S, D], typ Type) {
	if t := g.find(typ); t != nil {
		g.unlink(t)
		if !t.zero {
			c.t.cancels = append(c.t.cancels, t.ref)
		}
	}
}

// unlink takes t from those that run, and reports whether it was one.
func (g *engine[S, D]) unlink(t *timeout) bool {
	for p := &g.timers; *p != nil; p = &(*p).next {
		if *p == t {
			*p, t.next = t.next, nil
			return true
		}
	}
	return false
}

// fired returns the event of a timer that is due.
func (g *engine[S, D]) fired(t *timeout) (Event, bool) {
	if !g.unlink(t) {
		return Event{}, false
	}
	return Event{Type: t.typ, Content: t.content}, true
}

// follows returns the event to be handled before anything else is received: one that waits, else the oldest timeout of zero.
func (g *engine[S, D]) follows() (Event, bool) {
	if x := g.ext; x != nil && len(x.queue) > 0 {
		i := len(x.queue) - 1
		ev := x.queue[i]
		x.queue[i] = Event{}
		x.queue = x.queue[:i]
		return ev, true
	}
	for t := g.timers; t != nil; t = t.next {
		if t.zero {
			return g.fired(t)
		}
	}
	return Event{}, false
}

// rest gives back what a machine that waits for messages needs no more.
func (g *engine[S, D]) rest() {
	if x := g.ext; x != nil {
		if x.queue = nil; len(x.postponed) == 0 {
			g.ext = nil
		}
	}
}

func (g *engine[S, D]) backlog() *backlog {
	if g.ext == nil {
		g.ext = &backlog{}
	}
	return g.ext
}

// waits reports whether the machine has something that a passivated one would lose.
func (g *engine[S, D]) waits() bool { return g.timers != nil || g.ext != nil }

// status tells what may be shown.
func (g *engine[S, D]) status() (s Status) {
	s.Data = fmt.Sprintf("%T", g.data)
	defer func() {
		if recover() != nil { // what the machine shows of itself must not end it
			s.Data = "FormatStatus has failed"
		}
	}()
	for t := g.timers; t != nil; t = t.next {
		s.Timeouts++
	}
	if g.ext != nil {
		s.Postponed = len(g.ext.postponed)
	}
	s.State = nameOf(g.state)
	if g.def.FormatStatus != nil {
		s.Data = g.def.FormatStatus(g.state, &g.data)
	}
	return s
}
