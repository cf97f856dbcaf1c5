package mailbox

import (
	"slices"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store"
)

// attachment is one session of the user.
type attachment struct {
	ref      actors.Ref
	resource string
	epoch    uint64
	said     uint64 // the number of the newest Attach
	// connected, available and priority are what the session last said.
	connected, available bool
	priority             int32
	credit               int64 // bytes that may still be pushed; one message may overdraw it

	todo    []*row // what it is to get, in order, as credit allows
	holds   int    // rows that name it as holder, without transient ones
	reading uint64 // tag of the read that it waits for; 0: none
	full    bool   // it had no room for a push, and gets the next one in a moment

	// pushes are this turn's, and pushed the rows that they are of.
	pushes []*nodepb.PushedRow
	pushed []*row

	// newest is the number of the last push that the session is to take, and flight holds those of which that isn't known.
	newest uint64
	flight []pushed
}

// receives reports whether messages to the bare address may go to it.
func (s *attachment) receives() bool { return s.connected && s.available && s.priority >= 0 }

// standing is what decides whose turn it is.
type standing struct {
	resource             string
	connected, available bool
	priority             int32
}

func (s *attachment) standing() standing {
	return standing{s.resource, s.connected, s.available, s.priority}
}

// The bounds of one read of bodies for one session.
const (
	pageRows  = 64
	pageBytes = 64 << 10
)

// visit takes what is about sessions, which needs no index.
func (st *state) visit(fx *effects, m any) {
	if st.leave(fx, m) {
		return
	}
	switch m := m.(type) {
	case *nodepb.Attach:
		st.attach(fx, m)
	case *nodepb.Detach:
		st.detach(fx, actors.RefOf(m.GetSession()))
	case *nodepb.Relay:
		st.relay(fx, m)
	}
}

// attach takes all there is to know about one session. A higher epoch voids what was on its way in the one before.
func (st *state) attach(fx *effects, m *nodepb.Attach) {
	ref := actors.RefOf(m.GetSession())
	s := st.session(ref)
	comes := s == nil
	switch {
	case comes:
		s = &attachment{ref: ref, epoch: m.GetEpoch(), credit: int64(m.GetCredit())}
		st.sessions = append(st.sessions, s)
		fx.watch = append(fx.watch, ref)
	case m.GetEpoch() < s.epoch || m.GetNumber() != 0 && m.GetNumber() < s.said: // it went by a longer way
		if old := m.GetReplaces(); old != nil {
			st.detach(fx, actors.RefOf(old))
		}
		return
	}
	s.said = m.GetNumber()
	received, before := s.receives(), s.standing()
	s.resource, s.connected, s.available, s.priority = m.GetResource(), m.GetConnected(), m.GetAvailable(), m.GetPriority()
	fresh := m.GetEpoch() > s.epoch
	if fresh {
		s.epoch, s.credit, s.reading = m.GetEpoch(), int64(m.GetCredit()), 0
		s.pushes, s.pushed, s.full = nil, nil, false
		s.newest, s.flight = 0, nil
	}
	switch {
	case !s.connected:
		st.releaseAll(s)
	case fresh:
		st.again(s)
	case received && !s.receives():
		st.withdraw(s)
	}
	if comes || s.receives() && !received {
		st.inherit(s, slices.Contains(st.highest(nil), s))
	}
	if old := m.GetReplaces(); old != nil {
		st.detach(fx, actors.RefOf(old)) // what that one held goes before what is new
	}
	if comes || fresh || s.standing() != before {
		st.share(fx)
	} else {
		st.dispatch(fx)
	}
	st.pump(fx, s)
	st.relayKept(fx)
}

// inherit gives a session that comes what others have and have not acknowledged, if it would have had it, too, had it been there before. Those
// of its own resource have ended, or are about to, and of the others' devices one may be lost, though nobody has noticed. If what such a
// one has came only then, it would come after what is sent meanwhile; so a row may come twice, but not late. first says
// that it is one of the highest priority. It reports whether there is any.
func (st *state) inherit(s *attachment, first bool) bool {
	if !s.connected || s.holds == st.rows.given() {
		return false
	}
	var found []*row
	for _, r := range st.rows.order {
		if r.gone || len(r.holders) == 0 || slices.Contains(r.holders, s) {
			continue
		}
		same := slices.ContainsFunc(r.holders, func(other *attachment) bool { return other.resource == s.resource })
		if r.resource == s.resource || same && s.receives() || first && (r.resource == "" || st.bound(r.resource) == nil) {
			found = append(found, r)
			st.rows.hold(r, s)
			st.enters(r)
			r.delayed = true
		}
	}
	if len(found) == 0 {
		return false
	}
	s.todo = merge(s.todo, found)
	return true
}

