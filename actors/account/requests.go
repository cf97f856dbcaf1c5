package account

import (
	"errors"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store"
)

const (
	// retryTime is the pause before a write of unknown outcome, or a read that went wrong, is repeated.
	retryTime = time.Second
	// maxTries is how often a write is tried before its caller is told that the outcome is unknown.
	maxTries = 5
)

// work is one change on its way to the store.
type work struct {
	req   message
	write func(store.Engine) (any, error)
	// commit makes the change visible once write has returned v, and returns the answer.
	commit func(fx *effects, v any) proto.Message
	// happened reports, after the account was read again, whether a write of unknown outcome has been done after all; v is
	// what it would have returned.
	happened func() (v any, yes bool)
	// gone is the answer to store.ErrNotFound where that needs no second look; nil: the account is read again.
	gone proto.Message

	tries   int
	unknown bool      // a try has ended without a definite answer
	retryAt time.Time // when the next one is due; zero: one is under way
}

// receive takes one message. Until the account is read, messages wait in order.
func (st *state) receive(fx *effects, m message) {
	if !st.loading && st.outdated(fx) {
		st.load(fx)
		st.again = true
	}
	if !st.loading {
		st.handle(fx, m)
		return
	}
	if len(st.stash) >= maxWaiting {
		st.refuse(fx, m, nodepb.Code_LATER)
		return
	}
	st.stash = append(st.stash, m)
}

// handle takes one message of a known account.
func (st *state) handle(fx *effects, m message) {
	switch former := st.formers(m.msg); {
	case former:
		st.refuseFormer(fx, m)
		return
	case st.stale(fx) && isLogin(m.msg): // by a password that may be another by now
		st.refuse(fx, m, nodepb.Code_LATER)
		return
	}
	switch req := m.msg.(type) {
	case *nodepb.GetCredentials:
		fx.answer(m, st.credentials(fx.now))
	case *nodepb.LoginResult:
		st.throttle.result(req.GetOk(), fx.now)
		fx.throttled = true
	case *nodepb.Bind:
		st.handleBind(fx, m, req)
	case *nodepb.Unbind:
		fx.cast(st.unbind(req, fx.now)...)
	case *nodepb.SetPresence:
		fx.cast(st.setPresence(fx, req)...)
	case *nodepb.Presence:
		fx.cast(st.presenceIn(fx, req)...)
	case *nodepb.GetRoster:
		fx.answer(m, st.roster(actors.RefOf(req.GetSession())))
	case *nodepb.FindStream:
		fx.answer(m, st.find(req.GetId(), fx.now))
	case *nodepb.GetMailboxInfo:
		fx.answer(m, st.mailboxInfo())
	default: // what changes the account, or may have to wait for what does
		if len(st.backlog) >= maxWaiting {
			st.refuse(fx, m, nodepb.Code_LATER)
			return
		}
		st.backlog = append(st.backlog, m)
		st.next(fx)
	}
}

func (st *state) handleBind(fx *effects, m message, req *nodepb.Bind) {
	ref := actors.RefOf(req.GetSession())
	b, casts := st.bind(req, fx.fresh(), fx.now)
	fx.cast(casts...)
	s := st.byRef(ref)
	if s != nil && req.GetResumed() && req.GetReplaces() == nil && fx.now.Before(s.learntAt.Add(learnPause)) {
		b = &nodepb.Bound{Code: nodepb.Code_LATER} // so that the digest doesn't come before what it is of
	}
	fx.answer(m, b)
	if s != nil && s.unwatched {
		s.unwatched = false
		fx.watch = append(fx.watch, ref)
	}
}

// refuse answers a message that is not taken. A cast is dropped: presence is best effort, and of a session's end the
// account hears by its monitor.
func (st *state) refuse(fx *effects, m message, code nodepb.Code) {
	if v := refusal(m.msg, code); v != nil {
		fx.answer(m, v)
	} else if m.from != nil {
		fx.replies = append(fx.replies, reply{to: *m.from, err: actors.ErrOverloaded})
	}
}

// refusal is the answer with a code to each request that has one.
func refusal(req any, code nodepb.Code) proto.Message {
	switch req.(type) {
	case *nodepb.Bind:
		return &nodepb.Bound{Code: code}
	case *nodepb.GetRoster:
		return &nodepb.Roster{Code: code}
	case *nodepb.FindStream:
		return &nodepb.StreamFound{Code: code}
	case *nodepb.SetRoster:
		return &nodepb.RosterChanged{Code: code}
	case *nodepb.Subscription:
		return &nodepb.SubscriptionDone{Code: code}
	case *nodepb.CreateAccount, *nodepb.SetPassword, *nodepb.RemoveAccount:
		return &nodepb.AccountChanged{Code: code}
	}
	return nil
}

// next begins the changes that wait, one at a time.
func (st *state) next(fx *effects) {
	for st.work == nil && !st.loading && len(st.backlog) > 0 {
		m := st.backlog[0]
		if st.backlog = st.backlog[1:]; len(st.backlog) == 0 {
			st.backlog = nil
		}
		st.begin(fx, m)
	}
}

// begin decides one change and has it written, or answers at once.
func (st *state) begin(fx *effects, m message) {
	if st.formers(m.msg) { // it has waited since before
		st.refuseFormer(fx, m)
		return
	}
	if _, ok := m.msg.(*nodepb.MailboxChange); ok {
		st.load(fx)
		st.again = true
		return
	}
	w, answer := st.decide(m, fx.now)
	if w == nil {
		fx.answer(m, answer)
		return
	}
	w.req = m
	st.work = w
	st.try(fx)
}

