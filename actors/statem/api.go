package statem

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
)

// Type says where an event comes from: OTP's event_type. Types are compared with ==.
type Type struct {
	kind kind
	name string
}

type kind uint8

const (
	kindNone kind = iota
	kindCast
	kindCall
	kindInfo
	kindInternal
	kindState
	kindEvent
	kindNamed
)

// The types of events, but for those that Timeout makes.
var (
	// Cast is a message that another actor, or somebody outside, has sent.
	Cast = Type{kind: kindCast}
	// Call is a request that waits for Reply.
	Call = Type{kind: kindCall}
	// Info is a message of the runtime: actors.Down, *actors.Reply, actors.Exit, or what SendAfter was given.
	Info = Type{kind: kindInfo}
	// Internal is an event that the machine has given itself by NextEvent; nobody else can.
	Internal = Type{kind: kindInternal}
	// StateTimeout is the one timeout that a change of the state cancels.
	StateTimeout = Type{kind: kindState}
	// EventTimeout is the one timeout that any event cancels: OTP's plain timeout.
	EventTimeout = Type{kind: kindEvent}
)

// Timeout is the type of the generic timeout of that name. There may be many; nothing cancels them but CancelTimeout.
func Timeout(name string) Type { return Type{kindNamed, name} }

// String writes OTP's word.
func (t Type) String() string {
	if t.kind == kindNamed {
		return "{timeout," + t.name + "}"
	}
	return [...]string{"none", "cast", "call", "info", "internal", "state_timeout", "timeout"}[t.kind]
}

func (t Type) isTimeout() bool { return t.kind >= kindState }

// Infinity as a timeout's time sets none, and cancels the one that runs.
const Infinity time.Duration = math.MaxInt64

// Event is what a handler is given.
type Event struct {
	Type Type
	// Content is the message, the request, or what the timeout was set with.
	Content any
	// From is who waits for the answer of a Call.
	From actors.From
}

// Errors that a machine crashes with.
var (
	// ErrPostponed: an event that is no call was to be postponed beyond Machine.PostponeLen.
	ErrPostponed = errors.New("statem: too many postponed events")
	// ErrInserted: more than 10,000 events of NextEvent wait, or an enter call has repeated itself 1,000 times.
	ErrInserted  = errors.New("statem: the machine feeds itself without end")
	errNoReplace = errors.New("statem: this kind of machine doesn't say how its state can be replaced")
)

// Machine is a state machine, as a value that all actors of a kind share. It must not be changed, nor copied, once it is in use.
// Its functions run on the actor's turn, one at a time. A returned error, or a panic, is a crash.
type Machine[S comparable, D any] struct {
	// Init sets Data, which is zero, and returns the first state. What it says to its Context follows as after an event, but
	// for Postpone, which is ignored. The start is over when the first enter call and the events that they have inserted are
	// done: if one of them fails, the start has failed. Needed.
	Init func(c *Context[S, D], args any) (S, error)
	// States are the states that have functions of their own.
	States map[S]State[S, D]
	// Handle handles events in states without a Handle.
	Handle func(c *Context[S, D], ev Event) error
	// Enter is the enter call of states without an Enter.
	Enter func(e *Entry[S, D], old S) error
	// Terminate cleans up, on every exit and after a crash too, unless Init has failed. It may still answer calls by ctx.Reply.
	Terminate func(ctx *actors.Context, s S, d *D, reason actors.Reason)
	// Hibernate gives back what the data can do without, when nothing came for the kind's HibernateAfter.
	Hibernate func(ctx *actors.Context, s S, d *D)
	// MayPassivate is asked when nothing came for the kind's IdleTimeout, unless a timeout runs or an event is postponed: then
	// the machine stays. Without it others are passivated, those that owe an answer as well.
	MayPassivate func(ctx *actors.Context, s S, d *D) bool
	// FormatStatus is what may be shown of state and data, besides the state's name: no keys, no content. Without it the
	// data's type is shown.
	FormatStatus func(s S, d *D) any
	// ReplaceState takes a JSON document that an operator gives, sets the data by it and returns the state to be in. That is no
	// change of the state: no enter call, no retry, all timeouts run on. Without it the state can't be replaced.
	ReplaceState func(ctx *actors.Context, s S, d *D, doc []byte) (S, error)
	// PostponeLen bounds the postponed events; 0 is DefaultPostponeLen. Beyond it a call is answered actors.ErrOverloaded, and any
	// other event, whose sender can't be told, is a crash with ErrPostponed.
	PostponeLen int

	pool pool[S, D]
}

// DefaultPostponeLen is how many events may be postponed if the Machine doesn't say.
const DefaultPostponeLen = 1000

