package account

import (
	"slices"
	"strings"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// setPresence takes a session's undirected presence (RFC 6121 sections 4.2 to 4.5).
func (st *state) setPresence(fx *effects, p *nodepb.SetPresence) []cast {
	s := st.byRef(actors.RefOf(p.GetSession()))
	switch {
	case s == nil && !st.exists:
		return nil
	case s == nil:
		var casts []cast
		if !p.GetAvailable() {
			casts = st.gone(p.GetResource(), p, fx.now)
		}
		return append(casts, st.rebind(actors.RefOf(p.GetSession()), true))
	}
	_, missed := st.missed[s.resource]
	if delete(st.missed, s.resource); len(st.missed) == 0 {
		st.missed = nil
	}
	if !p.GetAvailable() {
		return st.becomeUnavailable(s, p, fx.now)
	}
	initial := !s.available()
	s.presence = p
	if p.GetQuiet() && !missed && !(initial && st.denied) {
		return st.takeAbsent(s, fx.now)
	}
	casts := st.broadcast(s.resource, nodepb.PresenceType_AVAILABLE, p, fx.now)
	if initial && st.unsettled(fx.now) { // it may have been there before
		casts = append(st.takeAbsent(s, fx.now), casts...)
	}
	if !initial && !p.GetRefresh() {
		return casts
	}
	for jid, c := range st.contacts {
		if c.sub.to && st.isLocal(jid) {
			casts = append(casts, cast{Ref(jid), &nodepb.Presence{
				Type: nodepb.PresenceType_PROBE, From: st.full(s.resource), To: string(jid), Refresh: p.GetRefresh()}})
		}
		if c.sub.pendingIn && initial {
			casts = append(casts, cast{s.ref, c.asks(st.user)})
		}
	}
	for _, other := range st.sessions {
		if other != s && other.available() {
			casts = append(casts, cast{s.ref, st.presenceOf(other, string(st.user))})
		}
	}
	return casts
}

// asks is the subscription request that waits, as the user's sessions see it.
func (c *contact) asks(user ident.UserID) *nodepb.Presence {
	if c.request != nil {
		return c.request
	}
	return &nodepb.Presence{Type: nodepb.PresenceType_SUBSCRIBE, From: string(c.jid), To: string(user)}
}

// becomeUnavailable tells those who saw the session available. last, if not nil, has the client's own words; it hears
// them too (RFC 6121 section 4.5.2).
func (st *state) becomeUnavailable(s *session, last *nodepb.SetPresence, now time.Time) []cast {
	if !s.available() {
		return nil
	}
	s.presence = nil
	casts := st.broadcast(s.resource, nodepb.PresenceType_UNAVAILABLE, last, now)
	if last != nil {
		casts = append(casts, cast{s.ref, presence(st.full(s.resource), string(st.user), nodepb.PresenceType_UNAVAILABLE, last)})
	}
	return casts
}

// gone tells others that a session is unavailable that this account doesn't know, and others do: it has not bound again since this one has come.
func (st *state) gone(resource string, last *nodepb.SetPresence, now time.Time) []cast {
	if !st.exists || resource == "" || !st.mayMiss(now) || st.byResource(resource) != nil {
		return nil
	}
	st.miss(resource) // should it be the goodbye of one that was replaced
	return st.broadcast(resource, nodepb.PresenceType_UNAVAILABLE, last, now)
}

// broadcast sends one session's presence to the contacts that may see it and to the user's own available resources, the
// session itself included while it is available (RFC 6121 section 4.2.2).
func (st *state) broadcast(resource string, t nodepb.PresenceType, p *nodepb.SetPresence, now time.Time) (casts []cast) {
	from := st.full(resource)
	st.absent.keep(presence(from, string(st.user), t, p), st.unsettled(now), now)
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

// presenceIn takes what a contact's account, or for directed presence a stranger's session, sends to this user. Between
// accounts that disagree about a subscription, the answer to presence or a probe is what ends it at the other side.
func (st *state) presenceIn(fx *effects, p *nodepb.Presence) []cast {
	bare, _, _ := strings.Cut(p.GetFrom(), "/")
	_, resource, _ := strings.Cut(p.GetTo(), "/")
	from, t := ident.UserID(bare), p.GetType()
	c := st.contacts[from]
	switch {
	case t == nodepb.PresenceType_PROBE:
		if !st.exists || c == nil || !c.sub.from {
			return []cast{st.ends(from, nodepb.PresenceType_UNSUBSCRIBED)} // RFC 6121 section 4.3.2, case 1
		}
		return st.answerProbe(p, from, fx.now)
	case !st.exists:
		if t == nodepb.PresenceType_AVAILABLE && !p.GetDirected() {
			return []cast{st.ends(from, nodepb.PresenceType_UNSUBSCRIBE)} // it kept a subscriber who is no more
		}
	case resource != "":
		s := st.byResource(resource)
		heard := t == nodepb.PresenceType_UNAVAILABLE || t == nodepb.PresenceType_AVAILABLE && c.hears()
		if !p.GetDirected() && (t == nodepb.PresenceType_UNAVAILABLE || t == nodepb.PresenceType_AVAILABLE && c.hears()) {
			st.absent.keep(forAll(p, st.user), s == nil && st.mayMiss(fx.now), fx.now)
		}
		if s != nil && (p.GetDirected() || t == nodepb.PresenceType_PRESENCE_ERROR || heard && s.available()) {
			return []cast{{s.ref, p}}
		}
	case t == nodepb.PresenceType_UNAVAILABLE, t == nodepb.PresenceType_AVAILABLE && (p.GetDirected() || c.hears()):
		st.absent.keep(p, st.mayMiss(fx.now), fx.now)
		return st.toAvailable(p)
	}
	return nil
}

// hears reports whether the user hears the contact's presence.
func (c *contact) hears() bool { return c != nil && c.sub.to }

// ends tells another account that the subscription it believes in is none.
func (st *state) ends(peer ident.UserID, t nodepb.PresenceType) cast {
	return cast{Ref(peer), &nodepb.Subscription{Inbound: true, From: string(st.user), To: string(peer), Type: t}}
}

// answerProbe sends the presence of every available resource, or of the one that was asked about, to the account of the prober (RFC 6121
// section 4.3.2). One that has just come needn't be told that there is none, one that may have missed the end of some does.
func (st *state) answerProbe(probe *nodepb.Presence, prober ident.UserID, now time.Time) []cast {
	_, resource, one := strings.Cut(probe.GetTo(), "/")
	var casts []cast
	for _, s := range st.sessions {
		if s.available() && (!one || s.resource == resource) {
			casts = append(casts, cast{Ref(prober), st.presenceOf(s, probe.GetFrom())})
		}
	}
	switch {
	case len(casts) > 0 || !probe.GetRefresh():
	case now.Before(st.began.Add(freshTime)): // some may not have bound again
		if st.asking == nil {
			st.asking = map[question]struct{}{}
		}
		st.asking[question{prober, probe.GetTo()}] = struct{}{}
	default:
		st.denied = true
		casts = append(casts, cast{Ref(prober), presence(probe.GetTo(), probe.GetFrom(), nodepb.PresenceType_UNAVAILABLE, nil)})
	}
	return casts
}

// question is what a contact asks: who of a user's is there (a bare JID), or whether one of his resources is (a full one).
type question struct {
	by    ident.UserID
	about string
}

// probe asks it.
func (q question) probe() *nodepb.Presence {
	return &nodepb.Presence{Type: nodepb.PresenceType_PROBE, From: string(q.by), To: q.about, Refresh: true}
}

// answerAsking answers the contacts whose probes came before it was known who is there.
func (st *state) answerAsking(now time.Time) (casts []cast) {
	if now.Before(st.began.Add(freshTime)) {
		return nil
	}
	for q := range st.asking {
		if c := st.contacts[q.by]; c != nil && c.sub.from { // else it has heard of that
			casts = append(casts, st.answerProbe(q.probe(), q.by, now)...)
		}
	}
	st.asking = nil
	return casts
}

// anyAvailable reports whether the user is online.
func (st *state) anyAvailable() bool { return slices.ContainsFunc(st.sessions, (*session).available) }

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
