package mailbox

import (
	"errors"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

const (
	maxUnderway = 10_000                 // messages of an Endpoint without outcome; beyond it its senders are told to try later
	tickTime    = 250 * time.Millisecond // between two looks at an Endpoint's outbox while anything is in it
)

// Endpoint is both halves of the protocol for an actor that has an address of its own, such as a service: it takes messages
// in their senders' order and each once, as a mailbox does, and keeps what the actor sends until that has an outcome. It
// belongs to the actor's turn. A crash loses what it keeps; what its senders have sent they still have. Each node may have such an
// actor under the same name: what one of them sends is answered to it and no other.
type Endpoint struct {
	senders senders
	outbox  *Outbox
	ticking bool
}

// endpointTick is the timer's message to an Endpoint.
type endpointTick struct{}

// NewEndpoint returns an endpoint, for an actor's Init. Its numbers begin at the clock, so that they go on rising after a
// crash.
func NewEndpoint(ctx *actors.Context) *Endpoint {
	return &Endpoint{outbox: NewOutbox(uint64(ctx.Now().UnixMicro()))}
}

// Take answers a message and reports whether to act on it: not if it was sent again, came too early, or if too much is under
// way already.
func (e *Endpoint) Take(ctx *actors.Context, d *nodepb.Deliver) bool {
	ref, seq := actors.RefOf(d.GetSenderRef()), d.GetSeq()
	s := e.senders.get(ref, ctx.Now())
	arrival, code := s.arrive(seq, d.GetBase())
	switch {
	case arrival == early:
		code = nodepb.Code_GAP
	case arrival == next && e.outbox.Len() >= maxUnderway:
		code = nodepb.Code_LATER
	case arrival == next:
		code = nodepb.Code_OK
		s.settle(seq, code)
	}
	// Answer, not Cast: the sender has reserved the room. One that is gone needs none.
	_ = ctx.Answer(ref, &nodepb.Outcome{From: ctx.Self().Proto(), Seq: seq, Code: code})
	return arrival == next && code == nodepb.Code_OK
}

// Send sends a message to a user. The endpoint sets its SenderRef, Seq and Base; it is not changed afterwards.
func (e *Endpoint) Send(ctx *actors.Context, to ident.UserID, d *nodepb.Deliver) {
	ref := ctx.Self()
	ref.Node = ctx.System().Node()
	d.SenderRef = ref.Proto()
	if e.outbox.Send(ctx.Now(), Ref(to), d) {
		e.cast(ctx, []Cast{{Ref(to), d}})
	}
	e.arm(ctx)
}

// Handle takes what mailboxes answer and the endpoint's own timer, and reports whether msg was for it.
func (e *Endpoint) Handle(ctx *actors.Context, msg any) bool {
	switch m := msg.(type) {
	case *nodepb.Outcome:
		e.cast(ctx, e.outbox.Outcome(ctx.Now(), m).Casts)
	case endpointTick:
		e.ticking = false
		e.cast(ctx, e.outbox.Tick(ctx.Now()).Casts)
	default:
		return false
	}
	e.arm(ctx)
	return true
}

// Undelivered takes what the actor hears as an actors.UndeliveredHandler.
func (e *Endpoint) Undelivered(ctx *actors.Context, u actors.Undelivered) {
	d, ok := u.Msg.(*nodepb.Deliver)
	switch {
	case !ok: // an outcome, which is asked for again
	case errors.Is(u.Err, actors.ErrNoConnection):
		e.outbox.Bounced(ctx.Now(), u.To, d.GetSeq())
	default:
		e.outbox.Refused(ctx.Now(), u.To, d.GetSeq())
	}
	e.arm(ctx)
}

func (e *Endpoint) cast(ctx *actors.Context, casts []Cast) {
	for _, c := range casts {
		if ctx.Cast(c.To, c.Deliver) != nil {
			e.outbox.Refused(ctx.Now(), c.To, c.Deliver.GetSeq())
		}
	}
}

func (e *Endpoint) arm(ctx *actors.Context) {
	if e.outbox.Len() > 0 && !e.ticking {
		e.ticking = true
		ctx.SendAfter(tickTime, endpointTick{})
	}
}