func (st *state) decide(m message, now time.Time) (*work, proto.Message) {
	switch req := m.msg.(type) {
	case *nodepb.SetRoster:
		ch, a := st.prepareSet(req.GetItem())
		if ch == nil {
			return nil, a.roster
		}
		return st.rosterWork(ch, ch.answer.roster), nil
	case *nodepb.Subscription:
		ch, a := st.prepareSubscription(req)
		if ch == nil {
			return nil, a.sub
		}
		return st.rosterWork(ch, ch.answer.sub), nil
	case *nodepb.CreateAccount:
		return st.create(req, now)
	case *nodepb.SetPassword:
		return st.setPassword(req)
	case *nodepb.RemoveAccount:
		return st.removal(), nil
	}
	return nil, nil
}

// try has the change written.
func (st *state) try(fx *effects) {
	st.work.tries++
	st.work.retryAt, st.wroteAt = time.Time{}, fx.now
	fx.store = st.work.write
}

// stored takes the result of what the store was asked for.
func (st *state) stored(fx *effects, v any, err error) {
	if st.loading {
		s, _ := v.(*snapshot)
		st.loaded(fx, s, err)
		return
	}
	w := st.work
	if w == nil {
		return
	}
	switch code := codeOf(err, w.unknown); {
	case err == nil:
		st.finish(fx, w.commit(fx, v))
	case errors.Is(err, store.ErrNotFound) && w.gone != nil:
		st.finish(fx, w.gone)
	case code == nodepb.Code_GAP:
		st.load(fx)
	case code != nodepb.Code_OUTCOME_UNKNOWN:
		st.finish(fx, refusal(w.req.msg, code))
	case w.tries < maxTries:
		w.unknown, w.retryAt = true, fx.now.Add(retryTime)
	default:
		st.work = nil
		fx.answer(w.req, refusal(w.req.msg, code))
		st.load(fx)
	}
}

// codeOf says what the error of a write comes to. GAP: the account was changed by somebody else. unknown says that an
// earlier try may have been done, so that it isn't enough that this one was not.
func codeOf(err error, unknown bool) nodepb.Code {
	switch {
	case errors.Is(err, store.ErrRevision), errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrExists):
		return nodepb.Code_GAP
	case unknown:
	case errors.Is(err, store.ErrFull):
		return nodepb.Code_STORE_FULL
	case errors.Is(err, store.ErrInvalid):
		return nodepb.Code_BAD_REQUEST
	case errors.Is(err, store.ErrClosed), errors.Is(err, actors.ErrOverloaded), errors.Is(err, actors.ErrNoProc):
		return nodepb.Code_LATER
	}
	return nodepb.Code_OUTCOME_UNKNOWN
}

// finish answers the change under way and goes on to the next.
func (st *state) finish(fx *effects, v proto.Message) {
	w := st.work
	st.work = nil
	fx.answer(w.req, v)
	st.next(fx)
}

// tick does what has become due.
func (st *state) tick(fx *effects) {
	if st.loading && due(st.loadAt, fx.now) {
		st.load(fx)
	}
	if st.work != nil && !st.loading && due(st.work.retryAt, fx.now) {
		st.try(fx)
	}
	casts, _ := st.expire(fx.now)
	fx.cast(casts...)
	st.payUp(fx)
	st.absent.sweep(fx.now)
	fx.cast(st.answerAsking(fx.now)...)
}

func due(at, now time.Time) bool { return !at.IsZero() && !at.After(now) }

// nextTick is when tick is to be called; zero: never.
func (st *state) nextTick() (next time.Time) {
	sooner := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	if st.loading {
		sooner(st.loadAt)
	} else if st.work != nil {
		sooner(st.work.retryAt)
	}
	for _, s := range st.sessions {
		sooner(s.leavesAt)
	}
	if len(st.owed) > 0 {
		sooner(st.owed[0].due)
	}
	sooner(st.absent.until)
	if len(st.asking) > 0 {
		sooner(st.began.Add(freshTime))
	}
	return next
}

// mayRest reports whether the account can be read again from the store without loss.
func (st *state) mayRest() bool {
	return !st.loading && st.work == nil && len(st.sessions) == 0 && len(st.owed) == 0 && len(st.asking) == 0
}

// retire makes an end because the account moves to another node, and reports whether nobody waits for an answer any more. What
// other nodes have not taken is sent once more, whichever way leads there now.
func (st *state) retire(fx *effects) bool {
	st.leaving = true
	for i := range st.owed {
		st.owed[i].due = fx.now
	}
	st.payUp(fx)
	for q := range st.asking { // whoever has the account next knows better
		fx.cast(cast{Ref(st.user), q.probe()})
	}
	st.asking = nil
	if st.loading || st.work != nil || len(st.backlog)+len(st.stash) > 0 {
		return false
	}
	st.bequeath(fx)
	return true
}

// abandon answers everybody who waits, because the actor ends. What it was only told isn't for the next one, who hears newer things directly:
// sessions tell it anew themselves.
func (st *state) abandon(fx *effects, err error) {
	all := append(st.backlog, st.stash...)
	if st.work != nil {
		all = append(all, st.work.req)
	}
	for _, m := range all {
		if m.from != nil {
			fx.replies = append(fx.replies, reply{to: *m.from, err: err})
		}
	}
	st.work, st.backlog, st.stash = nil, nil, nil
}
