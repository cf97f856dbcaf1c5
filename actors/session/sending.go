package session

import (
	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/mailbox"
	"github.com/jackdaw-im/jackdaw/proto/chatpb"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// deliver gives a message to the outbox, which keeps it until it has an outcome. n is its inbound number.
func (st *state) deliver(fx *effects, to actors.Ref, d *nodepb.Deliver, n uint64) {
	if st.outbox == nil {
		st.outbox = mailbox.NewOutbox(0) // no other session ever has this one's Ref
	}
	if st.sending == nil {
		st.sending = map[flight]uint64{}
	}
	now := st.outbox.Send(fx.now, to, d)
	st.sending[flight{to, d.GetSeq()}] = n
	if now {
		st.castMessage(fx, to, d)
	}
}

// castMessage casts one message of the outbox.
func (st *state) castMessage(fx *effects, to actors.Ref, d *nodepb.Deliver) {
	fx.casts = append(fx.casts, cast{to: to, msg: d, refused: func(fx *effects) {
		if st.outbox != nil {
			st.outbox.Refused(fx.now, to, d.GetSeq())
		}
	}})
}

// outcome takes a mailbox's or a service's answer to a message.
func (st *state) outcome(fx *effects, m *nodepb.Outcome) {
	if st.outbox != nil {
		st.follow(fx, st.outbox.Outcome(fx.now, m))
	}
}

// mailMoved sends the messages to the own mailbox again, which was lost.
func (st *state) mailMoved(fx *effects) {
	if st.outbox != nil {
		st.follow(fx, st.outbox.Moved(fx.now, st.mail()))
	}
}

// tickOutbox casts again what is due, and gives up what has waited too long.
func (st *state) tickOutbox(fx *effects) {
	if passed(st.outbox.Next(), fx.now) {
		st.follow(fx, st.outbox.Tick(fx.now))
	}
}

// follow does what the outbox asks for.
func (st *state) follow(fx *effects, steps mailbox.Steps) {
	for _, c := range steps.Casts {
		st.castMessage(fx, c.To, c.Deliver)
	}
	for _, s := range steps.Settled {
		st.settled(fx, s)
	}
	if len(st.sending) == 0 {
		st.sending = nil // the outbox stays, for its numbers
	}
}

// settled takes the final outcome of a message: it is handled, and the client hears of a refusal. Errors are not answered
// with errors; they count as dropped.
func (st *state) settled(fx *effects, s mailbox.Settled) {
	key := flight{s.To, s.Deliver.GetSeq()}
	n, ok := st.sending[key]
	if !ok {
		return
	}
	delete(st.sending, key)
	m := s.Deliver.GetMessage()
	switch {
	case s.Code == nodepb.Code_OK:
	case s.Code == nodepb.Code_DROPPED, m.GetType() == chatpb.MessageType_ERROR:
		st.Counters.Dropped.Add(1)
	default:
		st.Counters.Refused.Add(1)
		st.errorReply(fx, "message", m.GetId(), m.GetTo(), mailbox.ErrorOf(s.Code))
	}
	st.done(fx, n)
}
