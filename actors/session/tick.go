package session

import (
	"time"

	"github.com/jackdaw-im/jackdaw/xmpp"
)

// nextTick is when tick has something to do; zero: never, as things stand.
func (st *state) nextTick(now time.Time) time.Time {
	next := st.until
	sooner := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	sooner(st.retryAt)
	sooner(st.refreshAt)
	sooner(st.standAt)
	if st.outbox != nil {
		sooner(st.outbox.Next())
	}
	for _, queue := range st.subs {
		sooner(queue[0].retry)
	}
	for _, a := range st.attempts {
		sooner(a.due)
	}
	if st.auth != nil {
		sooner(st.auth.due)
	}
	if st.phase != bound {
		return next
	}
	if st.repeats != nil {
		sooner(st.repeats.until)
	}
	sooner(st.ask.overdue(st.PingTimeout))
	if st.ask.opened.IsZero() {
		sooner(st.heard.Add(st.IdlePing))
	}
	_, at := st.ask.due(now, &st.out, st.sm.on)
	sooner(at)
	_, at = st.sm.answerDue(now, st.in.handled)
	sooner(at)
	return next
}

// tick does what has become due. Questions to the client and answers to it are written by fill.
func (st *state) tick(fx *effects) {
	if st.phase == bound && passed(st.ask.overdue(st.PingTimeout), fx.now) {
		st.unanswered(fx)
	}
	if st.phase == bound && st.repeats != nil && passed(st.repeats.until, fx.now) {
		st.unfaithful(fx)
	}
	if passed(st.until, fx.now) {
		st.expire(fx)
	}
	if passed(st.retryAt, fx.now) {
		st.retry(fx)
	}
	if passed(st.refreshAt, fx.now) {
		st.refresh(fx)
	}
	if passed(st.standAt, fx.now) {
		st.stand(fx)
	}
	if st.auth != nil && passed(st.auth.due, fx.now) {
		st.resumeLogin(fx)
	}
	if st.outbox != nil {
		st.tickOutbox(fx)
	}
	st.retrySubscriptions(fx)
	st.tryAgain(fx)
	st.late = st.late.age(fx.now)
}

// passed reports whether a time that is set has come.
func passed(t, now time.Time) bool { return !t.IsZero() && !t.After(now) }

// unanswered closes a connection whose client doesn't answer. A resumable session waits for the client to come back.
func (st *state) unanswered(fx *effects) {
	st.Counters.Unanswered.Add(1)
	fx.out = (&xmpp.StreamError{Condition: xmpp.ConnectionTimeout}).Append(fx.out)
	fx.text(streamEnd)
	fx.close = true
	st.lost(fx)
}

// expire ends the patience of the present phase.
func (st *state) expire(fx *effects) {
	switch st.phase {
	case opening, login, reopening, binding:
		st.fail(fx, xmpp.ConnectionTimeout, "")
	case detached:
		st.leave(fx)
	case handing:
		st.give(fx)
	case given:
		fx.stop = true
	}
	// closing and lingering end when the turn does (fill, settle)
}
