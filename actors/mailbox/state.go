package mailbox

import (
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/lane"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/chatpb"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store"
)

const (
	// maxStash bounds what waits while a mailbox loads.
	maxStash = 1000
	// maxKept bounds, in bytes, the messages in memory that wait for the credit of sessions.
	maxKept = 128 << 10
	// laneRetry is after how long what the lane, or a session, had no room for is tried again.
	laneRetry = 100 * time.Millisecond
	// loadRetry is after how long a failed load is tried again.
	loadRetry = time.Second
)

// state is everything a mailbox knows. Its methods take values and put effects into fx; they know no clock, no goroutine, no
// store and no other actor.
type state struct {
	cfg  *Config
	user ident.UserID
	self actors.Ref
	ref  *nodepb.Ref  // self, as it travels
	here ident.NodeID // this node

	// ready is set once the index is there; stash holds what came before. begun says that the index was asked for.
	begun  bool
	ready  bool
	stash  []any
	loadAt time.Time // when a failed load is tried again; zero: it is under way, or done
	tag    uint64    // of the newest request to the lane; one of an earlier life is never used again
	claim  uint64    // the newest claim of this node before the last load
	// rowsOnly is a load that doesn't say who the user is, while that is asked for: the account, or the directory, which is being looked up then.
	rowsOnly  *lane.Loaded
	lookingUp bool
	// awayUntil is for how long an account that can't be reached is asked again, zero: it could be; askAt is when that is done next, zero: an answer is
	// awaited.
	awayUntil, askAt time.Time
	// numbers counts pushes, to whomever. Hardly any two mailboxes begin with the same: one that was sent on an Attach, as a mailbox moved, pushes in
	// the epoch in which the one before has pushed, and the session must not take its second push for what follows that one's first.
	numbers uint64

	exists   bool
	contacts []ident.UserID // ascending
	blocks   []string       // ascending

	rows     rows
	pending  map[uint64]*pending // appends without answer, by tag
	recent   recent
	senders  senders
	sessions []*attachment // in the order of their first attachment
	kept     int           // bytes of the messages in memory that sessions are to get
	held     hold
	cautious bool // the store was full: nobody is given a message before it is stored

	acks    []store.Ack // for the lane
	purging bool        // the lane has yet to remove all rows
	retryAt time.Time   // when the lane, or a session, is tried again; zero: never

	expiry  expiry
	reload  reload
	handoff handoff
	// freshUntil is when all sessions have told of themselves; relays is what waits for them, nil if nothing does.
	freshUntil time.Time
	relays     *relays
	givenUp    uint64          // Config.GivenUp when the rows were asked for that were read last
	current    *nodepb.Deliver // what is being handled, for the word about a crash
	to         []*attachment   // route's own
}

// waiter is who hears of an append.
type waiter struct {
	ref actors.Ref
	s   *sender
	seq uint64
}

// pending is an append without answer.
type pending struct {
	row     *row
	waiters []waiter
}

func newState(cfg *Config, self actors.Ref, here ident.NodeID, now time.Time) *state {
	return &state{
		cfg: cfg, user: ident.UserID(self.ID), self: self, ref: self.Proto(), here: here,
		tag: uint64(now.UnixNano()), numbers: uint64(uint32(now.UnixNano())), freshUntil: now.Add(freshTime),
	}
}

// wait puts the load off to the end of the first turn: by then it is known whether a session comes. If nobody comes at all, as after a
// crash, it is asked for a little later.
func (st *state) wait(fx *effects) { st.loadAt = fx.now.Add(laneRetry) }

// start asks for the index.
func (st *state) start(fx *effects) {
	st.forgetRows()
	st.begun, st.lookingUp, st.askAt = true, false, time.Time{}
	st.givenUp = fx.givenUp
	st.tag++
	st.loadAt, fx.load = time.Time{}, true
}

// loadFailed hears that the lane had no room for a load, or that the store could not be read.
func (st *state) loadFailed(fx *effects, after time.Duration) { st.loadAt = fx.now.Add(after) }

