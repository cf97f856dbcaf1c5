package echo

import (
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/mailbox"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

const (
	maxUnderway = 10_000                 // answers without outcome; beyond it senders are told to try later
	tickTime    = 250 * time.Millisecond // between two looks at the outbox while anything is in it
)

// echo is the behaviour. Only its own turns touch it: no locks.
type echo struct {
	address ident.UserID
	senders senders
	outbox  *mailbox.Outbox
	ticking bool
}

// tick is the timer's message to itself.
type tick struct{}

// Init implements actors.Behaviour. The outbox's numbers begin at the clock, so that they go on rising after a crash.
func (e *echo) Init(ctx *actors.Context, args any) error {
	e.address = args.(ident.UserID)
	e.outbox = mailbox.NewOutbox(uint64(ctx.Now().UnixMicro()))
	return nil
}

// Handle implements actors.Behaviour.
func (e *echo) Handle(ctx *actors.Context, msg any) error {
	switch m := msg.(type) {
	case *nodepb.Deliver:
		e.deliver(ctx, m)
	case *nodepb.Outcome:
		e.cast(ctx, e.outbox.Outcome(ctx.Now(), m).Casts)
	case tick:
		e.ticking = false
		e.cast(ctx, e.outbox.Tick(ctx.Now()).Casts)
	}
	if e.outbox.Len() > 0 && !e.ticking {
		e.ticking = true
		ctx.SendAfter(tickTime, tick{})
	}
	return nil
}

// deliver takes one message: it answers its sender's actor, and sends the text back to its user.
func (e *echo) deliver(ctx *actors.Context, d *nodepb.Deliver) {
	code, isNew := nodepb.Code_LATER, false
	if e.outbox.Len() < maxUnderway {
		code, isNew = e.senders.take(d, ctx.Now())
	}
	// Answer, not Cast: the sender has reserved the room. One that is gone needs none.
	_ = ctx.Answer(actors.RefOf(d.GetSenderRef()), &nodepb.Outcome{From: ctx.Self().Proto(), Seq: d.GetSeq(), Code: code})
	if !isNew {
		return
	}
	if back := answer(d, e.address, ctx.Now()); back != nil {
		back.SenderRef = ctx.Self().Proto()
		to := mailbox.Ref(ident.UserID(d.GetSender()))
		if e.outbox.Send(ctx.Now(), to, back) {
			e.cast(ctx, []mailbox.Cast{{To: to, Deliver: back}})
		}
	}
}

// cast does what the outbox asks for.
func (e *echo) cast(ctx *actors.Context, casts []mailbox.Cast) {
	for _, c := range casts {
		if ctx.Cast(c.To, c.Deliver) != nil {
			e.outbox.Refused(ctx.Now(), c.To, c.Deliver.GetSeq())
		}
	}
}
