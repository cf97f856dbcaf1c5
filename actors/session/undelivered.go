package session

import (
	"errors"

	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/actors"
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
		st.relayUndelivered(fx, m, err)
	case *nodepb.SetPresence:
		st.presenceUndelivered(fx, m)
	case *nodepb.Ack:
		st.ackUndelivered(fx, m.GetIds())
	case *nodepb.Attach:
		if m.GetEpoch() == st.epoch && (st.phase == bound || st.phase == detached) {
			st.forgotten(fx, &st.lostMail)
		}
	case proto.Message:
		st.Counters.Dropped.Add(1) // presence, which the next one mends, and goodbyes, which the end of this actor says as well
	}
}

// relayUndelivered answers a request that reached nobody.
func (st *state) relayUndelivered(fx *effects, m *nodepb.Relay, err error) {
	if m.GetTag() == 0 || actors.RefOf(m.GetSenderRef()) != st.self {
		st.Counters.Dropped.Add(1)
		return
	}
	code := nodepb.Code_OUTCOME_UNKNOWN
	switch {
	case errors.Is(err, actors.ErrOverloaded):
		code = nodepb.Code_LATER
	case errors.Is(err, actors.ErrNoProc):
		code = nodepb.Code_NO_RESOURCE
	}
	st.relayFailed(fx, &nodepb.RelayFailed{Tag: m.GetTag(), Code: code})
}

// presenceUndelivered tells the account again: the latest, whatever it was that didn't arrive.
func (st *state) presenceUndelivered(fx *effects, m *nodepb.SetPresence) {
	if st.phase != bound && st.phase != detached {
		return
	}
	switch {
	case st.presence != nil:
		st.untold = st.presence
	case !m.GetAvailable():
		st.untold = m
	default:
		return // it has gone since
	}
	advance(&st.retryAt, fx.now.Add(retryTime))
}