// detach forgets a session.
func (st *state) detach(fx *effects, ref actors.Ref) {
	i := slices.IndexFunc(st.sessions, func(s *attachment) bool { return s.ref == ref })
	if i < 0 {
		return
	}
	s := st.sessions[i]
	st.sessions = slices.Delete(st.sessions, i, i+1)
	s.connected = false
	st.releaseAll(s)
	fx.forget = append(fx.forget, ref)
	st.share(fx)
}

func (st *state) session(ref actors.Ref) *attachment {
	for _, s := range st.sessions {
		if s.ref == ref {
			return s
		}
	}
	return nil
}

// empty forgets what a session was to get; what only passes through is lost with it.
func (st *state) empty(s *attachment) {
	for _, r := range s.todo {
		st.leaves(r)
		if r.transient {
			st.rows.release(r, s)
		}
	}
	s.todo = nil
}

// releaseAll takes everything back from a session that is gone.
func (st *state) releaseAll(s *attachment) {
	st.empty(s)
	s.reading, s.pushes, s.pushed, s.flight = 0, nil, nil, nil
	if s.holds == 0 {
		return
	}
	for _, r := range st.rows.order {
		st.rows.release(r, s)
	}
}

// again gives a session that began a new epoch what it held before: it knows what it has written.
func (st *state) again(s *attachment) {
	st.empty(s)
	if s.holds == 0 {
		return
	}
	for _, r := range st.rows.order {
		if !r.gone && slices.Contains(r.holders, s) {
			s.todo = append(s.todo, r)
			st.enters(r)
		}
	}
}

// withdraw takes back what a session, which may not receive any more, hasn't been given yet, but for what was addressed to it.
func (st *state) withdraw(s *attachment) {
	keep := s.todo[:0]
	for _, r := range s.todo {
		if r.transient || r.resource == s.resource {
			keep = append(keep, r)
			continue
		}
		st.leaves(r)
		st.rows.release(r, s)
	}
	clear(s.todo[len(keep):])
	s.todo = keep
}

// share gives the sessions of the highest priority, which may be others than before, all that waits and what others have.
func (st *state) share(fx *effects) {
	st.dispatch(fx)
	for _, s := range st.highest(nil) {
		if st.inherit(s, true) {
			st.pump(fx, s)
		}
	}
}

// dispatch gives everything that waits to the sessions whose turn it is, if there are any.
func (st *state) dispatch(fx *effects) {
	if st.rows.unheld == 0 || !st.ready {
		return
	}
	first := st.highest(nil)
	if len(first) == 0 {
		return
	}
	var found []*row
	for _, r := range st.rows.order {
		if len(r.holders) == 0 && !r.gone && !r.hidden {
			found = append(found, r)
			r.delayed = true
		}
	}
	for _, s := range first {
		for _, r := range found {
			st.rows.hold(r, s)
			st.enters(r)
		}
		s.todo = merge(s.todo, slices.Clone(found))
	}
	for _, s := range first {
		st.pump(fx, s)
	}
}

// merge puts two lists in order into one.
func merge(a, b []*row) []*row {
	if len(a) == 0 {
		return b
	}
	all := append(a, b...)
	slices.SortStableFunc(all, func(x, y *row) int { return store.CompareRows(x.Row, y.Row) })
	return all
}

// offer gives a new message to sessions, those that have room for it, and reports whether there was one. Rows need no room:
// they can be read later.
func (st *state) offer(fx *effects, r *row, to []*attachment) bool {
	taken := false
	for _, s := range to {
		if r.transient && (len(s.todo) > 0 || s.credit <= 0) && st.kept+r.cost() > maxKept {
			continue
		}
		taken = true
		st.rows.hold(r, s)
		s.todo = append(s.todo, r)
		st.enters(r)
	}
	for _, s := range to {
		st.pump(fx, s)
	}
	switch {
	case r.queued == 0:
		st.hold(r)
	case st.kept > maxKept && !r.transient:
		st.drop(r)
	}
	return taken
}

