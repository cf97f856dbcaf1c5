package session

import (
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

// subscription is one subscription stanza on its way (RFC 6121 section 3): the own account commits its half, then the
// contact's account, and what that one answers by itself goes back to the own one. It is kept, and each step repeated,
// until all have answered; the steps are idempotent.
type subscription struct {
	contact string // bare JID
	typ     nodepb.PresenceType
	id      string
	payload []byte
	n       uint64 // inbound number to mark as handled; 0: none
	quiet   bool   // made by the server: the client is told of no error

	step  step
	reply nodepb.PresenceType // step back
	// again is set once a step was tried before: what its answer says is done may have been done by the first try.
	again bool
	until time.Time // when it is given up
	retry time.Time // when the step is tried again; zero while an answer is awaited
}

// step is where a subscription is.
type step uint8

const (
	toOwn step = iota
	toContact
	back
)

const (
	// subscriptionTime is how long a subscription is tried.
	subscriptionTime = 30 * time.Second
	// subscriptionTry is how long one answer is awaited.
	subscriptionTry = 5 * time.Second
)

// subscriptionStanza takes subscribe, subscribed, unsubscribe or unsubscribed from the client.
func (st *state) subscriptionStanza(fx *effects, e *xmpp.Element, kind nodepb.PresenceType, n uint64) {
	to, err := xmpp.ParseJID(e.Attr("to"))
	_, service := st.Services[to.Bare()]
	switch {
	case e.Attr("to") == "" || err == nil && to.Bare() == st.user:
		st.refuse(fx, e, xmpp.BadRequest)
	case err != nil:
		st.refuse(fx, e, xmpp.JIDMalformed)
	case to.Domain != st.Domain:
		st.refuse(fx, e, xmpp.RemoteServerNotFound)
	case to.Local == "" || service:
		st.refuse(fx, e, xmpp.ServiceUnavailable)
	default:
		st.subscribe(fx, &subscription{contact: string(to.Bare()), typ: kind, id: e.Attr("id"), payload: payload(e), n: n})
		return
	}
	st.done(fx, n)
}

// subscribe starts a subscription, after those to the same contact that are under way.
func (st *state) subscribe(fx *effects, s *subscription) {
	if st.subs == nil {
		st.subs = map[string][]*subscription{}
	}
	st.subs[s.contact] = append(st.subs[s.contact], s)
	if len(st.subs[s.contact]) == 1 {
		s.until = fx.now.Add(subscriptionTime)
		st.try(fx, s)
	}
}

// try sends the request of the present step.
func (st *state) try(fx *effects, s *subscription) {
	req := &nodepb.Subscription{From: string(st.user), To: s.contact, Type: s.typ, Id: s.id, Payload: s.payload}
	ref := st.account()
	switch s.step {
	case toContact:
		req.Inbound, ref = true, accountOf(ident.UserID(s.contact))
	case back:
		*req = nodepb.Subscription{Inbound: true, From: s.contact, To: string(st.user), Type: s.reply}
	}
	s.retry = time.Time{}
	fx.call(ref, req, subscriptionTry, func(fx *effects, v any, err error) {
		if queue := st.subs[s.contact]; len(queue) == 0 || queue[0] != s {
			return // the client has gone on elsewhere, and repeats it there
		}
		code := codeOf(v, err)
		if unsure(code) {
			s.again = true
			if s.retry = fx.now.Add(retryTime); !s.retry.Before(s.until) {
				st.subscribed(fx, s, nodepb.Code_OUTCOME_UNKNOWN)
			}
			return
		}
		done, _ := v.(*nodepb.SubscriptionDone)
		st.stepped(fx, s, code, done)
	})
}

// stepped goes on after a step's answer.
func (st *state) stepped(fx *effects, s *subscription, code nodepb.Code, done *nodepb.SubscriptionDone) {
	switch {
	case s.step == toOwn && code == nodepb.Code_OK && (done.GetForward() || s.again):
		s.step = toContact
	case s.step == toContact && code == nodepb.Code_NO_SUCH_USER && s.typ == nodepb.PresenceType_SUBSCRIBE:
		s.step, s.reply = back, nodepb.PresenceType_UNSUBSCRIBED // nobody there will ever agree
	case s.step == toContact && code == nodepb.Code_OK && done.GetReply() != nodepb.PresenceType_AVAILABLE:
		s.step, s.reply = back, done.GetReply()
	case s.step == toContact && code == nodepb.Code_NO_SUCH_USER:
		st.subscribed(fx, s, nodepb.Code_OK)
		return
	default:
		st.subscribed(fx, s, code)
		return
	}
	s.again = false
	st.try(fx, s)
}

// subscribed ends a subscription and starts the next one to that contact.
func (st *state) subscribed(fx *effects, s *subscription, code nodepb.Code) {
	if code != nodepb.Code_OK && !s.quiet {
		st.errorReply(fx, "presence", s.id, s.contact, errorWith(code, "the roster is full, or the contact's is"))
	}
	if s.n != 0 {
		st.done(fx, s.n)
	}
	queue := st.subs[s.contact][1:]
	if len(queue) == 0 {
		if delete(st.subs, s.contact); len(st.subs) == 0 {
			st.subs = nil
		}
		return
	}
	st.subs[s.contact] = queue
	queue[0].until = fx.now.Add(subscriptionTime)
	st.try(fx, queue[0])
}

// retrySubscriptions repeats the steps that are due.
func (st *state) retrySubscriptions(fx *effects) {
	for _, queue := range st.subs {
		if s := queue[0]; !s.retry.IsZero() && !s.retry.After(fx.now) {
			st.try(fx, s)
		}
	}
}
