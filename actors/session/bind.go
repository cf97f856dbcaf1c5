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
			if old := b.GetReplaced(); old != nil && st.replaces == nil { // of whose end the mailbox may hear later
				st.replaces = old
			}
			st.become(fx, b.GetResource())
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

// attach tells the mailbox all it needs to know of this session. One that is lost is told when its time has come.
func (st *state) attach(fx *effects) {
	if st.lostMail.due {
		return
	}
	fx.answer(st.mail(), &nodepb.Attach{
		Session: st.ref, Resource: st.resource, Epoch: st.epoch,
		Connected: st.phase == bound, Available: st.presence != nil, Priority: st.presence.GetPriority(),
		Credit: creditWindow, Replaces: st.replaces,
	})
	st.replaces = nil
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
