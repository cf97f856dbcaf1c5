package mailbox

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/lane"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/chatpb"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store"
)

// deliver takes one message of a sender.
func (st *state) deliver(fx *effects, d *nodepb.Deliver) {
	st.current = d
	ref := actors.RefOf(d.GetSenderRef())
	id, err := ident.MessageIDFrom(d.GetId())
	if err != nil || ref.IsZero() || d.GetSeq() == 0 || d.GetBase() > d.GetSeq() || d.GetMessage() == nil {
		st.outcome(fx, ref, d.GetSeq(), nodepb.Code_BAD_REQUEST)
		return
	}
	s := st.senders.get(ref, fx.now)
	switch a, code := s.arrive(d.GetSeq(), d.GetBase()); a {
	case early:
		st.cfg.Counters.Gaps.Add(1)
		st.outcome(fx, ref, d.GetSeq(), nodepb.Code_GAP)
	case settled:
		fx.answer(ref, &nodepb.Outcome{From: st.ref, Seq: d.GetSeq(), Code: code})
	case waiting: // it hears of the first
	case next:
		st.take(fx, d, id, waiter{ref, s, d.GetSeq()})
	}
}

// take takes the message that is due.
func (st *state) take(fx *effects, d *nodepb.Deliver, id ident.MessageID, w waiter) {
	if !st.exists {
		st.settle(fx, w, nodepb.Code_NO_SUCH_USER)
		return
	}
	if st.blocked(d) {
		st.settle(fx, w, nodepb.Code_BLOCKED)
		return
	}
	if d.GetStore() && st.known(fx, id, w) {
		st.cfg.Counters.Duplicates.Add(1)
		return
	}
	to, keeps, code := st.route(d)
	switch {
	case keeps:
		st.store(fx, d, id, w)
	case len(to) > 0:
		st.pass(fx, d, to, w)
	default:
		st.settle(fx, w, code)
	}
}

// known deals with a message whose id is known: it is the same message.
func (st *state) known(fx *effects, id ident.MessageID, w waiter) bool {
	r := st.rows.byID[id]
	switch {
	case r == nil && !st.recent.has(id, fx.now):
		return false
	case r != nil && r.pending != 0:
		p := st.pending[r.pending]
		p.waiters = append(p.waiters, w)
		w.s.take(w.seq)
		return true
	}
	st.settle(fx, w, nodepb.Code_OK)
	return true
}

// blocked reports whether the user has blocked the sender (XEP-0191): its domain, bare or full address.
func (st *state) blocked(d *nodepb.Deliver) bool {
	if len(st.blocks) == 0 {
		return false
	}
	from := ident.UserID(d.GetSender())
	for _, address := range []string{from.Domain(), string(from), d.GetMessage().GetFrom()} {
		if _, found := slices.BinarySearch(st.blocks, address); found {
			return true
		}
	}
	return false
}

// store asks for the room that a row needs in the lane: taken or notTaken follows.
func (st *state) store(fx *effects, d *nodepb.Deliver, id ident.MessageID, w waiter) {
	body, err := proto.Marshal(d.GetMessage())
	if err != nil { // a string that is no UTF-8
		st.settle(fx, w, nodepb.Code_BAD_REQUEST)
		return
	}
	from := ident.UserID(d.GetSender())
	var flags store.Flags
	if d.GetMessage().GetType() == chatpb.MessageType_ERROR {
		flags = store.FlagError
	}
	_, contact := slices.BinarySearch(st.contacts, from)
	if !st.rows.admits(&st.cfg.Limits, from, len(body), !contact && from != st.user, flags != 0) {
		st.settle(fx, w, nodepb.Code_QUOTA)
		return
	}
	if st.purging {
		st.outcome(fx, w.ref, w.seq, nodepb.Code_LATER)
		return
	}
	st.tag++
	r := &row{
		Row:      store.Row{ID: id, Ord: st.rows.stamp(fx.now), Sender: from, CSeq: d.GetSeq(), Size: len(body), Flags: flags},
		resource: d.GetResource(), pending: st.tag, hidden: st.cautious || st.rows.hidden > 0,
	}
	fx.take = &taking{row: r, from: w, d: d, append: lane.Append{
		From: st.self, Tag: st.tag,
		Append: store.Append{Mailbox: st.user, ID: id, Ord: r.Ord, Sender: from, CSeq: r.CSeq, TTL: st.cfg.Limits.TTL, Flags: flags, Body: body},
	}}
}

