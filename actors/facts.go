package actors

import (
	"reflect"
	"time"
)

// maxKinds is how many waiting messages Facts looks at for their kinds.
const maxKinds = 1000

// Facts are what is known of a live actor without asking it: also of one whose handler hangs.
type Facts struct {
	Ref Ref
	// Phase is starting, running, suspended (by sys), crashed (its supervisor decides), or ended.
	Phase string
	// Queue and Control are the messages that wait, of users and of the runtime; Oldest is how long the oldest of the users' has
	// waited, in steps of 10 ms.
	Queue, Control int
	Oldest         time.Duration
	// Waiting counts the kinds of the first thousand of them.
	Waiting map[string]int
	// Running is the kind of the message in the handler now, empty if none is; For is for how long.
	Running string
	For     time.Duration
	// Last is the kind of the last message taken.
	Last string
	// Restarts, Timers, Monitors, Links, Calls and Traps (exit signals are trapped) are known on the actor's turn only
	// (Inspection.Facts).
	Restarts, Timers, Monitors, Links, Calls int
	Traps                                    bool
}

// Facts returns what is known of an actor. ErrNoProc: it isn't there.
func (s *System) Facts(ref Ref) (Facts, error) {
	p := s.registry.find(s.named(ref))
	if p == nil {
		return Facts{}, ErrNoProc
	}
	return p.facts(), nil
}

// Each calls f for every live actor, in no order, until it returns false. It walks over all: it is for dumps.
func (s *System) Each(f func(Ref) bool) {
	s.registry.each(func(p *process) bool { return f(p.ref()) })
}

func (p *process) facts() Facts {
	f := Facts{Ref: p.ref()}
	s := p.sys()
	p.q.mu.Lock()
	defer p.q.mu.Unlock()
	q := &p.q
	f.Phase = [...]string{starting: "starting", alive: "running", suspended: "crashed", ended: "ended"}[q.phase]
	if q.phase == alive && q.paused {
		f.Phase = "suspended"
	}
	f.Queue, f.Control = q.length(), q.ctl.len()
	if at, ok := q.oldest(); ok {
		f.Oldest = s.sinceTick(at)
		f.Waiting = map[string]int{}
		q.waiting(maxKinds, func(msg any) { f.Waiting[kindOfMessage(msg)]++ })
	}
	if p.last != nil {
		f.Last = p.last.String()
	}
	if q.busy {
		f.Running, f.For = f.Last, s.sinceTick(q.busyAt)
	}
	return f
}

// tells reports whether a control message says something of what an actor does.
func tells(msg any) bool {
	switch msg.(type) {
	case idleMsg, endedMsg, linkMsg, unlinkMsg, *inspectMsg, *callExpiry:
		return false
	}
	return true
}

// isRuntime reports whether a message is for the runtime and never reaches a behaviour.
func isRuntime(msg any) bool {
	switch msg.(type) {
	case initMsg, restartMsg, stopMsg, endBatch:
		return true
	}
	return !tells(msg)
}

// typeOfMessage is the type that tells a message's kind: of a call that of its request.
func typeOfMessage(msg any) reflect.Type {
	switch m := msg.(type) {
	case *callRequest:
		return typeOfMessage(m.req)
	case *callReply:
		return typeOfMessage(m.reply.Value)
	case timerMsg:
		return typeOfMessage(m.msg)
	}
	return reflect.TypeOf(msg)
}

// kindOfMessage is its name.
func kindOfMessage(msg any) string {
	if t := typeOfMessage(msg); t != nil {
		return t.String()
	}
	return "nil"
}
