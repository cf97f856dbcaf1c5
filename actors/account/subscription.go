package account

import "github.com/jackdaw-im/jackdaw/proto/nodepb"

// subState is one contact's subscription state as RFC 6121 appendix A.1 names them: from and to are the two directions of
// an agreed subscription, pendingOut a request of ours that waits, pendingIn one of theirs.
type subState struct {
	to, from, pendingOut, pendingIn bool
}

// name is the roster's word for the agreed part (RFC 6121 section 2.1.2.5).
func (s subState) name() string {
	switch {
	case s.to && s.from:
		return "both"
	case s.to:
		return "to"
	case s.from:
		return "from"
	}
	return "none"
}

// verdict is what a subscription stanza leads to.
type verdict struct {
	next subState
	// pass says that an outbound stanza is routed to the contact, an inbound one delivered to the user's sessions.
	pass bool
	// reply is what the server answers by itself to an inbound stanza; AVAILABLE means nothing.
	reply nodepb.PresenceType
	// lostFrom says that the contact has just stopped hearing the user's presence, so that unavailable is due.
	lostFrom bool
	// gainedTo says that the user may hear the contact's presence from now on, so that a probe is due.
	gainedTo bool
}

// outbound applies the user's own subscription stanza (RFC 6121 appendix A.2).
func (s subState) outbound(t nodepb.PresenceType) verdict {
	v := verdict{next: s}
	switch t {
	case nodepb.PresenceType_SUBSCRIBE:
		v.pass = true
		v.next.pendingOut = s.pendingOut || !s.to
	case nodepb.PresenceType_UNSUBSCRIBE:
		v.pass = true
		v.next.to, v.next.pendingOut = false, false
	case nodepb.PresenceType_SUBSCRIBED:
		v.pass = s.pendingIn
		v.next.from = s.from || s.pendingIn
		v.next.pendingIn = false
	case nodepb.PresenceType_UNSUBSCRIBED:
		v.pass = s.pendingIn || s.from
		v.lostFrom = s.from
		v.next.from, v.next.pendingIn = false, false
	}
	return v
}

// inbound applies a contact's subscription stanza (RFC 6121 appendix A.3).
func (s subState) inbound(t nodepb.PresenceType) verdict {
	v := verdict{next: s}
	switch t {
	case nodepb.PresenceType_SUBSCRIBE:
		if s.from {
			v.reply = nodepb.PresenceType_SUBSCRIBED
			break
		}
		v.pass = !s.pendingIn
		v.next.pendingIn = true
	case nodepb.PresenceType_UNSUBSCRIBE:
		v.pass = s.pendingIn || s.from
		v.lostFrom = s.from
		v.next.from, v.next.pendingIn = false, false
	case nodepb.PresenceType_SUBSCRIBED:
		v.pass = s.pendingOut
		v.gainedTo = s.pendingOut
		v.next.to = s.to || s.pendingOut
		v.next.pendingOut = false
	case nodepb.PresenceType_UNSUBSCRIBED:
		v.pass = s.pendingOut || s.to
		v.next.to, v.next.pendingOut = false, false
	}
	return v
}
