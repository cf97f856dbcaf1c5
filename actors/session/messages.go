package session

import (
	"encoding/binary"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/chatpb"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

// message takes a message stanza of the client: it becomes one canonical message, kept in the outbox until it has an
// outcome. Delivery by RFC 6121 section 8.5 is the mailbox's.
func (st *state) message(fx *effects, e *xmpp.Element, n uint64) {
	if st.phase != bound {
		st.fail(fx, xmpp.NotAuthorized, "")
		return
	}
	to, err := st.address(e)
	kind := messageTypes[e.Attr("type")]
	switch {
	case err != nil:
		st.refuse(fx, e, xmpp.JIDMalformed)
	case to.Domain != st.Domain:
		st.refuse(fx, e, xmpp.RemoteServerNotFound)
	case to.Local == "", kind == chatpb.MessageType_GROUPCHAT && to.Resource == "":
		st.refuse(fx, e, xmpp.ServiceUnavailable)
	default:
		st.Counters.MessagesIn.Add(1)
		st.send(fx, e, to, kind, n)
		return
	}
	st.Counters.Refused.Add(1)
	st.done(fx, n)
}

// messageTypes is RFC 6121 section 5.2.2. An unknown type counts as normal.
var messageTypes = map[string]chatpb.MessageType{
	"chat": chatpb.MessageType_CHAT, "groupchat": chatpb.MessageType_GROUPCHAT,
	"headline": chatpb.MessageType_HEADLINE, "error": chatpb.MessageType_ERROR,
}

// send makes the canonical message and gives it to the outbox.
func (st *state) send(fx *effects, e *xmpp.Element, to xmpp.JID, kind chatpb.MessageType, n uint64) {
	bare := to.Bare()
	m := &chatpb.Message{
		From: st.full, To: string(bare), Type: kind, Id: e.Attr("id"), Lang: langOf(e),
		Payload: payload(e), SentUs: fx.now.UnixMicro(),
	}
	if to.Resource != "" {
		m.To = to.String()
	}
	ref, service := st.Services[bare]
	if !service {
		ref = mailboxOf(bare)
	}
	id := st.messageID(bare, m, originID(e), n)
	d := &nodepb.Deliver{
		SenderRef: st.ref, Id: id[:], Sender: string(st.user), Resource: to.Resource,
		Store: stored(kind, e), Message: m,
	}
	st.deliver(fx, ref, d, n)
}

// messageID is the identity under which a message is stored once, however often it is sent. A client's unique id makes it
// the client's; else it is this stanza of this stream, whose numbers a resumption carries on.
func (st *state) messageID(to ident.UserID, m *chatpb.Message, origin string, n uint64) ident.MessageID {
	if origin != "" {
		return ident.HashMessageID([]byte(st.user), []byte(to), []byte("origin"), []byte(origin))
	}
	stream := "stream"
	id := st.self.ID
	if st.sm.on && n > st.sm.inBase {
		stream, id, n = "sm", st.sm.id, n-st.sm.inBase
	}
	var num [9]byte
	binary.BigEndian.PutUint64(num[:], n)
	num[8] = byte(m.GetType())
	return ident.HashMessageID([]byte(st.user), []byte(to), []byte(stream), []byte(id), num[:],
		[]byte(m.GetTo()), []byte(m.GetId()), []byte(m.GetLang()), m.GetPayload())
}

// originID is XEP-0359's id by which the client knows the message.
func originID(e *xmpp.Element) string {
	if o := e.Child(nsStanzaID, "origin-id"); o != nil {
		return o.Attr("id")
	}
	return ""
}

// stored reports whether a message becomes a row (XEP-0160 section 3, XEP-0334): chat and normal messages that say
// something. Chat states alone, headlines and what asks not to be stored do not.
func stored(kind chatpb.MessageType, e *xmpp.Element) bool {
	if kind != chatpb.MessageType_NORMAL && kind != chatpb.MessageType_CHAT {
		return false
	}
	says := false
	for _, n := range e.Nodes {
		c := n.Elem
		switch {
		case c == nil:
		case c.Space == nsHints && c.Name == "no-store":
			return false
		case c.Space == nsHints && c.Name == "store":
			says = true
		case c.Space == nsHints, c.Space == nsChatStates, c.Space == nsStanzaID, c.Space == nsClient && c.Name == "thread":
			// these come with a message and are none
		default:
			says = true
		}
	}
	return says
}
