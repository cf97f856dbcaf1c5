package session

import (
	"fmt"
	"sync"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

// actor runs the effects of one state. It decides nothing.
type actor struct {
	sh     *shared
	st     *state
	outlet Outlet // nil once the connection is gone
	fx     *effects
	calls  map[actors.CallID]func(*effects, any, error)
	timer  actors.TimerRef
	wakeAt time.Time // when the timer fires; zero: there is none
	waits  bool      // it is counted as waiting
}

// wake is the one timer's message.
type wake struct{}

var effectsPool = sync.Pool{New: func() any { return new(effects) }}

// Init implements actors.Behaviour; args are Args.
func (a *actor) Init(ctx *actors.Context, args any) error {
	in, ok := args.(Args)
	if !ok {
		return fmt.Errorf("session: started with %T", args)
	}
	a.outlet = in.Outlet
	a.st = newState(a.sh, ctx.Self(), ctx.Now())
	a.sh.Counters.Live.Add(1)
	if in.keep != nil {
		a.st.keep(a.begin(ctx), in.keep)
		a.run(ctx)
		a.count()
	}
	a.arm(ctx, ctx.Now())
	return nil
}

// Handle implements actors.Behaviour.
func (a *actor) Handle(ctx *actors.Context, msg any) error {
	fx, st := a.begin(ctx), a.st
	switch m := msg.(type) {
	case Stanza:
		st.stanza(fx, m)
	case *nodepb.Push:
		st.push(m)
	case *nodepb.Outcome:
		st.outcome(fx, m)
	case *nodepb.Presence:
		st.presenceIn(fx, m)
	case *nodepb.Relay:
		st.relayIn(fx, m)
	case *nodepb.RelayFailed:
		st.relayFailed(fx, m)
	case *nodepb.RosterPush:
		st.rosterPush(fx, m)
	case *nodepb.EndSession:
		st.endSession(fx, m)
	case *nodepb.Rebind:
		st.rebindAsked(fx, m)
	case Drain:
		st.drain(fx, m)
	case Move:
		st.move(fx, m)
	case reunited:
		st.reunited(fx, m)
	case *actors.Reply:
		if done := a.calls[m.ID]; done != nil {
			if delete(a.calls, m.ID); len(a.calls) == 0 {
				a.calls = nil
			}
			done(fx, m.Value, m.Err)
		}
	case actors.Down:
		st.down(fx, m.Target, m.Reason)
	case wake:
		a.wakeAt = time.Time{}
		st.tick(fx)
	case Opened:
		st.opened(fx, m.Header)
	case Writable:
		st.writable()
	case Closed:
		if m.Reason == SocketLost {
			a.outlet = nil
		}
		st.closed(fx, m)
	}
	a.run(ctx)
	return nil
}

// HandleCall implements actors.CallHandler: a session that resumes this one asks for its state.
func (a *actor) HandleCall(ctx *actors.Context, from actors.From, req any) (any, error) {
	m, ok := req.(*nodepb.Takeover)
	if !ok {
		return nil, fmt.Errorf("session: called with %T", req)
	}
	a.st.handOver(a.begin(ctx), from, m)
	a.run(ctx)
	return actors.NoReply, nil
}

// Undelivered implements actors.UndeliveredHandler.
func (a *actor) Undelivered(ctx *actors.Context, u actors.Undelivered) error {
	a.st.undelivered(a.begin(ctx), u.To, u.Msg, u.Err)
	a.run(ctx)
	return nil
}

// EndBatch implements actors.BatchEnder: what the turn came to is written at once.
func (a *actor) EndBatch(ctx *actors.Context) error {
	fx := a.begin(ctx)
	for a.st.fill(fx) {
		a.flush()
		a.run(ctx)
	}
	a.st.settle(fx)
	a.run(ctx)
	a.count()
	stop, now := fx.stop, fx.now
	a.fx = nil
	fx.reset()
	effectsPool.Put(fx)
	if stop {
		ctx.Stop(actors.Normal)
		return nil
	}
	a.arm(ctx, now)
	return nil
}

// Terminate implements actors.Terminator. A connection that still stands is told why it ends.
func (a *actor) Terminate(_ *actors.Context, reason actors.Reason) {
	if a.st == nil {
		return
	}
	a.sh.Counters.Live.Add(-1)
	if a.waits {
		a.sh.Counters.Waiting.Add(-1)
	}
	a.st.forgetResumption()
	if a.outlet == nil {
		return
	}
	condition := xmpp.InternalServerError
	if reason.IsNormal() {
		condition = xmpp.SystemShutdown
	}
	end := append((&xmpp.StreamError{Condition: condition}).Append(nil), streamEnd...)
	_, _ = a.outlet.Write(Out{Data: end, Close: true}) // the connection may be gone, and nobody is left to mind
}

// count counts the session among those that wait, or no longer.
func (a *actor) count() {
	switch waits := a.st.waits(); {
	case waits && !a.waits:
		a.sh.Counters.Waiting.Add(1)
	case !waits && a.waits:
		a.sh.Counters.Waiting.Add(-1)
	}
	a.waits = a.st.waits()
}

// begin returns the turn's effects.
func (a *actor) begin(ctx *actors.Context) *effects {
	if a.fx == nil {
		a.fx = effectsPool.Get().(*effects)
	}
	a.fx.now = ctx.Now()
	return a.fx
}

// run does what the state asked for, but for what is written at the end of the turn.
func (a *actor) run(ctx *actors.Context) {
	fx := a.fx
	for _, ref := range fx.watch { // before it is told anything: it may crash as soon as it has heard that
		ctx.Monitor(ref)
	}
	fx.watch = fx.watch[:0]
	for i := 0; i < len(fx.casts); i++ {
		c := fx.casts[i]
		var err error
		switch {
		case c.from != nil:
			ctx.Reply(*c.from, c.msg, nil)
		case c.room:
			err = ctx.Answer(c.to, c.msg)
		default:
			err = ctx.Cast(c.to, c.msg)
		}
		if err != nil && c.refused != nil {
			c.refused(fx)
		}
	}
	clear(fx.casts)
	fx.casts = fx.casts[:0]
	for _, c := range fx.calls {
		if a.calls == nil {
			a.calls = map[actors.CallID]func(*effects, any, error){}
		}
		a.calls[ctx.Call(c.to, c.req, c.timeout)] = c.done
	}
	clear(fx.calls)
	fx.calls = fx.calls[:0]
}

// flush writes the turn's data.
func (a *actor) flush() {
	fx := a.fx
	out := Out{Data: fx.out, Stanzas: fx.stanzas, Bytes: fx.bytes, Authed: fx.authed, Restart: fx.restart, Close: fx.close}
	fx.out, fx.stanzas, fx.bytes, fx.authed, fx.restart, fx.close = fx.out[:0], 0, 0, false, false, false
	if a.outlet == nil {
		return
	}
	backlog, err := a.outlet.Write(out)
	if out.Close || err != nil {
		a.outlet = nil
	}
	a.st.flushed(fx, len(out.Data), backlog, err)
}

// arm sets the timer for what comes due next. A timer that fires early finds nothing to do and is set again, which costs
// less than moving it with every message.
func (a *actor) arm(ctx *actors.Context, now time.Time) {
	next := a.st.nextTick(now)
	if next.IsZero() || !a.wakeAt.IsZero() && !next.Before(a.wakeAt) {
		return
	}
	if !a.wakeAt.IsZero() {
		ctx.CancelTimer(a.timer)
	}
	a.timer = ctx.SendAfter(max(next.Sub(now), 0), wake{})
	a.wakeAt = next
}
