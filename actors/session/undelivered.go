package session

import (
	"errors"

	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/mailbox"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// undelivered hears that another node has not taken, or may not have taken, what was cast there. Whether it is known that it was
// not, err tells: with ErrNoConnection it isn't.
func (st *state) undelivered(fx *effects, to actors.Ref, msg any, err error) {
	lost := errors.Is(err, actors.ErrNoConnection)
	switch m := msg.(type) {
	case *nodepb.Deliver:
		switch {
		case st.outbox == nil:
		case lost:
			st.outbox.Bounced(fx.now, to, m.GetSeq())
		default:
			st.outbox.Refused(fx.now, to, m.GetSeq())
		}
	case *nodepb.Relay:
		st.relayUndelivered(fx, to, m, err)
	case *nodepb.SetPresence:
		st.presenceUndelivered(fx, m)
	case *nodepb.Ack:
		st.ackUndelivered(fx, m.GetIds())
	case *nodepb.Attach:
		if m.GetEpoch() == st.epoch && (st.phase == bound || st.phase == detached) {
			st.forgotten(fx, &st.lostMail)
		}
	case *nodepb.Presence: // directed, or passed on to an heir
		st.directedLost(fx)
	case proto.Message:
		st.Counters.Dropped.Add(1) // goodbyes, which the end of this actor says as well
	}
}

// relayUndelivered answers a request that reached nobody.
// An answer that was certainly not taken, as while nodes disagree about whose a mailbox is, is sent once more.
func (st *state) relayUndelivered(fx *effects, to actors.Ref, m *nodepb.Relay, err error) {
	if session, answer := mailbox.Straight(to, m); answer != nil {
		fx.casts = append(fx.casts, cast{to: session, msg: answer, room: true, refused: func(*effects) { st.Counters.Dropped.Add(1) }})
		return
	}
	if m.GetTag() == 0 && actors.RefOf(m.GetSenderRef()) == st.self && errors.Is(err, actors.ErrOverloaded) {
		again := &nodepb.Relay{Resource: m.GetResource(), Stanza: m.GetStanza()} // without a sender: should it come back, that's it
		fx.casts = append(fx.casts, cast{to: to, msg: again, refused: func(fx *effects) { st.relayBack(fx, again, nodepb.Code_LATER) }})
		return
	}
	code := nodepb.Code_OUTCOME_UNKNOWN
	switch {
	case errors.Is(err, actors.ErrOverloaded):
		code = nodepb.Code_LATER
	case errors.Is(err, actors.ErrNoProc):
		code = nodepb.Code_NO_RESOURCE
	}
	st.relayBack(fx, m, code)
}

// presenceUndelivered tells the account again: the latest, whatever it was that didn't arrive.
func (st *state) presenceUndelivered(fx *effects, m *nodepb.SetPresence) {
	if !st.tells() {
		return
	}
	if m.GetRefresh() {
		st.reunited(fx, reunited{})
	}
	switch {
	case st.presence != nil:
		st.owe(fx, st.presence)
	case !m.GetAvailable():
		st.owe(fx, m)
	default:
		return // it has gone since
	}
	advance(&st.retryAt, fx.now.Add(retryTime))
}
