package session

import (
	"slices"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/mailbox"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

// request is an IQ get or set that the session answers itself, on behalf of the server or of its own account.
type request struct {
	e     *xmpp.Element // the IQ
	query *xmpp.Element // its one child
	n     uint64        // inbound number
	// server says that it is addressed to the domain and not to the account.
	server bool
}

// iqKey is what a handler of the server is chosen by.
type iqKey struct{ typ, space, name string }

// iqHandler is everything the server answers. Whatever isn't here is answered with service-unavailable at once. A handler
// answers with result or refuse, and ends with done.
func iqHandler(key iqKey) func(st *state, fx *effects, r request) {
	switch key {
	case iqKey{"set", nsBind, "bind"}:
		return (*state).bindIQ
	case iqKey{"set", nsSession, "session"}, iqKey{"get", nsPing, "ping"}:
		return (*state).emptyIQ
	case iqKey{"get", nsVersion, "query"}:
		return (*state).versionIQ
	case iqKey{"get", nsDiscoInfo, "query"}:
		return (*state).discoInfo
	case iqKey{"get", nsDiscoItems, "query"}:
		return (*state).discoItems
	case iqKey{"get", nsRoster, "query"}:
		return (*state).rosterGet
	case iqKey{"set", nsRoster, "query"}:
		return (*state).rosterSet
	}
	return nil
}

// iq takes an IQ stanza.
func (st *state) iq(fx *effects, e *xmpp.Element, n uint64) {
	typ := e.Attr("type")
	asks := typ == "get" || typ == "set"
	query, single := onlyChild(e)
	switch {
	case !asks && typ != "result" && typ != "error", e.Attr("id") == "", asks && !single:
		st.refuse(fx, e, xmpp.BadRequest)
		st.done(fx, n)
		return
	}
	to, err := st.address(e)
	switch {
	case err != nil:
		st.refuse(fx, e, xmpp.JIDMalformed)
	case to.Domain != st.Domain:
		st.refuse(fx, e, xmpp.RemoteServerNotFound)
	case to.Local != "" && to.Resource != "" && st.phase == bound:
		st.relay(fx, e, to, asks)
	case to.Local == "" && to.Resource == "" || to.Bare() == st.user && to.Resource == "":
		if asks {
			st.serve(fx, request{e: e, query: query, n: n, server: to.Local == ""})
			return
		}
		st.pong(fx, e.Attr("id"))
	default:
		st.refuse(fx, e, xmpp.ServiceUnavailable)
	}
	st.done(fx, n)
}

// address is where a stanza goes; without a 'to' that is the client's own account (RFC 6120 section 10.3).
func (st *state) address(e *xmpp.Element) (xmpp.JID, error) {
	to := e.Attr("to")
	if to == "" {
		return xmpp.JID{Local: st.user.Local(), Domain: st.Domain}, nil
	}
	return xmpp.ParseJID(to)
}

// onlyChild returns an IQ's child element, and whether it has exactly one.
func onlyChild(e *xmpp.Element) (*xmpp.Element, bool) {
	var child *xmpp.Element
	for _, n := range e.Nodes {
		if n.Elem == nil {
			continue
		}
		if child != nil {
			return nil, false
		}
		child = n.Elem
	}
	return child, child != nil
}

// serve answers a request to the server or to the own account.
func (st *state) serve(fx *effects, r request) {
	handle := iqHandler(iqKey{r.e.Attr("type"), r.query.Space, r.query.Name})
	switch {
	case handle == nil:
		st.refuse(fx, r.e, xmpp.ServiceUnavailable)
	case st.phase == binding && r.query.Space != nsBind:
		st.refuse(fx, r.e, xmpp.StanzaNotAuthorized)
	default:
		handle(st, fx, r)
		return
	}
	st.done(fx, r.n)
}

// result answers a request; body is put between the tags.
func (st *state) result(fx *effects, r request, body func(dst []byte) []byte) {
	start := len(fx.out)
	fx.out = open(fx.out, "iq", "result", r.e.Attr("id"), r.e.Attr("to"), st.full)
	if body == nil {
		fx.text("/>")
	} else {
		fx.out = append(fx.out, '>')
		fx.out = body(fx.out)
		fx.text("</iq>")
	}
	st.wrote(fx, start)
}

func (st *state) emptyIQ(fx *effects, r request) {
	st.result(fx, r, nil)
	st.done(fx, r.n)
}

func (st *state) versionIQ(fx *effects, r request) {
	st.result(fx, r, func(dst []byte) []byte {
		dst = append(dst, "<query xmlns='"+nsVersion+"'><name>"...)
		dst = xmpp.AppendEscaped(dst, st.Software)
		dst = append(dst, "</name><version>"...)
		dst = xmpp.AppendEscaped(dst, st.Version)
		return append(dst, "</version></query>"...)
	})
	st.done(fx, r.n)
}

// What disco#info says (XEP-0030) of the server and of an account.
const (
	featuresOfBoth = "<feature var='" + nsDiscoInfo + "'/><feature var='" + nsDiscoItems + "'/><feature var='" + nsPing +
		"'/><feature var='" + nsVersion + "'/>"
	serverInfo  = "<identity category='server' type='im' name='Jackdaw'/>" + featuresOfBoth + "<feature var='msgoffline'/>"
	accountInfo = "<identity category='account' type='registered'/>" + featuresOfBoth
)

func (st *state) discoInfo(fx *effects, r request) {
	defer st.done(fx, r.n)
	if r.query.Attr("node") != "" {
		st.refuse(fx, r.e, xmpp.ItemNotFound)
		return
	}
	st.result(fx, r, func(dst []byte) []byte {
		dst = append(dst, "<query xmlns='"+nsDiscoInfo+"'>"...)
		if r.server {
			dst = append(dst, serverInfo...)
		} else {
			dst = append(dst, accountInfo...)
		}
		return append(dst, "</query>"...)
	})
}

func (st *state) discoItems(fx *effects, r request) {
	defer st.done(fx, r.n)
	if r.query.Attr("node") != "" {
		st.refuse(fx, r.e, xmpp.ItemNotFound)
		return
	}
	st.result(fx, r, func(dst []byte) []byte {
		dst = append(dst, "<query xmlns='"+nsDiscoItems+"'>"...)
		if r.server {
			for _, jid := range st.services {
				dst = append(attr(append(dst, "<item"...), "jid", jid), "/>"...)
			}
		}
		return append(dst, "</query>"...)
	})
}

// relayed is an IQ request that was handed on and may come back as undeliverable.
type relayed struct {
	tag    uint64
	to, id string
}

// maxRelayed is how many requests to others a session remembers; the answer "no such resource" comes within milliseconds.
const maxRelayed = 64

// relay hands an IQ on to the resource it is addressed to. A request that finds none is answered with an error; an answer that finds none is
// dropped.
func (st *state) relay(fx *effects, e *xmpp.Element, to xmpp.JID, asks bool) {
	if _, service := st.Services[to.Bare()]; service {
		st.refuse(fx, e, xmpp.ServiceUnavailable)
		return
	}
	m := &nodepb.Relay{Resource: to.Resource, SenderRef: st.ref}
	if asks {
		st.tag++
		m.Tag = st.tag
		if len(st.relayed) == maxRelayed {
			st.relayed = append(st.relayed[:0], st.relayed[1:]...)
		}
		st.relayed = append(st.relayed, relayed{tag: st.tag, to: e.Attr("to"), id: e.Attr("id")})
	}
	setAttr(e, "from", st.full)
	m.Stanza = e.AppendXML(nil, nsClient)
	fx.casts = append(fx.casts, cast{to: mailboxOf(to.Bare()), msg: m, refused: func(fx *effects) { st.relayBack(fx, m, nodepb.Code_LATER) }})
}

// relayBack tells the client that its request reached nobody. Nobody waits to be told of an answer.
func (st *state) relayBack(fx *effects, m *nodepb.Relay, code nodepb.Code) {
	_, answer := mailbox.Undeliverable(m, code)
	if answer == nil || actors.RefOf(m.GetSenderRef()) != st.self {
		st.Counters.Dropped.Add(1)
		return
	}
	if _, open := st.answered(m.GetTag()); !open {
		st.Counters.Dropped.Add(1)
		return
	}
	st.relayIn(fx, answer)
}

// relayFailed is the same from a node of an older version.
func (st *state) relayFailed(fx *effects, m *nodepb.RelayFailed) {
	if r, open := st.answered(m.GetTag()); open {
		st.errorReply(fx, "iq", r.id, r.to, mailbox.ErrorOf(m.GetCode()))
	}
}

// answered notes that a request has come back, and reports whether it is remembered and had not.
func (st *state) answered(tag uint64) (r relayed, open bool) {
	i := slices.IndexFunc(st.relayed, func(r relayed) bool { return r.tag == tag })
	if i < 0 {
		return relayed{}, false
	}
	r = st.relayed[i]
	if st.relayed = slices.Delete(st.relayed, i, i+1); len(st.relayed) == 0 {
		st.relayed = nil
	}
	return r, true
}

// relayIn writes a stanza that somebody's session handed on to this client. While the client is away a request is told so
// at once; an answer to one of its own is kept for it.
func (st *state) relayIn(fx *effects, m *nodepb.Relay) {
	request := m.GetTag() != 0
	if actors.RefOf(m.GetAsker()) == st.self {
		st.answered(m.GetAsked()) // should the request come back as well, the client knows
	}
	switch {
	case st.phase == bound && st.busy && len(st.parked) < maxRelayed:
		st.parked = append(st.parked, m) // the client doesn't know its address yet
	case st.phase == bound && !st.busy, !request && (st.phase == detached || st.phase == handing):
		start := len(fx.out)
		fx.out = append(fx.out, m.GetStanza()...)
		st.wrote(fx, start)
		st.tooMuch(fx)
	case !request && st.phase == given:
		fx.cast(st.heir.ref, m)
	default:
		st.relayMissed(fx, m)
	}
}

// relayMissed tells who sent a request that it has reached nobody.
func (st *state) relayMissed(fx *effects, m *nodepb.Relay) {
	st.Counters.Dropped.Add(1)
	if to, answer := mailbox.Undeliverable(m, nodepb.Code_NO_RESOURCE); answer != nil {
		fx.casts = append(fx.casts, cast{to: to, msg: answer, room: true, refused: func(fx *effects) { st.relayUndelivered(fx, to, answer, actors.ErrOverloaded) }})
	}
}

// setAttr sets an attribute without namespace of a stanza that is the session's own.
func setAttr(e *xmpp.Element, name, value string) {
	for i := range e.Attrs {
		if e.Attrs[i].Space == "" && e.Attrs[i].Name == name {
			e.Attrs[i].Value = value
			return
		}
	}
	e.Attrs = append(e.Attrs, xmpp.Attr{Name: name, Value: value})
}

// The actors of other users.
func mailboxOf(user ident.UserID) actors.Ref { return actors.Ref{Kind: mailboxKind, ID: string(user)} }
func accountOf(user ident.UserID) actors.Ref { return actors.Ref{Kind: accountKind, ID: string(user)} }
