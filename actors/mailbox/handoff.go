package mailbox

import (
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/lane"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// handoff is the end of a mailbox whose partition moves to another node. Nothing new is taken up: messages wait in the queue for the
// next owner, and what comes in spite of that is forwarded. What is under way is brought to its end, so that the next owner
// loads all of it, and no session has anything any more.
type handoff struct {
	retiring bool
	// flushing is the tag of the flush that is under way, and flushed says that nothing has been asked of the lane since the
	// last one.
	flushing uint64
	flushed  bool
	// left is what came since, for the next owner, in order.
	left []any
}

// retire reports whether nothing is under way any more.
func (st *state) retire(fx *effects) (done bool) {
	h := &st.handoff
	if !h.retiring {
		h.retiring = true
		for _, m := range st.stash {
			st.leave(fx, m)
		}
		st.stash = nil
		if st.relays != nil {
			for _, m := range st.relays.list {
				h.leave(m)
			}
			st.relays = nil
		}
		st.loadAt, st.askAt, st.reload = time.Time{}, time.Time{}, reload{}
		st.expiry.give()
		st.expiry = expiry{} // the next walk, at the next owner, begins again
		for _, s := range st.sessions {
			s.connected = false
			st.releaseAll(s)
			fx.forget = append(fx.forget, s.ref)
		}
		st.sessions = nil
	}
	if !st.ready || h.flushed {
		return true
	}
	if len(st.pending) == 0 && len(st.acks) == 0 && !st.purging && h.flushing == 0 {
		st.tag++
		h.flushing, fx.flush = st.tag, true
	}
	return false
}

// flushFailed hears that the lane had no room for a flush: retire asks for it again.
func (st *state) flushFailed() { st.handoff.flushing = 0 }

// flushedNow hears that all that was asked for before is in the store.
func (st *state) flushedNow(m *lane.Flushed) {
	if h := &st.handoff; m.Tag == h.flushing {
		h.flushing = 0
		h.flushed = len(st.pending) == 0 && len(st.acks) == 0 && !st.purging
	}
}

// leave takes a message that came while the mailbox retires, and reports whether it was for the next owner. Acknowledgements are
// of what was pushed here, and a message that came before has its outcome here.
func (st *state) leave(fx *effects, m any) bool {
	h := &st.handoff
	if !h.retiring {
		return false
	}
	switch m := m.(type) {
	case *nodepb.Ack:
		if st.ready {
			st.ack(fx, m)
			h.flushed, h.flushing = false, 0
			return true
		}
	case *nodepb.Deliver:
		ref := actors.RefOf(m.GetSenderRef())
		if s := st.senders.m[ref]; s != nil {
			switch a, code := s.arrive(m.GetSeq(), m.GetBase()); a {
			case settled:
				fx.answer(ref, &nodepb.Outcome{From: st.ref, Seq: m.GetSeq(), Code: code})
				return true
			case waiting:
				return true
			}
		}
	}
	h.leave(m)
	return true
}

// leave keeps a message for the next owner. What lanes say of the rows that are here is of no use there.
func (h *handoff) leave(m any) {
	switch m.(type) {
	case *nodepb.Expired, *lane.Reload:
	default:
		h.left = append(h.left, m)
	}
}

// handOver gives what was left to the next owner. Senders of what had no outcome in time need not wait to find out: they send it
// there again.
func (st *state) handOver(answer func(to actors.Ref, m *nodepb.Outcome), forward func(m any)) {
	told := map[actors.Ref]bool{}
	for _, p := range st.pending {
		for _, w := range p.waiters {
			if !told[w.ref] {
				told[w.ref] = true
				answer(w.ref, &nodepb.Outcome{From: st.ref, Code: nodepb.Code_GAP})
			}
		}
	}
	for _, m := range st.handoff.left {
		forward(m)
	}
	st.handoff.left = nil
}
