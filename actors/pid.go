package actors

import (
	"github.com/asynkron/protoactor-go/actor"
)

// pidAddress is the address of our actors in protoactor's world; the id is Ref.String.
const pidAddress = "jackdaw"

// ActorSystem is protoactor's, which this System stands on: every actor here is a Process of it, though none takes a place in its
// registry, and protoactor's own actors may be started beside ours.
func (s *System) ActorSystem() *actor.ActorSystem { return s.root }

// PID is the address by which protoactor's actors, futures and remotes reach an actor of ours. A message with a sender is a call,
// whose answer, or error, goes to the sender; one without is a cast. A watch is a monitor.
func PID(ref Ref) *actor.PID { return actor.NewPID(pidAddress, ref.String()) }

// process resolves a PID, as protoactor's AddressResolver.
func (s *System) process(pid *actor.PID) (actor.Process, bool) {
	if pid.Address != pidAddress {
		return nil, false
	}
	ref, err := ParseRef(pid.Id)
	return foreign{s, ref}, err == nil
}

// foreign is an actor of ours as protoactor sees it.
type foreign struct {
	sys *System
	ref Ref
}

var _ actor.Process = foreign{}

// SendUserMessage implements actor.Process. Whatever is refused is a dead letter of protoactor, which knows no refusals.
func (f foreign) SendUserMessage(pid *actor.PID, msg any) {
	_, body, sender := actor.UnwrapEnvelope(msg)
	var err error
	if sender == nil {
		err = f.sys.Cast(f.ref, body)
	} else {
		c := &pendingCall{sys: f.sys, req: body, outside: pidCaller{sender}}
		if err = f.sys.send(f.ref, (*callRequest)(c), false, nil); err != nil {
			c.settle(nil, err, nil)
		}
	}
	if err != nil {
		f.sys.root.DeadLetter.SendUserMessage(pid, body) // without its sender, who would be answered again
	}
}

// pidCaller is an actor or a future of protoactor that waits for an answer.
type pidCaller struct{ pid *actor.PID }

func (c pidCaller) answered(s *System, v any, err error) {
	switch err {
	case nil:
	case ErrNoProc:
		v = &actor.DeadLetterResponse{} // what a future takes for it
	default:
		v = err
	}
	s.root.Root.Send(c.pid, v)
}

// SendSystemMessage implements actor.Process.
func (f foreign) SendSystemMessage(pid *actor.PID, msg any) {
	switch m := msg.(type) {
	case *actor.Watch:
		f.sys.watchLocal(&monitor{watcher: pidWatcher{f.sys.root, m.Watcher, pid}, target: f.ref})
	case *actor.Unwatch:
		f.sys.unwatchPID(f.ref, m.Watcher)
	case *actor.Stop:
		f.Stop(pid)
	}
}

// Stop implements actor.Process: an exit signal, upon which a supervisor acts as upon any other end.
func (f foreign) Stop(*actor.PID) { _ = f.sys.Exit(f.ref, Shutdown) }

// pidWatcher is an actor of protoactor that watches one of ours.
type pidWatcher struct {
	root     *actor.ActorSystem
	who, pid *actor.PID
}

func (w pidWatcher) down(d Down) {
	why := actor.TerminatedReason_Stopped
	if d.Reason.Code == CodeNoProc {
		why = actor.TerminatedReason_NotFound
	}
	if p, ok := w.root.ProcessRegistry.Get(w.who); ok {
		p.SendSystemMessage(w.who, &actor.Terminated{Who: w.pid, Why: why})
	}
}

// unwatchPID withdraws the monitors that an actor of protoactor has on one of ours.
func (s *System) unwatchPID(ref Ref, who *actor.PID) {
	sh := &s.watches.shards[shardOf(ref)]
	sh.Lock()
	var mine []*monitor
	for _, m := range sh.m[ref] {
		if w, ok := m.watcher.(pidWatcher); ok && w.who.Equal(who) {
			mine = append(mine, m)
		}
	}
	sh.Unlock()
	for _, m := range mine {
		s.unwatch(m)
	}
}