// lost hears that the lane crashed on a request, and reports whether the mailbox must start anew.
func (st *state) lost(fx *effects, tag uint64) bool {
	if !st.ready {
		if tag == st.tag {
			st.loadFailed(fx, laneRetry)
		}
		return false
	}
	switch tag {
	case st.reload.tag:
		st.reloadFailed(fx, laneRetry)
	case st.handoff.flushing:
		st.flushFailed()
	}
	return st.pending[tag] != nil || st.expiry.reading == tag ||
		slices.ContainsFunc(st.sessions, func(s *attachment) bool { return s.reading == tag })
}

// loaded takes the index. What was stashed is handled by next.
func (st *state) loaded(fx *effects, m *lane.Loaded) {
	if st.ready && m.Tag == st.reload.tag {
		st.reloaded(fx, m)
		return
	}
	if st.ready || m.Tag != st.tag || st.handoff.retiring {
		return
	}
	if m.Err != nil {
		st.loadFailed(fx, loadRetry)
		return
	}
	if m.Info == nil {
		st.setAside(m)
		st.lookingUp = st.cfg.Account == nil
		if fx.lookUp = st.lookingUp; !st.lookingUp {
			st.awayUntil = time.Time{}
			st.ask(fx)
		}
		return
	}
	var brought []*row
	for i := range m.Rows {
		r := &row{Row: m.Rows[i], delayed: true}
		st.rows.add(r)
		if i < len(m.Bodies) && m.Bodies[i] != nil {
			if msg := st.decode(r, m.Bodies[i]); msg != nil {
				st.keep(r, msg)
				brought = append(brought, r)
			}
		}
	}
	st.know(m.Info)
	st.ready, st.claim = true, m.Claim
	for _, m := range st.stash { // what a client has is not to be given to it again
		if a, ok := m.(*nodepb.Ack); ok {
			st.acknowledged(fx, a)
		}
	}
	st.dispatch(fx)
	for _, r := range brought {
		if r.queued == 0 {
			st.hold(r)
		}
	}
}

// next handles the oldest message that came too early, and reports whether there was one.
func (st *state) next(fx *effects) bool {
	if !st.ready || len(st.stash) == 0 || st.unsure(fx) {
		return false
	}
	m := st.stash[0]
	st.stash[0] = nil
	if st.stash = st.stash[1:]; len(st.stash) == 0 {
		st.stash = nil
	}
	st.handle(fx, m)
	return true
}

// early keeps a message that needs the index until that is there, and known to be true, and reports whether it had to.
func (st *state) early(fx *effects, m any) bool {
	switch m.(type) {
	case *nodepb.Ack: // what a session says next, that it ends say, doesn't wait
		if st.ready {
			return false
		}
	case *nodepb.Deliver:
		if st.ready && len(st.stash) == 0 && !st.unsure(fx) {
			return false
		}
	default:
		if st.ready && len(st.stash) == 0 {
			return false
		}
	}
	st.stash = append(st.stash, m)
	return true
}

// message takes a message that needs the index, now or later.
func (st *state) message(fx *effects, m any) {
	if st.leave(fx, m) {
		return
	}
	if d, ok := m.(*nodepb.Deliver); ok && len(st.stash) >= maxStash {
		st.outcome(fx, actors.RefOf(d.GetSenderRef()), d.GetSeq(), nodepb.Code_LATER)
		return
	}
	if !st.early(fx, m) {
		st.handle(fx, m)
	}
}

func (st *state) handle(fx *effects, m any) {
	switch m := m.(type) {
	case *nodepb.Deliver:
		st.deliver(fx, m)
	case *nodepb.Ack:
		st.ack(fx, m)
	case *nodepb.MailboxChange:
		st.change(m)
	case *nodepb.Expired:
		st.expired(fx, m)
	case *lane.Reload:
		st.reloadAsked(fx, m)
	}
}

