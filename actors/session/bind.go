package session

import (
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

// credit is how many bytes of rows the mailbox may have on their way to one session.
const creditWindow = 128 << 10

// bindIQ binds a resource (RFC 6120 section 7).
func (st *state) bindIQ(fx *effects, r request) {
	resource := ""
	if c := r.query.Child(nsBind, "resource"); c != nil {
		resource = c.Text()
	}
	if resource != "" {
		j, err := xmpp.ParseJID(string(st.user) + "/" + resource)
		if err != nil {
			st.refuse(fx, r.e, xmpp.BadRequest)
			st.done(fx, r.n)
			return
		}
		resource = j.Resource
	}
	if st.phase != binding {
		st.refuse(fx, r.e, xmpp.NotAllowed)
		st.done(fx, r.n)
		return
	}
	st.busy = true
	req := &nodepb.Bind{Session: st.ref, Resource: resource}
	fx.call(st.account(), req, accountTimeout, func(fx *effects, v any, err error) {
		if st.phase != binding {
			// The stream ended meanwhile; the account may have bound it.
			fx.answer(st.account(), &nodepb.Unbind{Session: st.ref})
			return
		}
		if code := codeOf(v, err); code != nodepb.Code_OK {
			st.refuse(fx, r.e, errorWith(code, "too many resources of this account are connected"))
		} else {
			st.become(fx, v.(*nodepb.Bound).GetResource())
			st.attach(fx)
			st.result(fx, r, func(dst []byte) []byte {
				dst = append(dst, "<bind xmlns='"+nsBind+"'><jid>"...)
				return append(xmpp.AppendEscaped(dst, st.full), "</jid></bind>"...)
			})
		}
		st.done(fx, r.n)
		st.ready(fx)
	})
}

// become makes the session a bound one.
func (st *state) become(fx *effects, resource string) {
	st.phase, st.until = bound, time.Time{}
	st.resource, st.full = resource, string(st.user)+"/"+resource
	st.epoch = 1
	fx.watch = append(fx.watch, st.account(), st.mail())
}

// attach tells the mailbox all it needs to know of this session.
func (st *state) attach(fx *effects) {
	fx.answer(st.mail(), &nodepb.Attach{
		Session: st.ref, Resource: st.resource, Epoch: st.epoch,
		Connected: st.phase == bound, Available: st.presence != nil, Priority: st.presence.GetPriority(),
		Credit: creditWindow,
	})
}

// reattach begins a new epoch: what the mailbox had in flight to this session is void. Rows that were written and not
// acknowledged stay on the list, so that they aren't written twice when the mailbox pushes them again.
func (st *state) reattach(fx *effects) {
	st.epoch++
	st.rewritten = st.out.sent
	st.held, st.unreturned, st.acks.credit = nil, 0, 0
	st.attach(fx)
}

// down hears of the end of an actor that the session depends on. Account and mailbox are told anew what they knew; they
// are not told more often than once a second, should they crash all the time.
func (st *state) down(fx *effects, target actors.Ref) {
	if st.phase != bound && st.phase != detached {
		return
	}
	if target == st.mail() {
		st.lostMail = true
	} else {
		st.lostAccount = true
	}
	if at := st.lostAt.Add(retryTime); at.After(fx.now) {
		st.unknown, st.retryAt = true, at
		return
	}
	st.lostAt = fx.now
	st.restore(fx)
}

// retry tells account and mailbox what they had no room for, or have lost.
func (st *state) retry(fx *effects) {
	st.retryAt = time.Time{}
	switch {
	case st.unknown:
		st.restore(fx)
	case st.untold != nil:
		st.tellPresence(fx, st.untold)
	}
}

// restore tells account and mailbox all they knew of this session, and watches again what was lost.
func (st *state) restore(fx *effects) {
	st.unknown = false
	if st.lostAccount {
		fx.watch = append(fx.watch, st.account())
	}
	if st.lostMail {
		fx.watch = append(fx.watch, st.mail())
	}
	st.lostAccount, st.lostMail = false, false
	req := &nodepb.Bind{Session: st.ref, Resource: st.resource, Resumed: true}
	fx.call(st.account(), req, accountTimeout, func(fx *effects, v any, err error) {
		if st.phase != bound && st.phase != detached {
			return
		}
		switch code := codeOf(v, err); {
		case unsure(code):
			st.unknown, st.retryAt = true, fx.now.Add(retryTime)
		case code != nodepb.Code_OK:
			st.endSession(fx, &nodepb.EndSession{Condition: string(xmpp.NotAuthorized)})
		default:
			st.restorePresence(fx)
		}
	})
	st.reattach(fx)
}

// restorePresence tells an account that has just learned of this session the rest.
func (st *state) restorePresence(fx *effects) {
	if st.untold != nil {
		st.tellPresence(fx, st.untold)
	} else if st.presence != nil {
		p := &nodepb.SetPresence{
			Session: st.ref, Resource: st.resource, Available: true, Priority: st.presence.Priority,
			Id: st.presence.Id, Lang: st.presence.Lang, Payload: st.presence.Payload, Quiet: true,
		}
		st.presence = p
		st.tellPresence(fx, p)
	}
	if st.interested {
		fx.call(st.account(), &nodepb.GetRoster{Session: st.ref}, accountTimeout, func(*effects, any, error) {})
	}
}
