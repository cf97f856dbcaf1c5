package mailbox

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/lane"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// errLane ends a mailbox whose lane has lost what it asked for: it starts anew, and its senders send again.
var errLane = errors.New("mailbox: its lane crashed")

// actor runs the effects of one state. It decides nothing.
type actor struct {
	cfg      *Config
	st       *state
	fx       *effects
	monitors []watched
	asked    actors.CallID // of the account, or the directory
	timer    actors.TimerRef
	wakeAt   time.Time // when the timer fires; zero: there is none
}

// watched is one session that is monitored.
type watched struct {
	ref     actors.Ref
	monitor actors.MonitorRef
}

// wake is the one timer's message.
type wake struct{}

// Init implements actors.Behaviour; args are the user's id, which the Ref holds as well.
func (a *actor) Init(ctx *actors.Context, _ any) error {
	a.st = newState(a.cfg, ctx.Self(), ctx.System().Node(), ctx.Now())
	a.st.wait(a.begin(ctx))
	a.arm(ctx)
	return nil
}

// Handle implements actors.Behaviour.
func (a *actor) Handle(ctx *actors.Context, msg any) error {
	fx, st := a.begin(ctx), a.st
	switch m := msg.(type) {
	case *nodepb.Deliver, *nodepb.Ack, *nodepb.MailboxChange, *nodepb.Expired, *lane.Reload:
		st.message(fx, m)
	case *lane.Committed:
		st.committed(fx, m)
	case *nodepb.Attach, *nodepb.Detach, *nodepb.Relay:
		st.visit(fx, m)
	case *nodepb.Outcome:
		st.told(fx, m)
	case *lane.Bodies:
		st.bodies(fx, m)
	case *lane.Loaded:
		st.loaded(fx, m)
	case *actors.Reply:
		if m.ID == a.asked {
			st.asked(fx, m.Value, m.Err)
		}
	case *lane.Flushed:
		st.flushedNow(m)
	case *lane.Lost:
		if st.lost(fx, m.Tag) {
			return errLane
		}
	case actors.Down:
		st.detach(fx, m.Target)
	case wake:
		a.wakeAt = time.Time{}
		st.tick(fx)
	}
	a.run(ctx)
	for st.next(fx) {
		a.run(ctx)
	}
	st.current = nil
	return nil
}

// HandleCall implements actors.CallHandler: a session may want to know that it is attached.
func (a *actor) HandleCall(ctx *actors.Context, _ actors.From, req any) (any, error) {
	m, ok := req.(*nodepb.Attach)
	if !ok {
		return nil, fmt.Errorf("mailbox: called with %T", req)
	}
	return &nodepb.Attached{}, a.Handle(ctx, m)
}

// EndBatch implements actors.BatchEnder: sessions and the lane get what the turn came to at once.
func (a *actor) EndBatch(ctx *actors.Context) error {
	fx := a.begin(ctx)
	a.st.endTurn(fx)
	a.run(ctx)
	if acks := a.st.takeAcks(); acks != nil && a.cfg.Lanes.Acknowledge(ctx, a.st.user, acks) != nil {
		a.st.acksRefused(fx, acks)
	}
	a.fx = nil
	fx.reset()
	effectsPool.Put(fx)
	a.arm(ctx)
	return nil
}

// Retire implements actors.Retirer: what is under way has its end before the mailbox leaves this node.
func (a *actor) Retire(ctx *actors.Context) (done bool) {
	fx := a.begin(ctx)
	done = a.st.retire(fx)
	a.run(ctx)
	_ = a.EndBatch(ctx)
	return done
}

// Undelivered implements actors.UndeliveredHandler.
func (a *actor) Undelivered(ctx *actors.Context, u actors.Undelivered) error {
	a.st.undelivered(a.begin(ctx), u)
	a.run(ctx)
	return nil
}

// MayPassivate implements actors.Passivator.
func (a *actor) MayPassivate(ctx *actors.Context) bool { return a.st.mayPassivate(ctx.Now()) }

