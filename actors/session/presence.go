package session

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

// presenceStanza takes a presence stanza of the client (RFC 6121 sections 3 and 4).
func (st *state) presenceStanza(fx *effects, e *xmpp.Element, n uint64) {
	if st.phase != bound {
		st.fail(fx, xmpp.NotAuthorized, "")
		return
	}
	typ, to := e.Attr("type"), e.Attr("to")
	kind, known := presenceTypes[typ]
	switch {
	case !known:
		st.refuse(fx, e, xmpp.BadRequest)
	case kind == nodepb.PresenceType_PROBE || kind == nodepb.PresenceType_PRESENCE_ERROR:
		st.Counters.Dropped.Add(1) // servers probe, not clients
	case subscribes(kind):
		st.subscriptionStanza(fx, e, kind, n)
		return
	case to == "":
		st.ownPresence(fx, e, kind == nodepb.PresenceType_AVAILABLE)
	default:
		st.directedPresence(fx, e, kind)
	}
	st.done(fx, n)
}

// presenceTypes is RFC 6121 section 4.7.1.
var presenceTypes = map[string]nodepb.PresenceType{
	"":             nodepb.PresenceType_AVAILABLE,
	"unavailable":  nodepb.PresenceType_UNAVAILABLE,
	"subscribe":    nodepb.PresenceType_SUBSCRIBE,
	"subscribed":   nodepb.PresenceType_SUBSCRIBED,
	"unsubscribe":  nodepb.PresenceType_UNSUBSCRIBE,
	"unsubscribed": nodepb.PresenceType_UNSUBSCRIBED,
	"probe":        nodepb.PresenceType_PROBE,
	"error":        nodepb.PresenceType_PRESENCE_ERROR,
}

// presenceNames is presenceTypes the other way round.
var presenceNames = func() map[nodepb.PresenceType]string {
	names := make(map[nodepb.PresenceType]string, len(presenceTypes))
	for name, t := range presenceTypes {
		names[t] = name
	}
	return names
}()

// subscribes reports whether the type is one of the four that change rosters.
func subscribes(t nodepb.PresenceType) bool {
	return t >= nodepb.PresenceType_SUBSCRIBE && t <= nodepb.PresenceType_UNSUBSCRIBED
}

// ownPresence is presence for all who may see the user: initial, changed or unavailable.
func (st *state) ownPresence(fx *effects, e *xmpp.Element, available bool) {
	p := &nodepb.SetPresence{
		Session: st.ref, Resource: st.resource, Available: available,
		Id: e.Attr("id"), Lang: langOf(e), Payload: payload(e),
	}
	if available {
		priority, ok := priorityOf(e)
		if !ok {
			st.refuse(fx, e, xmpp.BadRequest)
			return
		}
		p.Priority = priority
		st.presence = p
	} else {
		st.leaveDirected(fx, p)
		if st.presence == nil {
			return
		}
		st.presence = nil
	}
	st.tellPresence(fx, p)
	st.stand(fx)
}

// standing is what presence means to the mailbox.
type standing struct {
	available bool
	priority  int32
}

func (st *state) standing() standing { return standing{st.presence != nil, st.presence.GetPriority()} }

// standPause is between two changes of presence of which the mailbox hears, but for the client's goodbye: each may have it share out all it has
// anew.
const standPause = 100 * time.Millisecond

// stand tells the mailbox what presence has changed for it: at once, unless it has just heard of a change.
func (st *state) stand(fx *effects) {
	st.standAt = time.Time{}
	now := st.standing()
	switch {
	case now == st.stood || st.phase != bound && st.phase != detached:
		return
	case now.available && fx.now.Before(st.stoodUntil):
		st.standAt = st.stoodUntil
		return
	case now.available:
		st.stoodUntil = fx.now.Add(standPause)
	}
	st.attach(fx)
}

// tellPresence casts presence to the account; if it has no room, the latest is cast again a little later.
func (st *state) tellPresence(fx *effects, p *nodepb.SetPresence) {
	st.owe(fx, p)
	if st.lostAccount.due { // it wouldn't know whose presence it is
		return
	}
	st.untold, st.refreshing = nil, p.GetRefresh()
	if !p.GetQuiet() {
		st.toldAt, st.lostAt = fx.now, time.Time{}
	}
	fx.casts = append(fx.casts, cast{to: st.account(), msg: p, refused: func(fx *effects) {
		if st.tells() && st.current(p) { // else a later one was told
			st.owe(fx, p)
			advance(&st.retryAt, fx.now.Add(retryTime))
		}
	}})
}

// current reports whether presence is what the client's is now.
func (st *state) current(p *nodepb.SetPresence) bool {
	is := st.presence
	if is == nil || !p.GetAvailable() {
		return is == nil && !p.GetAvailable()
	}
	return p.GetPriority() == is.GetPriority() && p.GetId() == is.GetId() && p.GetLang() == is.GetLang() && bytes.Equal(p.GetPayload(), is.GetPayload())
}

// owe notes what the account is to be told. Where that takes the place of what asks for the presence of others, that is asked for later.
func (st *state) owe(fx *effects, p *nodepb.SetPresence) {
	if st.untold.GetRefresh() && !p.GetRefresh() {
		advance(&st.refreshAt, fx.now.Add(retryTime))
	}
	st.untold = p
}

// priorityOf reads RFC 6121 section 4.7.2.3's priority: -128 to 127, 0 if there is none.
func priorityOf(e *xmpp.Element) (int32, bool) {
	p := e.Child(nsClient, "priority")
	if p == nil {
		return 0, true
	}
	n, err := strconv.ParseInt(strings.TrimSpace(p.Text()), 10, 8)
	return int32(n), err == nil
}

