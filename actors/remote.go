package actors

import (
	"time"

	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// Router knows where placed actors are, and takes what is for other nodes. Its methods are called from any turn and must not block.
type Router interface {
	// Local reports whether to's actor belongs to this node now. It is asked about whatever isn't pinned to this node, for every
	// message: it has to be quick.
	Local(to Ref) bool
	// Send takes a signal for an actor that isn't Local. An error says that it was not taken. Should the signal not get there after all,
	// a call is answered, a monitor hears its Down, and who has cast gets Undelivered.
	Send(to Ref, sig Signal) error
}

// How says what a Signal is.
type How uint8

// The signals that pass between nodes. Links don't: they are within one.
const (
	HowCast How = iota + 1
	HowAnswer
	HowCall
	HowMonitor
	HowDemonitor
	HowExit
)

// Signal is what one actor sends to another that a Router takes.
type Signal struct {
	How How
	// From is who sends it; zero: no actor.
	From Ref
	// Msg is that of a cast, an answer or a call.
	Msg any
	// Call is who waits for a call's answer.
	Call *Asked
	// Watch is a monitor that begins, or is withdrawn: the same pointer both times.
	Watch *Watch
	// Reason is that of an exit signal.
	Reason Reason
	// Left says that it waited in the queue of an actor that leaves this node, and goes on from there.
	Left bool
	// Opening says that it was held until its actor may run on this node, which is so from now on, whatever the Router says yet.
	Opening bool
}

// Asked is a call that waits for its answer from another node.
type Asked pendingCall

// Answer gives the outcome to whoever waits. Only the first counts.
func (a *Asked) Answer(v any, err error) { (*pendingCall)(a).complete(v, err, nil) }

// Waiting reports whether nothing has answered yet, and the deadline hasn't passed.
func (a *Asked) Waiting() bool { return !(*pendingCall)(a).done.Load() }

// Watch is a monitor of an actor on another node.
type Watch monitor

// Down tells whoever watches. Only the first counts.
func (w *Watch) Down(reason Reason) {
	if w.away.CompareAndSwap(true, false) {
		w.watcher.down(Down{w.ref, w.target, reason})
	}
}

// Target is who is watched.
func (w *Watch) Target() Ref { return w.target }

// Undelivered says that a cast or an answer of this actor's own, which another node was to get, was not taken there, or may not have been.
type Undelivered struct {
	To  Ref
	Msg any
	// Err is ErrOverloaded or ErrNoProc: it was certainly not taken. ErrNoConnection: that isn't known.
	Err error
}

// UndeliveredHandler is the ability to hear of casts that another node has not taken. Those of other behaviours become dead letters.
type UndeliveredHandler interface {
	Undelivered(ctx *Context, u Undelivered) error
}

// Retirer is the ability to make an end in order where an actor has to leave its node. Retire is called on the actor's turn, again every
// 20 ms, until it reports that nothing is under way any more. Meanwhile no user message is handled, but answers are: what waits
// in the queue is given to the node that has the actor next; if it isn't taken there, its sender gets Undelivered if the message says who that is.
type Retirer interface {
	Retire(ctx *Context) (done bool)
}

// retireEvery is the pause between two questions to a Retirer.
const retireEvery = 20 * time.Millisecond

// retireMsg asks an actor to retire before by, by the clock of now.
type retireMsg struct{ by time.Duration }

// Retire lets an actor of this node end in order, within a time: see Retirer. Any other behaviour ends before its next message. The reason
// is Shutdown. It reports whether the actor is there; it returns at once. Asked again it only does that.
func (s *System) Retire(ref Ref, within time.Duration) bool {
	p := s.registry.find(ref)
	if p == nil {
		return false
	}
	p.q.mu.Lock()
	if p.q.phase == ended { // retiring is read without the lock then
		p.q.mu.Unlock()
		return false
	}
	asked := p.retiring
	p.retiring = true
	p.q.mu.Unlock()
	return asked || p.control(retireMsg{now() + within}, nil)
}

// Enqueue puts a cast into the queue of an actor that is on this node, whatever the Router says, and starts none. ErrNoProc: it isn't there.
func (s *System) Enqueue(to Ref, msg any) error {
	if msg == nil {
		return errNoMessage
	}
	p := s.registry.find(to)
	if p == nil {
		return ErrNoProc
	}
	return p.cast(msg, nil)
}

func (p *process) retire(m retireMsg) {
	if r, ok := p.beh.(Retirer); ok && p.up && !p.q.paused && now() < m.by {
		again := p.sys().wheel.add(retireEvery, p, m) // first: also after a crash
		if !r.Retire(p.context()) {
			return
		}
		p.sys().wheel.cancel(again)
	}
	p.exit(Shutdown)
}

// Alive reports whether an actor of that name is on this node now.
func (s *System) Alive(ref Ref) bool { return s.registry.find(ref) != nil }

// Receive gives a cast, an answer or an exit signal of another node to an actor of this one. Its errors are those of Cast; ErrNoProc may also
// mean that the Router has the actor elsewhere since, unless the signal is Opening. What isn't taken is no dead letter here: its sender has
// to be told.
func (s *System) Receive(to Ref, sig Signal) error {
	switch {
	case sig.How == HowExit:
		return s.exitLocal(to, sig.From, sig.Reason)
	case sig.Msg == nil:
		return errNoMessage
	}
	return s.hand(to, sig.Msg, sig.How == HowAnswer, nil, sig.Opening)
}

// Ask calls an actor of this node for one on another: answer gets the outcome, once, from any goroutine, and must not block.
func (s *System) Ask(to Ref, req any, answer func(v any, err error)) {
	c := &pendingCall{sys: s, req: req, outside: backCall(answer)}
	if err := s.hand(to, (*callRequest)(c), false, nil, true); err != nil {
		c.settle(nil, err, nil)
	}
}

// backCall is a caller on another node.
type backCall func(v any, err error)

func (f backCall) answered(_ *System, v any, err error) { f(v, err) }

// WatchFor monitors an actor of this node for one on another. down is called once, from any goroutine, and must not block. The function
// returned withdraws the monitor.
func (s *System) WatchFor(to Ref, down func(Reason)) (unwatch func()) {
	m := &monitor{watcher: backWatcher(down), target: to}
	s.watchLocal(m)
	return func() { s.unwatch(m) }
}

type backWatcher func(Reason)

func (f backWatcher) down(d Down) { f(d.Reason) }

// Disconnect ends all monitors of actors of this node whose name matches: who watches hears NoConnection. The actors may be there or not.
func (s *System) Disconnect(match func(Ref) bool) {
	for i := range s.watches.shards {
		var all []*monitor
		sh := &s.watches.shards[i]
		sh.Lock()
		for ref, list := range sh.m {
			if match(ref) {
				all = append(all, list...)
				delete(sh.m, ref)
			}
		}
		sh.Unlock()
		tell(all, NoConnection)
	}
}

// Bounce tells the actor that has cast something that another node has not taken it. ErrNoProc: it isn't there, or doesn't care.
func (s *System) Bounce(from Ref, u Undelivered) error {
	if p := s.registry.find(from); p == nil || !p.control(&u, nil) {
		s.deadLetter(u.To, u.Msg)
		return ErrNoProc
	}
	return nil
}

func (p *process) bounced(u *Undelivered) error {
	if h, ok := p.beh.(UndeliveredHandler); ok {
		return h.Undelivered(p.context(), *u)
	}
	p.sys().counted(u.To, u.Msg)
	return nil
}

// away reports whether a message is for another node.
func (s *System) away(to Ref) bool {
	return s.router != nil && to.Node != s.cfg.Node && !s.router.Local(to)
}

// export gives a message to the router.
func (s *System) export(to Ref, msg any, answer bool, from *process) error {
	sig := Signal{How: HowCast, Msg: msg}
	if from != nil {
		if from.ref() == to { // it leaves this node, and passes on what was for it
			return s.passOn(to, msg, answer)
		}
		sig.From = from.ref()
	}
	return s.exportSignal(to, sig, answer)
}

// passOn gives what an actor that leaves has not handled to the next one. Should it not get there, whoever sent it hears, as if it had come there
// straight; queues don't keep who that was, but messages may say. An error: it was not taken, and there is nobody on this node to be told.
func (s *System) passOn(to Ref, msg any, answer bool) error {
	sender := senderOf(msg)
	err := s.exportSignal(to, Signal{How: HowCast, From: sender, Msg: msg, Left: true}, answer)
	if err != nil {
		if p := s.registry.find(sender); p != nil && p.control(&Undelivered{To: to, Msg: msg, Err: err}, nil) {
			return nil
		}
	}
	return err
}

// senderOf is the session, say, that a message says it is from; zero: it doesn't say.
func senderOf(msg any) Ref {
	switch m := msg.(type) {
	case interface{ GetSenderRef() *nodepb.Ref }:
		return RefOf(m.GetSenderRef())
	case interface{ GetSession() *nodepb.Ref }:
		return RefOf(m.GetSession())
	}
	return Ref{}
}

// exportSignal gives a cast to the router, or the call or the answer that it is.
func (s *System) exportSignal(to Ref, sig Signal, answer bool) error {
	switch m := sig.Msg.(type) {
	case *callRequest:
		sig.How, sig.Msg, sig.Call = HowCall, m.req, (*Asked)(m)
	default:
		if answer {
			sig.How = HowAnswer
		}
	}
	return s.router.Send(to, sig)
}

// exportWatch gives a monitor to the router.
func (s *System) exportWatch(m *monitor, from Ref) {
	m.away.Store(true)
	if err := s.router.Send(m.target, Signal{How: HowMonitor, From: from, Watch: (*Watch)(m)}); err != nil {
		(*Watch)(m).Down(NoConnection)
	}
}

// Refused is an actor that did not take a message, and why.
type Refused struct {
	To  Ref
	Err error
}

// FanOuter is the ability of a Router to take one message for many at once.
type FanOuter interface {
	// SendAll takes a cast for actors of which none is Local, and returns those for which it wasn't taken.
	SendAll(from Ref, to []Ref, msg any) []Refused
}

// CastAll casts msg to many actors, and returns those that didn't take it. What is for another node travels once for all of its actors.
func (c *Context) CastAll(to []Ref, msg any) []Refused {
	p := c.process()
	if p.ext != nil && p.ext.trace != nil {
		for _, ref := range to {
			p.ext.trace.sent(ref, msg)
		}
	}
	return p.sys().sendAll(to, msg, p)
}

// CastAll is Context.CastAll from outside of any actor.
func (s *System) CastAll(to []Ref, msg any) []Refused { return s.sendAll(to, msg, nil) }

func (s *System) sendAll(to []Ref, msg any, from *process) (refused []Refused) {
	fan, ok := s.router.(FanOuter)
	var away []Ref
	for i, ref := range to {
		if ref := s.named(ref); ok && msg != nil && s.away(ref) {
			if away == nil {
				away = make([]Ref, 0, len(to)-i)
			}
			away = append(away, ref)
			continue
		}
		if err := s.send(ref, msg, false, from); err != nil {
			refused = append(refused, Refused{ref, err})
		}
	}
	if len(away) > 0 {
		var self Ref
		if from != nil {
			self = from.ref()
		}
		refused = append(refused, fan.SendAll(self, away, msg)...)
	}
	return refused
}
