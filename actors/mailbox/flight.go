package mailbox

import (
	"errors"
	"slices"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// pushed is one push on its way to a session of another node. That node may have no room for it, and says so when more pushes
// are on their way: the session takes none of these, since they don't follow what it has, and all come again.
type pushed struct {
	number, after uint64
	pushes        []*nodepb.PushedRow
	rows          []*row
}

// number gives a push its place, and keeps it until it is known to be taken if its session is on another node.
func (st *state) number(s *attachment, m *nodepb.Push, rows []*row) {
	st.numbers++
	m.Number, m.After = st.numbers, s.newest
	s.newest = st.numbers
	if s.ref.Node != st.here {
		s.flight = append(s.flight, pushed{m.Number, m.After, m.Rows, rows})
	}
}

// unsent takes the number of the newest push back: nobody has seen it.
func (s *attachment) unsent(m *nodepb.Push) {
	s.newest = m.GetAfter()
	if n := len(s.flight); n > 0 && s.flight[n-1].number == m.GetNumber() {
		s.flight[n-1] = pushed{}
		s.flight = s.flight[:n-1]
	}
}

// arrived forgets the pushes that the session has taken, up to number, which may be one of the mailbox before.
func (s *attachment) arrived(number uint64) {
	n := 1 + slices.IndexFunc(s.flight, func(p pushed) bool { return p.number == number })
	clear(s.flight[:n])
	if s.flight = s.flight[n:]; len(s.flight) == 0 {
		s.flight = nil
	}
}

// undelivered hears that another node has not taken what was cast there.
func (st *state) undelivered(fx *effects, u actors.Undelivered) {
	switch m := u.Msg.(type) {
	case *nodepb.Push:
		s := st.session(u.To)
		switch {
		case s == nil || s.epoch != m.GetEpoch(): // it has begun anew since
		case errors.Is(u.Err, actors.ErrOverloaded):
			st.pushAgain(fx, s, m.GetNumber())
		default: // it is gone, or not to be reached: it attaches again if it lives
			st.detach(fx, u.To)
		}
	case *nodepb.Relay:
		if session, answer := Straight(u.To, m); answer != nil {
			fx.answer(session, answer)
			return
		}
		code := nodepb.Code_NO_RESOURCE
		switch {
		case errors.Is(u.Err, actors.ErrOverloaded):
			code = nodepb.Code_LATER
		case errors.Is(u.Err, actors.ErrNoConnection):
			code = nodepb.Code_OUTCOME_UNKNOWN
		}
		st.relayFailed(fx, m, code)
	case *nodepb.Deliver:
		switch box := st.expiry.outbox; {
		case box == nil:
		case errors.Is(u.Err, actors.ErrNoConnection):
			box.Bounced(fx.now, u.To, m.GetSeq())
		default:
			box.Refused(fx.now, u.To, m.GetSeq())
		}
	}
}

// pushAgain takes back a push and all after it; they come again a little later, in order.
func (st *state) pushAgain(fx *effects, s *attachment, number uint64) {
	i := slices.IndexFunc(s.flight, func(p pushed) bool { return p.number == number })
	if i < 0 {
		return // taken back already, with one before it
	}
	back := s.flight[i:]
	s.newest = back[0].after
	var pushes []*nodepb.PushedRow
	var list []*row
	for _, p := range back {
		for j, r := range p.rows {
			if r.gone { // another session has acknowledged it
				s.credit += int64(p.pushes[j].Cost)
				st.cfg.Counters.Missed.Add(1)
				continue
			}
			pushes, list = append(pushes, p.pushes[j]), append(list, r)
		}
	}
	clear(back)
	s.flight = s.flight[:i]
	st.takeBack(fx, s, pushes, list)
}