// pump pushes what is next for a session, as far as its credit goes. Bodies that are not in memory are read a page at a time.
func (st *state) pump(fx *effects, s *attachment) {
	if !s.connected || s.full || s.reading != 0 || len(s.todo) == 0 || !st.ready {
		return
	}
	n := 0
	for n < len(s.todo) && s.credit > 0 {
		r := s.todo[n]
		if r.msg == nil && !r.gone {
			st.read(fx, s, s.todo[n:])
			break
		}
		n++
		if r.msg == nil {
			st.cfg.Counters.Missed.Add(1)
		} else {
			s.give(r)
			st.rows.fly(r, true)
			if r.transient {
				st.rows.release(r, s)
			}
		}
		st.leaves(r)
		if r.queued > 0 && st.kept > maxKept && !r.transient {
			st.drop(r) // who is slower reads it again
		}
	}
	clear(s.todo[:n])
	if s.todo = s.todo[n:]; len(s.todo) == 0 {
		s.todo = nil
	}
}

// give adds a row to this turn's push.
func (s *attachment) give(r *row) {
	p := &nodepb.PushedRow{Cost: uint32(r.cost()), Delayed: r.delayed, Restored: r.Flags&store.FlagRestored != 0, Message: r.msg}
	if !r.transient {
		p.Id = r.ID[:]
	}
	s.credit -= int64(r.cost())
	s.pushes = append(s.pushes, p)
	s.pushed = append(s.pushed, r)
}

// flush casts what the turn came to for a session.
func (st *state) flush(fx *effects, s *attachment) {
	if len(s.pushes) == 0 {
		return
	}
	pushes, pushed, epoch := s.pushes, s.pushed, s.epoch
	s.pushes, s.pushed = nil, nil
	st.cfg.Counters.Pushed.Add(int64(len(pushes)))
	m := &nodepb.Push{Mailbox: st.ref, Epoch: epoch, Rows: pushes}
	st.number(s, m, pushed)
	fx.cast(s.ref, m, func(fx *effects) {
		if s.epoch == epoch && s.connected {
			s.unsent(m)
			st.takeBack(fx, s, pushes, pushed)
		}
	})
}

// takeBack puts pushed rows that the session had no room for back to the front.
func (st *state) takeBack(fx *effects, s *attachment, pushes []*nodepb.PushedRow, pushed []*row) {
	st.cfg.Counters.Pushed.Add(-int64(len(pushes)))
	for i, r := range pushed {
		s.credit += int64(pushes[i].Cost)
		st.keep(r, pushes[i].Message)
		st.enters(r)
		if r.transient {
			st.rows.hold(r, s)
		}
	}
	s.todo, s.full = append(pushed, s.todo...), true
	st.later(fx)
}

// read asks for the bodies of the first rows of a list.
func (st *state) read(fx *effects, s *attachment, list []*row) {
	var ids []ident.MessageID
	room := min(s.credit, pageBytes)
	for _, r := range list {
		if r.msg != nil || r.gone {
			break
		}
		ids = append(ids, r.ID)
		if room -= int64(r.cost()); room <= 0 || len(ids) == pageRows {
			break
		}
	}
	st.tag++
	s.reading = st.tag
	fx.reads = append(fx.reads, readAsked{st.tag, ids})
}

// ack takes a session's acknowledgement. What the user's device has, it has, whichever epoch or session it came by.
func (st *state) ack(fx *effects, m *nodepb.Ack) {
	st.acknowledged(fx, m)
	if s := st.session(actors.RefOf(m.GetSession())); s != nil && s.epoch == m.GetEpoch() {
		s.arrived(m.GetPushed())
		s.credit += int64(m.GetCredit())
		s.full = false
		st.pump(fx, s)
	}
}

// acknowledged deletes what a device has.
func (st *state) acknowledged(fx *effects, m *nodepb.Ack) {
	for _, b := range m.GetIds() {
		if id, err := ident.MessageIDFrom(b); err == nil {
			switch r := st.rows.byID[id]; {
			case r != nil:
				st.cfg.Counters.Acked.Add(1)
				st.delete(fx, r)
			case (st.reload.busy() || st.givenUp != fx.givenUp) && !st.recent.has(id, fx.now):
				st.deleteUnread(fx, id) // another node may have given it to the session, and this one is about to read it
			}
		}
	}
}