// State are the functions of one state.
type State[S comparable, D any] struct {
	// Handle handles an event in this state.
	Handle func(c *Context[S, D], ev Event) error
	// Enter is called when the state has been entered, before its first event; old is the state before. For the first state of
	// all, and when the state is repeated, old is this state.
	Enter func(e *Entry[S, D], old S) error
}

// Entry is what an enter call may use: the actor's Context, the data, and what it may ask for. It belongs to the call and must
// not be kept.
type Entry[S comparable, D any] struct {
	*actors.Context
	// Data is the actor's own; a change of it is there at once.
	Data *D
	t    turn[S, D]
}

// Context is what Init and handlers may use: all that an Entry has, and what only an event's handler may ask for. It belongs to
// the call and must not be kept. What is asked for happens when the handler has returned nil; if it fails, nothing of it does.
type Context[S comparable, D any] struct {
	Entry[S, D]
}

// State returns the state the machine is in; Next changes it only afterwards.
func (e *Entry[S, D]) State() S { return e.t.eng.state }

// Reply answers a Call, now or from any later handler: with v or, if err is not nil, with that.
func (e *Entry[S, D]) Reply(from actors.From, v any, err error) {
	e.t.replies = append(e.t.replies, answer{from, v, err})
}

// SetTimeout makes an event of the type t come after d, instead of the one of that type that is running. With 0 or less it
// comes after the events that wait already, and before any that the machine has not received yet.
func (e *Entry[S, D]) SetTimeout(t Type, d time.Duration, content any) {
	how := after
	if d == Infinity {
		how = cancel
	}
	e.request(request{typ: t, how: how, d: d, content: content})
}

// SetTimeoutAt is SetTimeout with an absolute time. A time that has passed is no timeout of zero: what is received already
// may come first.
func (e *Entry[S, D]) SetTimeoutAt(t Type, at time.Time, content any) {
	e.request(request{typ: t, how: atTime, at: at, content: content})
}

// UpdateTimeout gives the running timeout of the type t another content, and leaves its time. If none runs, its event comes as
// from a timeout of zero.
func (e *Entry[S, D]) UpdateTimeout(t Type, content any) {
	e.request(request{typ: t, how: update, content: content})
}

// CancelTimeout withdraws the timeout of the type t, if one runs; its event isn't seen afterwards.
func (e *Entry[S, D]) CancelTimeout(t Type) { e.request(request{typ: t, how: cancel}) }

func (e *Entry[S, D]) request(r request) {
	if !r.typ.isTimeout() {
		e.t.fail(fmt.Errorf("statem: %v is no timeout", r.typ))
		return
	}
	e.t.requests = append(e.t.requests, r)
}

// Repeat makes the enter call of the state be made again, as if it had just been entered from itself. Nothing else of a change
// of the state happens.
func (e *Entry[S, D]) Repeat() { e.t.repeat = true }

// Stop ends the actor once replies are sent. Whatever else this transition asks for is dropped, and the state remains.
func (e *Entry[S, D]) Stop(reason actors.Reason) { e.t.stopped, e.t.reason = true, reason }

// SendAfter is actors.Context.SendAfter; msg comes as an Info. A machine's timeouts are mostly the better choice.
func (e *Entry[S, D]) SendAfter(d time.Duration, msg any) actors.TimerRef {
	return e.Context.SendAfter(d, info{msg})
}

// Next makes s the state to be in. If it is the current one, nothing changes.
func (c *Context[S, D]) Next(s S) { c.t.change, c.t.next = true, s }

// Postpone keeps the current event until the state changes.
func (c *Context[S, D]) Postpone() { c.t.postpone = true }

// NextEvent makes the machine handle another event before all that wait; several come in the order of the calls. Use
// Internal, unless the event should look like another's.
func (c *Context[S, D]) NextEvent(t Type, content any) {
	if t.kind == kindNone || t == Call {
		c.t.fail(fmt.Errorf("statem: NextEvent of type %v", t))
		return
	}
	c.t.inserted = append(c.t.inserted, Event{Type: t, Content: content})
}

// NextCall is NextEvent with a Call: from still waits for the answer.
func (c *Context[S, D]) NextCall(from actors.From, req any) {
	c.t.inserted = append(c.t.inserted, Event{Type: Call, Content: req, From: from})
}

// ChangeMachine makes this actor, until it ends or crashes, follow another machine with the same types, already for the enter
// call of this transition. It is no change of the state.
func (c *Context[S, D]) ChangeMachine(m *Machine[S, D]) {
	if err := m.check(); err != nil {
		c.t.fail(err)
	}
	c.t.machine = m
}

// Status is what is shown of a machine.
type Status struct {
	// State is the state's name; of a state that is a struct without a String method its type.
	State string
	// Data is what FormatStatus says, else the type of the data.
	Data any
	// Postponed and Timeouts are how many events are postponed and timeouts run.
	Postponed, Timeouts int
}
