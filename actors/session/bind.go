package session

import (
	"time"

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
	st.since = fx.now
	req := &nodepb.Bind{Session: st.ref, Resource: resource, Since: st.since.UnixMicro()}
	st.insist(fx, st.account(), req, readTime, func(fx *effects, v any, err error) {
		if st.phase != binding {
			// The stream ended meanwhile; the account may have bound it.
			fx.answer(st.account(), &nodepb.Unbind{Session: st.ref})
			return
		}
		if code := codeOf(v, err); code != nodepb.Code_OK {
			st.refuse(fx, r.e, errorWith(code, "too many resources of this account are connected"))
		} else {
			b := v.(*nodepb.Bound)
			old := b.GetReplaced()
			if old != nil && st.replaces == nil { // of whose end the mailbox may hear later
				st.replaces = old
			}
			st.become(fx, b.GetResource())
			if old != nil {
				st.attachFirst(fx, r)
				return
			}
			st.attach(fx)
			st.boundResult(fx, r)
		}
		st.done(fx, r.n)
		st.ready(fx)
	})
}

// boundResult tells the client its address.
func (st *state) boundResult(fx *effects, r request) {
	st.result(fx, r, func(dst []byte) []byte {
		dst = append(dst, "<bind xmlns='"+nsBind+"'><jid>"...)
		return append(xmpp.AppendEscaped(dst, st.full), "</jid></bind>"...)
	})
}

// attachTime is how long a client that takes another one's resource waits for the mailbox.
const attachTime = time.Second

// attachFirst tells the client its address once the mailbox knows that the resource is this session's: until then what is sent to that
// address comes to nobody. The session is bound and busy meanwhile, and what comes for the client waits.
func (st *state) attachFirst(fx *effects, r request) {
	fx.call(st.mail(), st.attachment(), attachTime, func(fx *effects, v any, err error) {
		if _, ok := v.(*nodepb.Attached); ok && err == nil {
			st.replaces = nil
		} else if st.phase == bound { // an older version, or it is on the move
			st.attach(fx)
		}
		if st.phase == bound {
			st.boundResult(fx, r)
		}
		st.done(fx, r.n)
		if st.phase != bound {
			return
		}
		parked := st.parked
		st.busy, st.parked = false, nil
		for _, m := range parked {
			st.relayIn(fx, m)
		}
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

// attach tells the mailbox all it needs to know of this session. One that is lost is told when its time has come.
func (st *state) attach(fx *effects) {
	if st.lostMail.due {
		return
	}
	fx.answer(st.mail(), st.attachment())
	st.replaces = nil
}

// attachment is the session as it is now, for the mailbox.
func (st *state) attachment() *nodepb.Attach {
	st.attached++
	st.stood = st.standing()
	return &nodepb.Attach{
		Session: st.ref, Resource: st.resource, Epoch: st.epoch,
		Connected: st.phase == bound, Available: st.presence != nil, Priority: st.presence.GetPriority(),
		Credit: creditWindow, Replaces: st.replaces, Number: st.attached,
	}
}

// begins begins a new epoch, whose credit is whole again.
func (st *state) begins() {
	st.epoch++
	st.pushed, st.acks.credit = 0, 0
}

// reattach begins a new epoch: what the mailbox had in flight to this session is void. Rows that were written and not
// acknowledged stay on the list, so that they aren't written twice when the mailbox pushes them again.
func (st *state) reattach(fx *effects) {
	st.begins()
	st.rewritten = st.out.sent
	st.held, st.unreturned = nil, 0
	st.castAllAcks(fx) // before it reads what they are of
	st.attach(fx)
}