// change takes what the account says of its user.
func (st *state) change(m *nodepb.MailboxChange) {
	if st.reload.tag != 0 {
		st.reload.changes = append(st.reload.changes, m)
	}
	switch m.GetWhat() {
	case nodepb.MailboxChange_CREATED:
		st.exists = true
	case nodepb.MailboxChange_REMOVED:
		st.exists, st.contacts, st.blocks = false, nil, nil
		for _, r := range slices.Clone(st.rows.order) {
			if !r.gone {
				st.vanish(r)
			}
		}
		st.acks, st.purging = nil, true
	}
	for _, c := range m.GetContactsAdded() {
		if i, known := slices.BinarySearch(st.contacts, ident.UserID(c)); !known {
			st.contacts = slices.Insert(st.contacts, i, ident.UserID(c))
		}
	}
	for _, c := range m.GetContactsRemoved() {
		if i, known := slices.BinarySearch(st.contacts, ident.UserID(c)); known {
			st.contacts = slices.Delete(st.contacts, i, i+1)
		}
	}
}

// bodies takes what was read for a session, or for telling senders of expired messages.
func (st *state) bodies(fx *effects, m *lane.Bodies) {
	if m.Tag == st.expiry.reading {
		st.expiredBodies(fx, m)
		return
	}
	i := slices.IndexFunc(st.sessions, func(s *attachment) bool { return s.reading == m.Tag })
	if i < 0 {
		return
	}
	s := st.sessions[i]
	s.reading = 0
	if m.Err != nil {
		st.later(fx)
		return
	}
	for i, id := range m.IDs {
		r := st.rows.byID[id]
		switch {
		case r == nil || r.msg != nil:
		case m.Bodies[i] == nil:
			st.vanish(r)
		default:
			if msg := st.decode(r, m.Bodies[i]); msg != nil && r.queued > 0 {
				st.keep(r, msg)
			}
		}
	}
	st.pump(fx, s)
}

// decode reads a body. One that can't be read is left in the store for somebody who can, and is nobody's any more here.
func (st *state) decode(r *row, body []byte) *chatpb.Message {
	msg := &chatpb.Message{}
	if err := proto.Unmarshal(body, msg); err != nil {
		st.cfg.Counters.Unreadable.Add(1)
		st.vanish(r)
		return nil
	}
	return msg
}

// readFailed hears that the lane had no room for a read.
func (st *state) readFailed(fx *effects, tag uint64) {
	if tag == st.expiry.reading {
		st.expiry.give()
		return
	}
	for _, s := range st.sessions {
		if s.reading == tag {
			s.reading = 0
		}
	}
	st.later(fx)
}

// keep and drop have a row's message in memory, for a session that is to get it, and not.
func (st *state) keep(r *row, msg *chatpb.Message) {
	if r.msg == nil {
		r.msg = msg
		st.kept += r.cost()
	}
}

func (st *state) drop(r *row) {
	if r.msg != nil {
		st.unhold(r)
		r.msg = nil
		st.kept -= r.cost()
	}
}

// enters and leaves note that a row is in one session's todo, and no longer.
func (st *state) enters(r *row) {
	r.queued++
	st.unhold(r)
}

func (st *state) leaves(r *row) {
	if r.queued--; r.queued == 0 {
		st.hold(r)
	}
}

// vanish takes a row out of the queue and from those who were to get it.
func (st *state) vanish(r *row) {
	st.rows.remove(r)
	st.drop(r)
	for _, s := range slices.Clone(r.holders) {
		st.rows.release(r, s)
	}
}

// delete takes a row out for good: somebody has it. Sessions that are still to get their copy get it if it is in memory.
func (st *state) delete(fx *effects, r *row) {
	st.rows.remove(r)
	for _, s := range slices.Clone(r.holders) {
		st.rows.release(r, s)
	}
	if r.queued == 0 {
		st.drop(r)
	}
	st.deleteUnread(fx, r.ID)
}

// deleteUnread deletes a row that isn't here, or no more.
func (st *state) deleteUnread(fx *effects, id ident.MessageID) {
	st.recent.add(id, fx.now)
	st.reload.deleted(id)
	st.acks = append(st.acks, store.Ack{Mailbox: st.user, ID: id, Delete: true})
}

