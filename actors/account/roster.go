package account

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/mailbox"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// contact is one entry of the roster, or a request that waits for the user's answer.
type contact struct {
	jid    ident.UserID
	name   string
	groups []string
	// listed is set once the user has put the contact into the roster; without it a mere incoming request stays out of
	// the roster the client sees (RFC 6121 section 3.1.3).
	listed bool
	sub    subState
	// request is the stanza of a subscription request that waits.
	request *nodepb.Presence
}

// visible reports whether the contact is part of the roster that clients see.
func (c *contact) visible() bool {
	return c != nil && (c.listed || c.sub.to || c.sub.from || c.sub.pendingOut)
}

// kept reports whether there is anything about the contact to store. Once visible, a contact stays until it is removed.
func (c *contact) kept() bool { return c.visible() || c.sub.pendingIn }

func (c *contact) item() *nodepb.RosterItem {
	return &nodepb.RosterItem{Jid: string(c.jid), Name: c.name, Subscription: c.sub.name(), Ask: c.sub.pendingOut, Groups: c.groups}
}

// change is one durable change of one contact: decided on the state as it stands, committed by the directory lane, and
// only then applied. At most one is under way at a time.
type change struct {
	before, after *contact // after is nil when the contact is forgotten
	verdict       verdict
	set           bool             // made by a roster set: clients hear of it whatever it changes
	deliver       *nodepb.Presence // the inbound stanza that the user's sessions see
	answer        answer
}

// answer is what the asking session gets once the change is committed.
type answer struct {
	roster *nodepb.RosterChanged
	sub    *nodepb.SubscriptionDone
}

func refused(code nodepb.Code) answer {
	return answer{&nodepb.RosterChanged{Code: code}, &nodepb.SubscriptionDone{Code: code}}
}

// roster lists the visible contacts for a client, sorted by address, and marks its session interested.
func (st *state) roster(ref actors.Ref) *nodepb.Roster {
	if !st.exists {
		return &nodepb.Roster{Code: nodepb.Code_NO_SUCH_USER}
	}
	if s := st.byRef(ref); s != nil {
		s.interested = true
	}
	r := &nodepb.Roster{Code: nodepb.Code_OK, Digest: st.digest}
	for _, c := range st.contacts {
		if c.visible() {
			r.Items = append(r.Items, c.item())
		}
	}
	slices.SortFunc(r.Items, func(a, b *nodepb.RosterItem) int { return strings.Compare(a.GetJid(), b.GetJid()) })
	return r
}

// prepareSet decides a roster set (RFC 6121 sections 2.3 to 2.5). A nil change means that the answer stands at once.
func (st *state) prepareSet(item *nodepb.RosterItem) (*change, answer) {
	jid := ident.UserID(item.GetJid())
	before := st.contacts[jid]
	switch {
	case !st.exists:
		return nil, refused(nodepb.Code_NO_SUCH_USER)
	case item.GetSubscription() == "remove":
		if !before.visible() {
			return nil, refused(nodepb.Code_NOT_FOUND)
		}
		return st.prepareRemove(before), answer{}
	case before == nil && len(st.contacts) >= maxContacts:
		return nil, refused(nodepb.Code_QUOTA)
	}
	after := &contact{jid: jid}
	if before != nil {
		*after = *before
	}
	after.listed, after.name, after.groups = true, item.GetName(), item.GetGroups()
	return &change{before: before, after: after, set: true, answer: answer{roster: &nodepb.RosterChanged{Code: nodepb.Code_OK}}}, answer{}
}

// prepareRemove forgets a contact; its account is told with the subscription stanzas that a client would have sent.
func (st *state) prepareRemove(c *contact) *change {
	done := &nodepb.RosterChanged{Code: nodepb.Code_OK, Forward: c.farewell()}
	return &change{before: c, verdict: verdict{lostFrom: c.sub.from}, set: true, answer: answer{roster: done}}
}

// farewell is what the contact's account must hear when the contact is removed.
func (c *contact) farewell() []nodepb.PresenceType {
	var all []nodepb.PresenceType
	if c.sub.to || c.sub.pendingOut {
		all = append(all, nodepb.PresenceType_UNSUBSCRIBE)
	}
	if c.sub.from || c.sub.pendingIn {
		all = append(all, nodepb.PresenceType_UNSUBSCRIBED)
	}
	return all
}

