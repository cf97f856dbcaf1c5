package account

import (
	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// setPresence takes a session's undirected presence (RFC 6121 sections 4.2 to 4.5).
func (st *state) setPresence(p *nodepb.SetPresence) []cast {
	s := st.byRef(actors.RefOf(p.GetSession()))
	if s == nil {
		return nil
	}
	if !p.GetAvailable() {
		return st.becomeUnavailable(s, p)
	}
	initial := !s.available()
	s.presence = p
	if p.GetQuiet() {
		return nil
	}
	var casts []cast
	casts = st.broadcast(casts, s, nodepb.PresenceType_AVAILABLE, p)
	if !initial {
		return casts
	}
	for jid, c := range st.contacts {
		if c.sub.to && st.isLocal(jid) {
			casts = append(casts, cast{Ref(jid), &nodepb.Presence{
				Type: nodepb.PresenceType_PROBE, From: st.full(s.resource), To: string(jid)}})
		}
		if c.sub.pendingIn {
			casts = append(casts, cast{s.ref, &nodepb.Presence{
				Type: nodepb.PresenceType_SUBSCRIBE, From: string(jid), To: string(st.user), Payload: c.request}})
		}
	}
	for _, other := range st.sessions {
		if other != s && other.available() {
			casts = append(casts, cast{s.ref, st.presenceOf(other, string(st.user))})
		}
	}
	return casts
}

// becomeUnavailable tells those who saw the session available. last may carry the client's own words.
func (st *state) becomeUnavailable(s *session, last *nodepb.SetPresence) []cast {
	if !s.available() {
		return nil
	}
	s.presence = nil
	return st.broadcast(nil, s, nodepb.PresenceType_UNAVAILABLE, last)
}

// broadcast sends one session's presence to the contacts that may see it and to the user's own available resources, the
// session itself included while it is available (RFC 6121 section 4.2.2).
func (st *state) broadcast(casts []cast, s *session, t nodepb.PresenceType, p *nodepb.SetPresence) []cast {
	from := st.full(s.resource)
	for jid, c := range st.contacts {
		if c.sub.from && st.isLocal(jid) {
			casts = append(casts, cast{Ref(jid), presence(from, string(jid), t, p)})
		}
	}
	for _, own := range st.sessions {
		if own.available() {
			casts = append(casts, cast{own.ref, presence(from, string(st.user), t, p)})
		}
	}
	return casts
}

func presence(from, to string, t nodepb.PresenceType, p *nodepb.SetPresence) *nodepb.Presence {
	return &nodepb.Presence{From: from, To: to, Type: t, Id: p.GetId(), Lang: p.GetLang(), Payload: p.GetPayload()}
}

func (st *state) presenceOf(s *session, to string) *nodepb.Presence {
	p := presence(st.full(s.resource), to, nodepb.PresenceType_AVAILABLE, s.presence)
	p.Id = ""
	return p
}

// presenceIn takes what a contact's account, or for directed presence a stranger's session, sends to this user. from is
// the sender's bare JID, resource that of the address. It reports false if nobody here may or can have it.
func (st *state) presenceIn(p *nodepb.Presence, from ident.UserID, resource string) ([]cast, bool) {
	if !st.exists {
		return nil, false
	}
	c := st.contacts[from]
	switch p.GetType() {
	case nodepb.PresenceType_PROBE:
		if from != st.user && (c == nil || !c.sub.from) {
			return nil, false
		}
		return st.answerProbe(p.GetFrom(), from), true
	case nodepb.PresenceType_AVAILABLE, nodepb.PresenceType_UNAVAILABLE:
		if !p.GetDirected() && from != st.user && (c == nil || !c.sub.to) {
			return nil, false
		}
		if p.GetDirected() && resource != "" {
			return st.toResource(p, resource)
		}
		return st.toAvailable(p), true
	case nodepb.PresenceType_PRESENCE_ERROR:
		if resource != "" {
			return st.toResource(p, resource)
		}
	}
	return nil, false
}

// answerProbe sends the presence of every available resource to the account of the prober (RFC 6121 section 4.3.2).
func (st *state) answerProbe(to string, prober ident.UserID) []cast {
	var casts []cast
	for _, s := range st.sessions {
		if s.available() {
			casts = append(casts, cast{Ref(prober), st.presenceOf(s, to)})
		}
	}
	return casts
}

func (st *state) toResource(p *nodepb.Presence, resource string) ([]cast, bool) {
	s := st.byResource(resource)
	if s == nil {
		return nil, false
	}
	return []cast{{s.ref, p}}, true
}

func (st *state) toAvailable(p *nodepb.Presence) []cast {
	var casts []cast
	for _, s := range st.sessions {
		if s.available() {
			casts = append(casts, cast{s.ref, p})
		}
	}
	return casts
}

// unavailableTo tells one contact, who has just lost the right to see this user, that every resource is unavailable.
func (st *state) unavailableTo(jid ident.UserID) []cast {
	if !st.isLocal(jid) {
		return nil
	}
	var casts []cast
	for _, s := range st.sessions {
		if s.available() {
			casts = append(casts, cast{Ref(jid), presence(st.full(s.resource), string(jid), nodepb.PresenceType_UNAVAILABLE, nil)})
		}
	}
	return casts
}

// isLocal reports whether a contact's account is one of this cluster's.
func (st *state) isLocal(jid ident.UserID) bool { return jid.Domain() == st.user.Domain() }