// later has the lane, or a session, tried again in a moment.
func (st *state) later(fx *effects) {
	if st.retryAt.IsZero() {
		st.retryAt = fx.now.Add(laneRetry)
	}
}

// endTurn asks for what the turn came to: pushes, acknowledgements; the index at first.
func (st *state) endTurn(fx *effects) {
	if !st.begun && !st.handoff.retiring {
		st.start(fx)
	}
	if st.held.bytes > 0 && st.held.at.IsZero() {
		st.held.at = fx.now.Add(heldTime)
	}
	for _, s := range st.sessions {
		st.flush(fx, s)
	}
	if st.purging && st.retryAt.IsZero() {
		st.purging, fx.purge = false, true
		st.reload.void()
	}
}

// takeAcks returns the acknowledgements that are due to the lane; acksRefused takes them back if it has no room.
func (st *state) takeAcks() []store.Ack {
	if len(st.acks) == 0 || !st.retryAt.IsZero() {
		return nil
	}
	acks := st.acks
	st.acks = nil
	return acks
}

func (st *state) acksRefused(fx *effects, acks []store.Ack) {
	st.acks = append(acks, st.acks...)
	st.later(fx)
}

func (st *state) purgeFailed(fx *effects) {
	st.purging = true
	st.later(fx)
}

// nextTick is when tick has something to do; zero: never, as things stand.
func (st *state) nextTick() time.Time {
	at := st.retryAt
	for _, t := range []time.Time{st.loadAt, st.askAt, st.reload.at, st.held.at, st.expiry.next(), st.relaysDue()} {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	return at
}

// tick does what has become due.
func (st *state) tick(fx *effects) {
	due := func(t time.Time) bool { return !t.IsZero() && !t.After(fx.now) }
	if due(st.loadAt) {
		st.start(fx)
	}
	if due(st.askAt) {
		st.ask(fx)
	}
	if due(st.reload.at) {
		st.beginReload(fx)
	}
	if due(st.held.at) {
		st.letGo(fx.now)
	}
	if due(st.retryAt) {
		st.retryAt = time.Time{}
		for _, s := range st.sessions {
			s.full = false
			st.pump(fx, s)
		}
	}
	if due(st.relaysDue()) {
		st.relayKept(fx)
	}
	if due(st.expiry.next()) {
		st.follow(fx, st.expiry.outbox.Tick(fx.now))
	}
}

// mayPassivate reports whether the mailbox holds nothing that isn't in the store.
func (st *state) mayPassivate(now time.Time) bool {
	st.senders.sweep(now)
	forgotten := st.recent.forget(now)
	return forgotten && st.ready && len(st.sessions) == 0 && len(st.pending) == 0 && len(st.acks) == 0 && !st.purging &&
		len(st.senders.m) == 0 && st.expiry.idle() && !st.reload.busy() && st.relays == nil
}

// crashed tells the senders what they can't know: the message that the mailbox crashed on, which Outcome says to be of
// unknown outcome, and that all else without outcome is to be sent again.
func (st *state) crashed(answer func(to actors.Ref, m *nodepb.Outcome)) {
	told := map[actors.Ref]bool{}
	if d := st.current; d != nil {
		answer(actors.RefOf(d.GetSenderRef()), &nodepb.Outcome{From: st.ref, Seq: d.GetSeq(), Code: nodepb.Code_OUTCOME_UNKNOWN})
		told[actors.RefOf(d.GetSenderRef())] = true
	}
	again := func(ref actors.Ref) {
		if !told[ref] {
			told[ref] = true
			answer(ref, &nodepb.Outcome{From: st.ref, Code: nodepb.Code_GAP})
		}
	}
	for _, m := range append(st.stash, st.handoff.left...) {
		if d, ok := m.(*nodepb.Deliver); ok {
			again(actors.RefOf(d.GetSenderRef()))
		}
	}
	for _, p := range st.pending {
		for _, w := range p.waiters {
			again(w.ref)
		}
	}
}