// prepareSubscription decides one half of a subscription change. A nil change means that the answer stands at once.
func (st *state) prepareSubscription(req *nodepb.Subscription) (*change, answer) {
	if !st.exists {
		return nil, refused(nodepb.Code_NO_SUCH_USER)
	}
	peer := ident.UserID(req.GetTo())
	if req.GetInbound() {
		peer = ident.UserID(req.GetFrom())
	}
	before := st.contacts[peer]
	old := subState{}
	after := &contact{jid: peer}
	if before != nil {
		old, *after = before.sub, *before
	}
	done := &nodepb.SubscriptionDone{Code: nodepb.Code_OK}
	var v verdict
	if req.GetInbound() {
		v = old.inbound(req.GetType())
		done.Reply = v.reply
	} else {
		v = old.outbound(req.GetType())
		done.Forward = v.pass
	}
	if v.next == old {
		return nil, answer{sub: done}
	}
	asked := v.next.pendingIn && !old.pendingIn
	if before == nil && (len(st.contacts) >= maxContacts || asked && st.requests() >= maxRequests) ||
		asked && len(req.GetPayload()) > maxRequest {
		return nil, refused(nodepb.Code_QUOTA)
	}
	after.sub = v.next
	after.listed = before.visible() || after.visible() // once in the roster, until the user removes it
	stanza := &nodepb.Presence{From: req.GetFrom(), To: req.GetTo(), Type: req.GetType(), Id: req.GetId(), Payload: req.GetPayload()}
	switch {
	case !v.next.pendingIn:
		after.request = nil
	case asked:
		after.request = stanza
	}
	ch := &change{before: before, after: after, verdict: v, answer: answer{sub: done}}
	if req.GetInbound() && v.pass {
		ch.deliver = stanza
	}
	if !after.kept() {
		ch.after = nil
	}
	return ch, answer{}
}

// requests counts the requests of people who are not in the roster.
func (st *state) requests() int {
	n := 0
	for _, c := range st.contacts {
		if !c.visible() {
			n++
		}
	}
	return n
}

// apply makes a committed change visible: in the state, and to those who are to know.
func (st *state) apply(ch *change) []cast {
	jid := ch.jid()
	if st.contacts[jid] != ch.before { // the account was read again since, and those who are to know were told by that
		return st.deliver(ch.told())
	}
	st.digest ^= ch.before.digest() ^ ch.after.digest()
	if ch.after == nil {
		delete(st.contacts, jid)
	} else {
		if st.contacts == nil {
			st.contacts = map[ident.UserID]*contact{}
		}
		st.contacts[jid] = ch.after
	}
	return st.tell(ch)
}

// tell makes a change visible to the user's sessions, to the contact's account and to the user's own mailbox, which gives contacts
// another quota than strangers.
func (st *state) tell(ch *change) []cast {
	jid := ch.jid()
	casts := st.deliver(ch.deliver)
	if item := ch.item(); item != nil {
		for _, s := range st.sessions {
			if s.interested {
				casts = append(casts, cast{s.ref, &nodepb.RosterPush{Item: item, Digest: st.digest}})
			}
		}
	}
	if was, is := ch.before.visible(), ch.after.visible(); was != is {
		m := &nodepb.MailboxChange{}
		if is {
			m.ContactsAdded = []string{string(jid)}
		} else {
			m.ContactsRemoved = []string{string(jid)}
		}
		casts = append(casts, cast{mailbox.Ref(st.user), m})
	}
	if ch.verdict.lostFrom {
		casts = append(casts, st.unavailableTo(jid)...)
	}
	if ch.verdict.gainedTo && st.isLocal(jid) && st.anyAvailable() {
		casts = append(casts, cast{Ref(jid), &nodepb.Presence{Type: nodepb.PresenceType_PROBE, From: string(st.user), To: string(jid)}})
	}
	return casts
}

// deliver gives an inbound subscription stanza to the user's sessions: a request to those that are available (RFC 6121
// section 3.1.3), anything else to those that have asked for the roster (3.1.6, 3.2.3, 3.3.3). Nil is nothing.
func (st *state) deliver(p *nodepb.Presence) []cast {
	var casts []cast
	for _, s := range st.sessions {
		if p != nil && (p.GetType() == nodepb.PresenceType_SUBSCRIBE && s.available() ||
			p.GetType() != nodepb.PresenceType_SUBSCRIBE && s.interested) {
			casts = append(casts, cast{s.ref, p})
		}
	}
	return casts
}

// item is what clients are told of the change, nil if there is nothing that they see.
func (ch *change) item() *nodepb.RosterItem {
	switch {
	case !ch.after.visible() && !ch.before.visible():
		return nil
	case !ch.after.visible():
		return &nodepb.RosterItem{Jid: string(ch.jid()), Subscription: "remove"}
	}
	item := ch.after.item()
	if !ch.set && ch.before.visible() && proto.Equal(item, ch.before.item()) {
		return nil
	}
	return item
}

func (ch *change) jid() ident.UserID {
	if ch.after != nil {
		return ch.after.jid
	}
	return ch.before.jid
}

// told is the stanza of the change, unless it is a request: of those that wait clients hear whenever they are found.
func (ch *change) told() *nodepb.Presence {
	if ch.deliver.GetType() == nodepb.PresenceType_SUBSCRIBE {
		return nil
	}
	return ch.deliver
}