// taken hears that the lane has taken an append: the message is on its way to the store, and goes to the sessions too.
func (st *state) taken(fx *effects, t *taking) {
	if st.pending == nil {
		st.pending = map[uint64]*pending{}
	}
	st.pending[t.append.Tag] = &pending{row: t.row, waiters: []waiter{t.from}}
	t.from.s.take(t.from.seq)
	st.rows.add(t.row)
	if !t.row.hidden {
		to, _, _ := st.route(t.d)
		st.keep(t.row, t.d.GetMessage())
		st.offer(fx, t.row, to)
	}
}

// notTaken hears that the lane has no room.
func (st *state) notTaken(fx *effects, t *taking) {
	st.outcome(fx, t.from.ref, t.from.seq, nodepb.Code_LATER)
}

// pass gives a message that becomes no row to sessions.
func (st *state) pass(fx *effects, d *nodepb.Deliver, to []*attachment, w waiter) {
	r := &row{transient: true, Row: store.Row{Ord: st.rows.stamp(fx.now), Sender: ident.UserID(d.GetSender()), CSeq: d.GetSeq(),
		Size: len(d.GetMessage().GetPayload())}}
	st.keep(r, d.GetMessage())
	switch {
	case st.offer(fx, r, to):
		st.settle(fx, w, nodepb.Code_OK)
	case d.GetMessage().GetType() == chatpb.MessageType_HEADLINE, d.GetMessage().GetType() == chatpb.MessageType_ERROR:
		st.settle(fx, w, nodepb.Code_DROPPED)
	default:
		st.settle(fx, w, nodepb.Code_QUOTA)
	}
}

// committed takes what became of an append.
func (st *state) committed(fx *effects, m *lane.Committed) {
	p := st.pending[m.Tag]
	if p == nil {
		return // of an earlier life
	}
	delete(st.pending, m.Tag)
	r, code := p.row, nodepb.Code_OK
	r.pending = 0
	switch {
	case m.Result == lane.Stored, r.found && !r.gone: // or it couldn't be stored twice
		st.cautious = m.Result == lane.Full
		if r.hidden && !r.gone {
			st.rows.reveal(r)
			st.dispatchNew(fx, r)
		}
	case r.gone: // somebody has it already, or the account was removed
		st.cautious = st.cautious || m.Result == lane.Full
	case m.Result == lane.Full:
		st.cautious, code = true, nodepb.Code_STORE_FULL
		st.vanish(r)
	default:
		code = nodepb.Code_BAD_REQUEST
		st.vanish(r)
	}
	for _, w := range p.waiters {
		st.settle(fx, w, code)
	}
}

// dispatchNew gives a row that was held back until it was stored to those whom it is for; its body is read.
func (st *state) dispatchNew(fx *effects, r *row) {
	kind := &nodepb.Deliver{Resource: r.resource, Store: true, Message: &chatpb.Message{Type: chatpb.MessageType_CHAT}}
	to, _, _ := st.route(kind)
	st.offer(fx, r, to)
}

// settle gives a message its final outcome.
func (st *state) settle(fx *effects, w waiter, code nodepb.Code) {
	w.s.settle(w.seq, code)
	st.outcome(fx, w.ref, w.seq, code)
}

// outcome answers a sender.
func (st *state) outcome(fx *effects, to actors.Ref, seq uint64, code nodepb.Code) {
	c := st.cfg.Counters
	switch code {
	case nodepb.Code_OK:
		c.Taken.Add(1)
	case nodepb.Code_DROPPED:
		c.Dropped.Add(1)
	case nodepb.Code_LATER:
		c.Later.Add(1)
	case nodepb.Code_GAP:
	default:
		c.Refused.Add(1)
	}
	fx.answer(to, &nodepb.Outcome{From: st.ref, Seq: seq, Code: code})
}
