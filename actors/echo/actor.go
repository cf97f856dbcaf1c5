package echo

import (
	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/mailbox"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// echo is the behaviour. Only its own turns touch it: no locks.
type echo struct {
	address ident.UserID
	mail    *mailbox.Endpoint
}

// Init implements actors.Behaviour.
func (e *echo) Init(ctx *actors.Context, args any) error {
	e.address = args.(ident.UserID)
	e.mail = mailbox.NewEndpoint(ctx)
	return nil
}

// Handle implements actors.Behaviour.
func (e *echo) Handle(ctx *actors.Context, msg any) error {
	d, ok := msg.(*nodepb.Deliver)
	if !ok {
		e.mail.Handle(ctx, msg)
		return nil
	}
	if e.mail.Take(ctx, d) {
		if back := answer(d, e.address, ctx.Now()); back != nil {
			e.mail.Send(ctx, ident.UserID(d.GetSender()), back)
		}
	}
	return nil
}

// Undelivered implements actors.UndeliveredHandler.
func (e *echo) Undelivered(ctx *actors.Context, u actors.Undelivered) error {
	e.mail.Undelivered(ctx, u)
	return nil
}
