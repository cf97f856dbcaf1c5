package account

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// What an account has cast to another one, or to the mailbox, may be lost while that one moves or its node dies. It is cast again a
// little later; of presence that is the latest, whatever it was that got lost.
const (
	maxOwed   = 2000
	owedTries = 15
	owedPause = time.Second
)

// owed is one message that another node has not taken, as far as is known. tries counts those that failed at once.
type owed struct {
	cast
	due   time.Time
	tries int
}

// undelivered hears that another node has not taken a cast, or may not have. It reports whether that is the end of it.
func (st *state) undelivered(fx *effects, to actors.Ref, msg any, err error, tries int) (dropped bool) {
	m, ok := msg.(proto.Message)
	if !ok {
		return true
	}
	switch p := m.(type) {
	case *nodepb.MailboxChange, *nodepb.Subscription:
	case *nodepb.Presence:
		if p.GetDirected() || to.Kind != Kind || subscribes(p.GetType()) {
			return st.unheard(fx, cast{to, m}, err)
		}
		if st.owes(to, p) {
			return false
		}
	default:
		return st.unheard(fx, cast{to, m}, err)
	}
	if tries >= owedTries || len(st.owed) >= maxOwed {
		return true
	}
	st.owed = append(st.owed, owed{cast: cast{to, m}, due: fx.now.Add(owedPause), tries: tries + 1})
	return false
}

func subscribes(t nodepb.PresenceType) bool {
	return t >= nodepb.PresenceType_SUBSCRIBE && t <= nodepb.PresenceType_UNSUBSCRIBED
}

// unheard ends a session that has no room for what its client must know. One whose node is lost finds out when it binds again.
func (st *state) unheard(fx *effects, c cast, err error) (dropped bool) {
	s := st.byRef(c.to)
	if s == nil || !errors.Is(err, actors.ErrOverloaded) || !c.ordered() || c.lossy() {
		return true
	}
	fx.cast(cast{c.to, unable})
	return false
}

// owes reports whether a probe, or presence of the same resource, for the same contact is owed already.
func (st *state) owes(to actors.Ref, p *nodepb.Presence) bool {
	for i := range st.owed {
		old, ok := st.owed[i].msg.(*nodepb.Presence)
		if probe := p.GetType() == nodepb.PresenceType_PROBE; ok && st.owed[i].to == to && old.GetFrom() == p.GetFrom() &&
			(old.GetType() == nodepb.PresenceType_PROBE) == probe && (!probe || old.GetTo() == p.GetTo()) {
			if probe && p.GetRefresh() { // which asks for more
				st.owed[i].msg = p
			}
			return true
		}
	}
	return false
}

// payUp casts again what is due. A cast that fails at once is owed anew.
func (st *state) payUp(fx *effects) {
	n := 0
	for n < len(st.owed) && !st.owed[n].due.After(fx.now) {
		n++
	}
	if n == 0 {
		return
	}
	due := st.owed[:n:n]
	if st.owed = st.owed[n:]; len(st.owed) == 0 {
		st.owed = nil
	}
	for _, o := range due {
		if o.msg = st.stillDue(o.cast); o.msg != nil {
			fx.again = append(fx.again, o)
		}
	}
}

// stillDue is what a message that got lost comes to now; nil: nothing. What has been said since must not be denied.
func (st *state) stillDue(c cast) proto.Message {
	peer := ident.UserID(c.to.ID)
	switch m := c.msg.(type) {
	case *nodepb.Presence:
		return st.latest(peer, m)
	case *nodepb.Subscription:
		if about := st.contacts[peer]; about != nil && (m.GetType() == nodepb.PresenceType_UNSUBSCRIBED && about.sub.from ||
			m.GetType() == nodepb.PresenceType_UNSUBSCRIBE && (about.sub.to || about.sub.pendingOut)) {
			return nil
		}
		return m
	case *nodepb.MailboxChange:
		return st.stillChanged(m)
	}
	return c.msg
}

