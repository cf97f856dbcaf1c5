package pg

import (
	"errors"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
)

// Messages to a scope's actor.
type (
	join struct {
		group   string
		members []actors.Ref
		by      life
	}
	leave struct {
		group   string
		members []actors.Ref
		by      life
	}
	monitor struct {
		id    MonitorRef
		who   actors.Ref
		group string
		whole bool
	}
	demonitor struct {
		id  MonitorRef
		who actors.Ref
	}
	peering struct {
		id ident.NodeID
		up bool
	}
	received struct {
		from ident.NodeID
		u    *Update
	}
	missed   struct{ from ident.NodeID }
	retryNow struct{}
)

// retryTime is how long a watcher or a peer that did not take something is left alone.
const retryTime = 100 * time.Millisecond

// actor is the behaviour of a scope.
type actor struct {
	scope    *Scope
	peers    Peers
	st       *state
	monitors map[actors.Ref]actors.MonitorRef
}

// Init implements actors.Behaviour. After a crash it goes on with the table that the life before has left.
func (a *actor) Init(ctx *actors.Context, args any) error {
	a.scope = args.(*Scope)
	a.st = newState()
	a.monitors = map[actors.Ref]actors.MonitorRef{}
	watchers, nodes, peers := a.scope.left()
	a.peers = peers
	a.st.restore(&a.scope.table, watchers, nodes)
	a.run(ctx)
	return nil
}

// Handle implements actors.Behaviour.
func (a *actor) Handle(ctx *actors.Context, msg any) error {
	switch m := msg.(type) {
	case join:
		a.st.join(m.group, m.members, m.by)
	case leave:
		a.st.leave(m.group, m.members, m.by)
	case actors.Down:
		delete(a.monitors, m.Target)
		a.st.ended(m.Target)
	case monitor:
		a.st.monitor(m.id, m.who, m.group, m.whole)
	case demonitor:
		a.st.demonitor(m.id, m.who)
	case peering:
		if m.up {
			a.st.peerUp(m.id)
		} else {
			a.st.peerDown(m.id)
		}
	case received:
		a.st.received(m.from, m.u)
	case missed:
		a.scope.setMissed(m.from, false)
		a.st.missed(m.from)
	case retryNow:
		a.st.retry()
	}
	a.run(ctx)
	return nil
}

// HandleCall implements actors.CallHandler.
func (a *actor) HandleCall(ctx *actors.Context, _ actors.From, req any) (any, error) {
	var err error
	switch m := req.(type) {
	case join:
		a.st.join(m.group, m.members, m.by)
	case leave:
		if !a.st.leave(m.group, m.members, m.by) {
			err = ErrNotJoined
		}
	default:
		err = actors.ErrNoCall
	}
	a.run(ctx)
	return nil, err
}

// Terminate implements actors.Terminator: what ends for good takes the groups along, what crashes leaves them to the next life.
func (a *actor) Terminate(_ *actors.Context, reason actors.Reason) {
	if reason.Ended() {
		a.scope.clear()
	}
}

// run does what the state wants done; that may make it want more.
func (a *actor) run(ctx *actors.Context) {
	for i := 0; i < len(a.st.effects); i++ {
		switch e := a.st.effects[i].(type) {
		case publish:
			a.scope.table.store(e.group, e.view)
		case watch:
			a.monitors[e.ref] = ctx.Monitor(e.ref)
		case unwatch:
			ctx.Demonitor(a.monitors[e.ref])
			delete(a.monitors, e.ref)
		case tell:
			if err := ctx.Cast(e.w.who, e.msg); errors.Is(err, actors.ErrOverloaded) { // of another error a Down tells
				a.st.refused(e.w)
			}
		case send:
			if a.peers != nil && a.peers.Send(e.to, e.u) != nil {
				a.st.unsent(e.to)
			}
		case keep:
			a.scope.note(e.w.id, e.w)
		case unkeep:
			a.scope.note(e.id, nil)
		case retry:
			ctx.SendAfter(retryTime, retryNow{})
		}
	}
	clear(a.st.effects)
	a.st.effects = a.st.effects[:0]
}
