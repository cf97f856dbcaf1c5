package actors

import (
	"errors"
	"fmt"
	"time"
)

// Behaviour is what a kind of actor does. Its methods run one at a time, never concurrently. A returned error, or a panic,
// is a crash with that reason: the supervisor decides what follows.
type Behaviour interface {
	// Init runs first, and again with the same args after a restart, on a new value.
	Init(ctx *Context, args any) error
	// Handle takes one cast or info: a timer's message, a Down, a Reply.
	Handle(ctx *Context, msg any) error
}

// CallHandler is the ability to answer calls. A behaviour without it lets its callers hear ErrNoCall.
type CallHandler interface {
	// HandleCall answers a call. An error is the caller's answer, not a crash. NoReply says that Context.Reply will answer
	// later.
	HandleCall(ctx *Context, from From, req any) (reply any, err error)
}

// Terminator is the ability to clean up. Terminate runs on every exit, after a crash too, and may cast but not call.
type Terminator interface {
	Terminate(ctx *Context, reason Reason)
}

// BatchEnder is the ability to act once per turn: EndBatch runs after the last message before the queue is empty or the
// turn is over. What the handlers gathered is written, committed or sent there.
type BatchEnder interface {
	EndBatch(ctx *Context) error
}

// Hibernator is the ability to give back memory: Hibernate is called when nothing came for the kind's HibernateAfter. What it drops it
// makes again when it needs it: no call announces the next message.
type Hibernator interface {
	Hibernate(ctx *Context)
}

// Passivator is the ability to stay: asked when nothing came for the kind's IdleTimeout.
type Passivator interface {
	MayPassivate(ctx *Context) bool
}

type noReply struct{}

// NoReply is what HandleCall returns when the answer comes later, through Context.Reply.
var NoReply any = noReply{}

// CallID names an asynchronous call of this actor.
type CallID uint64

// Reply is the answer to Context.Call; it comes as the message *Reply, which belongs to whoever gets it.
type Reply struct {
	ID    CallID
	Value any
	Err   error
}

// MonitorRef names one monitor of this actor.
type MonitorRef uint64

// Down says that a monitored actor has ended, crashed (it may live again under the same Ref), or was not there.
type Down struct {
	Monitor MonitorRef
	Target  Ref
	Reason  Reason
}

// Errors of casts and calls.
var (
	// ErrOverloaded: the queue is full. Try again later, or refuse the work.
	ErrOverloaded = errors.New("actors: the queue is full")
	// ErrNoProc: no such actor, or it has ended.
	ErrNoProc = errors.New("actors: no such actor")
	// ErrExists: the Ref names a live actor already.
	ErrExists = errors.New("actors: that actor is there already")
	// ErrTimeout: no answer within the deadline. Whether the request was handled is unknown.
	ErrTimeout = errors.New("actors: no answer in time")
	// ErrCrashed: the actor crashed on the request, or before it came to it.
	ErrCrashed = errors.New("actors: the actor crashed")
	// ErrNoConnection: the node that the actor is on is gone, or out of reach. Whether the message was handled is unknown.
	ErrNoConnection = errors.New("actors: the actor's node can't be reached")
	// ErrNoCall: the behaviour answers no calls.
	ErrNoCall = errors.New("actors: this kind answers no calls")
)

// Code is the kind of an exit reason.
type Code uint8

// The exit reasons of OTP.
const (
	CodeNormal Code = iota
	CodeShutdown
	CodeKilled
	CodeCrashed
	CodeNoProc
	CodeNoConnection
)

// Reason says why an actor ended.
type Reason struct {
	Code Code
	// Err is a crash's error.
	Err error
}

// The reasons without an error of their own.
var (
	Normal       = Reason{Code: CodeNormal}
	Shutdown     = Reason{Code: CodeShutdown}
	Killed       = Reason{Code: CodeKilled}
	NoProc       = Reason{Code: CodeNoProc}
	NoConnection = Reason{Code: CodeNoConnection}
)

// Crashed is the reason of a crash.
func Crashed(err error) Reason { return Reason{Code: CodeCrashed, Err: err} }

// IsNormal reports whether the end was no crash: normal or shutdown.
func (r Reason) IsNormal() bool { return r.Code == CodeNormal || r.Code == CodeShutdown }

// String writes OTP's word for the reason, and the error of a crash.
func (r Reason) String() string {
	switch r.Code {
	case CodeNormal:
		return "normal"
	case CodeShutdown:
		return "shutdown"
	case CodeKilled:
		return "killed"
	case CodeNoProc:
		return "noproc"
	case CodeNoConnection:
		return "noconnection"
	}
	return fmt.Sprintf("crashed: %v", r.Err)
}

// Defaults of Spec.
const (
	DefaultQueueLen = 10_000
	DefaultBatchLen = 64
)

// Spec says how actors of one kind are made.
type Spec struct {
	// Kind is the first half of their Refs.
	Kind string
	// New makes the behaviour of one actor, and again at each restart. A system keeps the first Spec of a Kind: what differs
	// between actors of one kind is given as args.
	New func() Behaviour
	// QueueLen bounds the user messages that wait; 0 is DefaultQueueLen.
	QueueLen int
	// BatchLen is how many messages one turn takes at most; 0 is DefaultBatchLen.
	BatchLen int
	// IdleTimeout is after how long without a message an actor is passivated; 0 is never.
	IdleTimeout time.Duration
	// HibernateAfter is after how long without a message an actor gives back what it can do without; 0 is never. It should be
	// shorter than IdleTimeout.
	HibernateAfter time.Duration
	// Blocking says that handlers may wait for the outside world: they get a goroutine of their own while they have messages.
	Blocking bool
}

// Ended reports whether the actor is gone for good; a crashed one waits for its supervisor.
func (r Reason) Ended() bool { return r.Code != CodeCrashed }
