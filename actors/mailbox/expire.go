package mailbox

import (
	"fmt"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/lane"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/chatpb"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

// expiry tells the senders of rows that are past their time. A row is deleted only once its sender's own mailbox has the
// error. What fails is left for the walker's next round.
type expiry struct {
	outbox *Outbox
	flight map[flight]*row // the rows of the outbox's messages
	// reading is the tag of the read for batch; 0: none.
	reading uint64
	batch   []*row
}

// flight names one message without outcome.
type flight struct {
	to  actors.Ref
	seq uint64
}

// maxExpiring bounds the rows of one mailbox whose senders are being told at a time.
const maxExpiring = 64

// next is when the outbox has something to do.
func (e *expiry) next() time.Time {
	if e.outbox == nil {
		return time.Time{}
	}
	return e.outbox.Next()
}

func (e *expiry) idle() bool { return e.reading == 0 && len(e.flight) == 0 }

// give ends a read that came to nothing.
func (e *expiry) give() {
	for _, r := range e.batch {
		r.expiring = false
	}
	e.reading, e.batch = 0, nil
}

// expired takes the walker's word. Rows that a session has, it may be about to acknowledge: they are left alone while it is
// connected.
func (st *state) expired(fx *effects, m *nodepb.Expired) {
	if !st.expiry.idle() {
		return // the next walk finds them again
	}
	var ids []ident.MessageID
	for _, b := range m.GetIds() {
		id, err := ident.MessageIDFrom(b)
		r := st.rows.byID[id]
		switch {
		case err != nil || r == nil || r.pending != 0 || r.expiring || len(r.holders) > 0 || len(ids) == maxExpiring:
		case len(r.Acked) > 0 || r.Flags&store.FlagError != 0 || r.Sender == "":
			st.delete(fx, r)
		default:
			r.expiring = true
			st.expiry.batch = append(st.expiry.batch, r)
			ids = append(ids, r.ID)
		}
	}
	if len(ids) > 0 {
		st.tag++
		st.expiry.reading = st.tag
		fx.reads = append(fx.reads, readAsked{st.tag, ids})
	}
}

// expiredBodies makes an error of each expired message and gives it to its sender's mailbox.
func (st *state) expiredBodies(fx *effects, m *lane.Bodies) {
	e := &st.expiry
	batch := e.batch
	e.reading, e.batch = 0, nil
	for i, r := range batch {
		if r.gone || m.Err != nil || len(r.holders) > 0 {
			r.expiring = false
			continue
		}
		if m.Bodies[i] == nil {
			st.vanish(r)
			continue
		}
		original := st.decode(r, m.Bodies[i])
		if original == nil {
			continue
		}
		if e.outbox == nil {
			e.outbox, e.flight = NewOutbox(uint64(fx.now.UnixMicro())), map[flight]*row{}
		}
		to := Ref(r.Sender)
		d := st.expiryError(fx.now, r, original)
		cast := e.outbox.Send(fx.now, to, d)
		e.flight[flight{to, d.GetSeq()}] = r
		if cast {
			st.sendOut(fx, to, d)
		}
	}
}

// expiryError is what a sender is told of a message that nobody fetched.
func (st *state) expiryError(now time.Time, r *row, original *chatpb.Message) *nodepb.Deliver {
	id := ident.HashMessageID(r.ID[:], []byte("expired"))
	why := xmpp.StanzaError{Type: "wait", Condition: "recipient-unavailable", Text: fmt.Sprintf(
		"nobody fetched this message within %d days, and it is not delivered any more", int(st.cfg.Limits.TTL/(24*time.Hour)))}
	resource := ""
	if j, err := xmpp.ParseJID(original.GetFrom()); err == nil {
		resource = j.Resource
	}
	return &nodepb.Deliver{
		SenderRef: st.ref, Id: id[:], Sender: string(st.user), Resource: resource, Store: true,
		Message: &chatpb.Message{From: original.GetTo(), To: original.GetFrom(), Type: chatpb.MessageType_ERROR, Id: original.GetId(),
			Payload: why.Append(nil), SentUs: now.UnixMicro()},
	}
}

// sendOut casts a message of the own outbox.
func (st *state) sendOut(fx *effects, to actors.Ref, d *nodepb.Deliver) {
	seq := d.GetSeq()
	fx.cast(to, d, func(fx *effects) { st.expiry.outbox.Refused(fx.now, to, seq) })
}

// told takes the answer of a sender's mailbox.
func (st *state) told(fx *effects, m *nodepb.Outcome) {
	if st.expiry.outbox != nil {
		st.follow(fx, st.expiry.outbox.Outcome(fx.now, m))
	}
}

// follow does what the own outbox asks for.
func (st *state) follow(fx *effects, steps Steps) {
	for _, c := range steps.Casts {
		st.sendOut(fx, c.To, c.Deliver)
	}
	for _, s := range steps.Settled {
		key := flight{s.To, s.Deliver.GetSeq()}
		r := st.expiry.flight[key]
		delete(st.expiry.flight, key)
		r.expiring = false
		switch {
		case r.gone:
		case s.Code == nodepb.Code_OUTCOME_UNKNOWN, s.Code == nodepb.Code_LATER, s.Code == nodepb.Code_STORE_FULL, s.Code == nodepb.Code_QUOTA:
			// the next walk tries again; the store has the same id for it
		case len(r.holders) > 0:
			// a session came for it meanwhile
		default:
			st.cfg.Counters.Expired.Add(1)
			st.delete(fx, r)
		}
	}
}