// stillChanged is the part of a change that has not been undone.
func (st *state) stillChanged(m *nodepb.MailboxChange) proto.Message {
	visible := func(jid string) bool { return st.contacts[ident.UserID(jid)].visible() }
	now := &nodepb.MailboxChange{
		ContactsAdded:   slices.DeleteFunc(slices.Clone(m.GetContactsAdded()), func(jid string) bool { return !visible(jid) }),
		ContactsRemoved: slices.DeleteFunc(slices.Clone(m.GetContactsRemoved()), visible),
	}
	if what := m.GetWhat(); what == nodepb.MailboxChange_CREATED && st.exists || what == nodepb.MailboxChange_REMOVED && !st.exists {
		now.What = what
	}
	if now.GetWhat() == nodepb.MailboxChange_UNCHANGED && len(now.GetContactsAdded())+len(now.GetContactsRemoved()) == 0 {
		return nil
	}
	return now
}

// latest is what a contact must hear now instead of presence that got lost; nil: nothing.
func (st *state) latest(to ident.UserID, lost *nodepb.Presence) proto.Message {
	c := st.contacts[to]
	if lost.GetType() == nodepb.PresenceType_PROBE {
		if c == nil || !c.sub.to || !st.anyAvailable() {
			return nil
		}
		return lost
	}
	_, resource, full := strings.Cut(lost.GetFrom(), "/")
	s := st.byResource(resource)
	switch {
	case !full && st.anyAvailable(): // that nobody is isn't so any more
		return nil
	case s == nil || !s.available():
		if lost.GetType() == nodepb.PresenceType_UNAVAILABLE {
			return lost
		}
		return presence(lost.GetFrom(), lost.GetTo(), nodepb.PresenceType_UNAVAILABLE, nil)
	case c == nil || !c.sub.from:
		return nil
	}
	return presence(lost.GetFrom(), lost.GetTo(), nodepb.PresenceType_AVAILABLE, s.presence)
}

// absentTime is how long presence is kept for sessions that have not bound again yet, and maxAbsent how much of it.
const (
	absentTime = 20 * time.Second
	maxAbsent  = 1000
)

// absent is the latest presence of contacts and of the user's own resources while some sessions may not be known: an account that has just come to this node, from another
// or in place of one that is lost, doesn't know those that depended on that until they have bound again.
type absent struct {
	latest map[string]*nodepb.Presence // by full JID
	until  time.Time
}

// keep keeps presence if somebody may miss it, and of what is kept always the latest: it may be given to those who come later.
func (a *absent) keep(p *nodepb.Presence, missed bool, now time.Time) {
	a.sweep(now)
	if a.latest == nil && missed {
		*a = absent{latest: map[string]*nodepb.Presence{}, until: now.Add(absentTime)}
	}
	switch bare, _, full := strings.Cut(p.GetFrom(), "/"); { // the order of what is kept is lost
	case full && p.GetType() == nodepb.PresenceType_AVAILABLE:
		delete(a.latest, bare)
	case !full:
		maps.DeleteFunc(a.latest, func(from string, _ *nodepb.Presence) bool { return strings.HasPrefix(from, bare+"/") })
	}
	if _, known := a.latest[p.GetFrom()]; known || missed && len(a.latest) < maxAbsent {
		a.latest[p.GetFrom()] = p
	}
}

// mayMiss reports whether a session may be there that this account doesn't know.
func (st *state) mayMiss(now time.Time) bool {
	return len(st.sessions) == 0 || st.unsettled(now)
}

// unsettled reports whether this account has just come from another node.
func (st *state) unsettled(now time.Time) bool {
	return st.moved && now.Before(st.began.Add(absentTime))
}

// forAll is presence for one of the user's sessions as it is for each.
func forAll(p *nodepb.Presence, user ident.UserID) *nodepb.Presence {
	return &nodepb.Presence{From: p.GetFrom(), To: string(user), Type: p.GetType(), Lang: p.GetLang(), Payload: p.GetPayload()}
}

// sweep forgets what was kept once that is too long ago.
func (a *absent) sweep(now time.Time) {
	if a.latest != nil && !now.Before(a.until) {
		*a = absent{}
	}
}

// takeAbsent gives a session that has bound again what was kept, but what it has said itself. The next one gets it, too.
func (st *state) takeAbsent(s *session, now time.Time) (casts []cast) {
	st.absent.sweep(now)
	own := st.full(s.resource)
	for from, p := range st.absent.latest {
		if from != own {
			casts = append(casts, cast{s.ref, p})
		}
	}
	return casts
}
