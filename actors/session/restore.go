package session

import (
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

// What a session does when its account or its mailbox is lost: it tells whoever is in its place what the other one knew. After a
// crash that is the same actor again, and told at once. Where a node was lost, or the actor moves to another, many sessions hear of
// it together: they spread over spreadTime.
const (
	spreadTime = time.Second
	// quietTime is for how long others may have been without word of this client and not been told that it is gone: an account
	// waits a little longer for a session of a lost node.
	quietTime = 20 * time.Second
	// doubtTime is how long before the loss of its node was noticed an account may have been gone.
	doubtTime = 15 * time.Second
	// hearTime is how long it may take until a session hears that its account was not to be reached, or didn't know it.
	hearTime = 2 * time.Second
)

// loss is that of the account or of the mailbox.
type loss struct {
	due       bool      // it must be told of this session again
	unwatched bool      // and watched again
	since     time.Time // when it was lost
	told      time.Time // when it was last told
}

// down hears of the end of an actor that the session depends on. Neither is told more often than once a second, should they end
// all the time.
func (st *state) down(fx *effects, target actors.Ref, reason actors.Reason) {
	if target == st.account() && reason.Code == actors.CodeNoConnection && !st.doubts() {
		st.lostAt = fx.now
	}
	if st.phase != bound && st.phase != detached {
		if target == st.mail() {
			st.mailMoved(fx)
		}
		return
	}
	l := &st.lostAccount
	if target == st.mail() {
		l = &st.lostMail
	}
	l.unwatched = true
	at := fx.now
	switch reason.Code {
	case actors.CodeNoConnection, actors.CodeShutdown, actors.CodeNormal:
		at = at.Add(st.jitter(spreadTime))
	}
	st.missing(fx, l, at)
}

// forgotten takes that the account or the mailbox doesn't know this session, though nothing was heard of its end.
func (st *state) forgotten(fx *effects, l *loss) {
	st.missing(fx, l, fx.now.Add(st.jitter(spreadTime)))
}

// missing has one of the two told again, at the given time.
func (st *state) missing(fx *effects, l *loss, at time.Time) {
	if !l.due {
		l.due, l.since = true, fx.now
	}
	if again := l.told.Add(retryTime); again.After(at) {
		at = again
	}
	if advance(&st.retryAt, at); passed(st.retryAt, fx.now) {
		st.retry(fx)
	}
}

// advance makes a time that is set, or not, no later than at.
func advance(t *time.Time, at time.Time) {
	if t.IsZero() || at.Before(*t) {
		*t = at
	}
}

// rebindAsked is the word of the account or the mailbox that it doesn't know this session.
func (st *state) rebindAsked(fx *effects, m *nodepb.Rebind) {
	switch {
	case st.phase == handing && m.GetUnheard() && actors.RefOf(m.GetFrom()) == st.account():
		st.owe(fx, st.presence) // for the heir to tell
		return
	case st.phase != bound && st.phase != detached:
		return
	}
	switch actors.RefOf(m.GetFrom()) {
	case st.mail():
		st.forgotten(fx, &st.lostMail)
	case st.account():
		st.forgotten(fx, &st.lostAccount)
		if m.GetUnheard() {
			st.owe(fx, st.presence)
			if st.refreshing {
				advance(&st.refreshAt, fx.now.Add(retryTime))
			}
		}
	}
}

// retry tells account and mailbox what they had no room for, or have lost.
func (st *state) retry(fx *effects) {
	st.retryAt = time.Time{}
	if st.lostAccount.unwatched {
		fx.watch = append(fx.watch, st.account())
	}
	if st.lostMail.unwatched {
		fx.watch = append(fx.watch, st.mail())
	}
	st.lostAccount.unwatched, st.lostMail.unwatched = false, false
	if st.lostMail.due {
		st.lostMail = loss{told: fx.now}
		st.reattach(fx)
		st.mailMoved(fx)
	}
	switch {
	case st.lostAccount.due:
		old := st.lostAccount
		st.lostAccount = loss{told: fx.now}
		st.restore(fx, old)
	case st.untold != nil:
		st.tellPresence(fx, st.untold)
	}
}

// restore binds the session at an account that has lost it.
func (st *state) restore(fx *effects, l loss) {
	req := &nodepb.Bind{Session: st.ref, Resource: st.resource, Resumed: true, Since: st.since.UnixMicro(), Interested: st.interested}
	if st.sm.id != st.self.ID {
		req.Stream = st.sm.id
	}
	fx.call(st.account(), req, readTime, func(fx *effects, v any, err error) {
		if st.phase != bound && st.phase != detached {
			return
		}
		switch code := codeOf(v, err); {
		case unsure(code):
			st.missing(fx, &st.lostAccount, fx.now.Add(retryTime))
			st.lostAccount.since = l.since
		case code == nodepb.Code_ALREADY_EXISTS:
			st.endSession(fx, &nodepb.EndSession{Condition: xmpp.Conflict, Text: "another client has taken this resource"})
		case code != nodepb.Code_OK:
			st.endSession(fx, &nodepb.EndSession{Condition: xmpp.NotAuthorized})
		case st.interested && st.roster != 0 && v.(*nodepb.Bound).GetDigest() != st.roster:
			// The roster has changed while nobody could be told. The client comes again and reads it.
			st.endSession(fx, &nodepb.EndSession{Condition: xmpp.Reset, Text: "the roster has changed"})
		default:
			st.restorePresence(fx, fx.now.Sub(l.since) < quietTime && !st.doubts())
		}
	})
}

// doubts reports whether what others have to hear, and the account was told last, may have been lost with its node.
func (st *state) doubts() bool { return !st.lostAt.IsZero() && st.toldWithin(doubtTime, st.lostAt) }

// toldWithin reports whether the account was told that no longer before a time.
func (st *state) toldWithin(d time.Duration, before time.Time) bool {
	return st.toldAt.Add(d).After(before)
}

// restorePresence tells an account that has just learned of this session the rest. quiet: the contacts know it.
func (st *state) restorePresence(fx *effects, quiet bool) {
	if st.untold != nil {
		st.tellPresence(fx, st.untold)
	} else if st.presence != nil {
		p := &nodepb.SetPresence{
			Session: st.ref, Resource: st.resource, Available: true, Priority: st.presence.Priority,
			Id: st.presence.Id, Lang: st.presence.Lang, Payload: st.presence.Payload, Quiet: quiet,
		}
		st.presence = p
		st.tellPresence(fx, p)
	}
}