// Terminate implements actors.Terminator. After a crash the senders are told, so that they needn't wait to find out; who has retired
// gives what is left to the next owner.
func (a *actor) Terminate(ctx *actors.Context, reason actors.Reason) {
	if a.st == nil {
		return
	}
	defer a.st.release()
	answer := func(to actors.Ref, m *nodepb.Outcome) { _ = ctx.Answer(to, m) }
	switch {
	case !reason.IsNormal():
		a.st.crashed(answer)
		a.st.strand(func(to actors.Ref, m *nodepb.Relay) { _ = ctx.Answer(to, m) })
	case a.st.handoff.retiring:
		if len(a.st.pending) > 0 {
			a.cfg.Lanes.Abandon(ctx, a.st.user)
		}
		a.st.handOver(answer, func(m any) { _ = ctx.Answer(ctx.Self(), m) }) // it had its room in the queue here
	}
}

// begin returns the turn's effects.
func (a *actor) begin(ctx *actors.Context) *effects {
	if a.fx == nil {
		a.fx = effectsPool.Get().(*effects)
	}
	a.fx.now, a.fx.givenUp = ctx.Now(), a.cfg.GivenUp()
	return a.fx
}

// run does what the state asked for.
func (a *actor) run(ctx *actors.Context) {
	fx, st := a.fx, a.st
	if fx.load {
		fx.load = false
		if a.cfg.Lanes.Load(ctx, st.user, st.tag, st.page(a.cfg.Lanes.TakenOver(st.user, fx.now))) != nil {
			st.loadFailed(fx, laneRetry)
		}
	}
	if fx.ask {
		fx.ask = false
		a.asked = ctx.Call(a.cfg.Account(st.user), &nodepb.GetMailboxInfo{}, askTime)
	}
	if fx.lookUp {
		fx.lookUp = false
		a.asked = a.cfg.Lanes.User(ctx, st.user, lookUpTime)
	}
	if fx.loadAgain {
		fx.loadAgain = false
		if a.cfg.Lanes.LoadAgain(ctx, st.user, st.reload.tag) != nil {
			st.reloadFailed(fx, laneRetry)
		}
	}
	if t := fx.take; t != nil {
		fx.take = nil
		if a.cfg.Lanes.Append(ctx, &t.append) == nil {
			st.taken(fx, t)
		} else {
			st.notTaken(fx, t)
		}
	}
	if fx.purge {
		fx.purge = false
		if a.cfg.Lanes.Purge(ctx, st.user) != nil {
			st.purgeFailed(fx)
		}
	}
	if fx.flush {
		fx.flush = false
		if a.cfg.Lanes.Flush(ctx, st.user, st.handoff.flushing) != nil {
			st.flushFailed()
		}
	}
	for i := 0; i < len(fx.sends); i++ {
		s := fx.sends[i]
		if s.answer {
			if ctx.Answer(s.to, s.msg) != nil {
				st.unanswered(fx, s.to, s.msg)
			}
		} else if ctx.Cast(s.to, s.msg) != nil && s.refused != nil {
			s.refused(fx)
		}
	}
	clear(fx.sends)
	fx.sends = fx.sends[:0]
	a.watch(ctx)
	a.ask(ctx)
}

// ask casts reads to the lane, after the appends that they may be of.
func (a *actor) ask(ctx *actors.Context) {
	fx, st := a.fx, a.st
	for _, r := range fx.reads {
		if a.cfg.Lanes.Read(ctx, st.user, r.tag, r.ids) != nil {
			st.readFailed(fx, r.tag)
		}
	}
	clear(fx.reads)
	fx.reads = fx.reads[:0]
}

// watch monitors the sessions that came, and no longer those that went.
func (a *actor) watch(ctx *actors.Context) {
	fx := a.fx
	for _, ref := range fx.watch {
		a.monitors = append(a.monitors, watched{ref, ctx.Monitor(ref)})
	}
	for _, ref := range fx.forget {
		if i := slices.IndexFunc(a.monitors, func(w watched) bool { return w.ref == ref }); i >= 0 {
			ctx.Demonitor(a.monitors[i].monitor)
			a.monitors = slices.Delete(a.monitors, i, i+1)
		}
	}
	fx.watch, fx.forget = fx.watch[:0], fx.forget[:0]
}

// arm sets the timer for what comes due next. A timer that fires early finds nothing to do and is set again.
func (a *actor) arm(ctx *actors.Context) {
	next := a.st.nextTick()
	if next.IsZero() || !a.wakeAt.IsZero() && !next.Before(a.wakeAt) {
		return
	}
	if !a.wakeAt.IsZero() {
		ctx.CancelTimer(a.timer)
	}
	a.timer = ctx.SendAfter(max(next.Sub(ctx.Now()), 0), wake{})
	a.wakeAt = next
}