// directedPresence goes to one address only (RFC 6121 section 4.6). Who got it is told when the client goes.
func (st *state) directedPresence(fx *effects, e *xmpp.Element, kind nodepb.PresenceType) {
	to, err := xmpp.ParseJID(e.Attr("to"))
	switch {
	case err != nil:
		st.refuse(fx, e, xmpp.JIDMalformed)
		return
	case to.Domain != st.Domain:
		st.refuse(fx, e, xmpp.RemoteServerNotFound)
		return
	case to.Local == "":
		return // the server needs nobody's presence
	}
	if _, service := st.Services[to.Bare()]; service {
		return
	}
	address := to.String()
	if kind == nodepb.PresenceType_UNAVAILABLE {
		if delete(st.directed, address); len(st.directed) == 0 {
			st.directed = nil
		}
	} else {
		if st.directed == nil {
			st.directed = map[string]struct{}{}
		}
		if _, old := st.directed[address]; !old && len(st.directed) >= maxDirected {
			st.refuse(fx, e, xmpp.ResourceConstraint)
			return
		}
		st.directed[address] = struct{}{}
	}
	st.direct(fx, &nodepb.Presence{From: st.full, To: address, Type: kind, Id: e.Attr("id"), Lang: langOf(e), Payload: payload(e), Directed: true})
}

// direct casts directed presence. Nobody repeats it but a client that resumes.
func (st *state) direct(fx *effects, p *nodepb.Presence) {
	bare, _, _ := strings.Cut(p.GetTo(), "/")
	fx.casts = append(fx.casts, cast{to: accountOf(ident.UserID(bare)), msg: p, refused: st.directedLost})
}

// directedLost hears that directed presence didn't arrive: should the client send it again, it isn't known.
func (st *state) directedLost(*effects) {
	st.Counters.Dropped.Add(1)
	st.in.unmark()
}

// maxDirected is how many addresses one session can have directed presence at.
const maxDirected = 1000

// leaveDirected tells everyone who got directed presence that the client is unavailable. last, if not nil, has its words.
func (st *state) leaveDirected(fx *effects, last *nodepb.SetPresence) {
	for address := range st.directed {
		st.direct(fx, &nodepb.Presence{
			From: st.full, To: address, Type: nodepb.PresenceType_UNAVAILABLE, Directed: true,
			Id: last.GetId(), Lang: last.GetLang(), Payload: last.GetPayload(),
		})
	}
	st.directed = nil
}

// presences is presence on its way to the client. Once there is more than a little of it, only the latest of each full JID
// is kept; what changes rosters is never dropped.
type presences struct {
	list  []*nodepb.Presence // nil where a later one took over
	at    map[string]int     // full JID -> index, built when the list has grown long
	holes int
}

// coalesceFrom is how much presence may wait before it is coalesced.
const coalesceFrom = 16

func (ps *presences) add(p *nodepb.Presence) {
	ps.list = append(ps.list, p)
	if len(ps.list) <= coalesceFrom {
		return
	}
	if ps.at == nil || ps.holes > len(ps.list)/2 {
		ps.index()
		return
	}
	ps.note(len(ps.list) - 1)
}

// index builds the map, without the holes that the list had.
func (ps *presences) index() {
	list := ps.list
	*ps = presences{list: make([]*nodepb.Presence, 0, len(list)), at: make(map[string]int, len(list))}
	for _, p := range list {
		if p != nil {
			ps.list = append(ps.list, p)
			ps.note(len(ps.list) - 1)
		}
	}
}

// note makes entry i the latest of its sender.
func (ps *presences) note(i int) {
	p := ps.list[i]
	if t := p.GetType(); t != nodepb.PresenceType_AVAILABLE && t != nodepb.PresenceType_UNAVAILABLE {
		return
	}
	if old, ok := ps.at[p.GetFrom()]; ok {
		ps.list[old] = nil
		ps.holes++
	}
	ps.at[p.GetFrom()] = i
}

// take removes up to n entries and returns them; entries may be nil.
func (ps *presences) take(n int) []*nodepb.Presence {
	n = min(n, len(ps.list))
	head := ps.list[:n:n]
	*ps = presences{list: ps.list[n:]}
	for _, p := range ps.list {
		if p == nil {
			ps.holes++
		}
	}
	if len(ps.list) == 0 {
		ps.list = nil
	}
	return head
}

// presenceIn takes presence for the client from its account.
func (st *state) presenceIn(fx *effects, p *nodepb.Presence) {
	switch {
	case st.phase == bound, st.phase == detached, st.phase == handing, st.resuming:
		st.arriving.add(p)
	case st.phase == given:
		fx.cast(st.heir.ref, p)
	}
}

// writePresence writes presence to the client.
func (st *state) writePresence(fx *effects, p *nodepb.Presence) {
	start := len(fx.out)
	fx.out = open(fx.out, "presence", presenceNames[p.GetType()], p.GetId(), p.GetFrom(), p.GetTo())
	fx.out = attr(fx.out, "xml:lang", p.GetLang())
	if len(p.GetPayload()) == 0 {
		fx.text("/>")
	} else {
		fx.out = append(append(append(fx.out, '>'), p.GetPayload()...), "</presence>"...)
	}
	st.wrote(fx, start)
}

// langOf is a stanza's xml:lang.
func langOf(e *xmpp.Element) string {
	for _, a := range e.Attrs {
		if a.Name == "lang" && a.Space != "" {
			return a.Value
		}
	}
	return ""
}

// payload is a stanza's children as XML under jabber:client.
func payload(e *xmpp.Element) []byte {
	var dst []byte
	for _, n := range e.Nodes {
		if n.Elem != nil {
			dst = n.Elem.AppendXML(dst, nsClient)
		}
	}
	return dst
}
