package mailbox

import (
	"bytes"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

// ErrorOf is the one table of what a client is told for each code that isn't OK.
func ErrorOf(code nodepb.Code) xmpp.StanzaError {
	switch code {
	case nodepb.Code_NO_SUCH_USER, nodepb.Code_NO_RESOURCE, nodepb.Code_BLOCKED:
		return xmpp.ServiceUnavailable
	case nodepb.Code_QUOTA:
		return resourceConstraint("the recipient's mailbox takes no more from you now")
	case nodepb.Code_STORE_FULL:
		return resourceConstraint("the server can store nothing now")
	case nodepb.Code_LATER, nodepb.Code_GAP:
		return resourceConstraint("the server is busy; nothing was done")
	case nodepb.Code_BAD_REQUEST:
		return xmpp.BadRequest
	case nodepb.Code_NOT_FOUND:
		return xmpp.ItemNotFound
	case nodepb.Code_ALREADY_EXISTS:
		return xmpp.StanzaConflict
	}
	e := xmpp.RemoteServerTimeout
	e.Type, e.Text = "wait", "the outcome is unknown: this may or may not have been done"
	return e
}

func resourceConstraint(text string) xmpp.StanzaError {
	e := xmpp.ResourceConstraint
	e.Text = text
	return e
}

// Undeliverable is the answer to a request that has reached nobody: an error stanza (RFC 6120 section 8.3), to be given to a mailbox as any
// answer is, since whoever asked may be another session by now. It is nil if m is no request.
func Undeliverable(m *nodepb.Relay, code nodepb.Code) (to actors.Ref, answer *nodepb.Relay) {
	e, err := xmpp.Parse(m.GetStanza())
	if m.GetTag() == 0 || err != nil {
		return actors.Ref{}, nil
	}
	asker, err := xmpp.ParseJID(e.Attr("from"))
	if err != nil {
		return actors.Ref{}, nil
	}
	head := &xmpp.Element{Space: xmpp.NSClient, Name: e.Name, Attrs: []xmpp.Attr{{Name: "type", Value: "error"},
		{Name: "id", Value: e.Attr("id")}, {Name: "from", Value: e.Attr("to")}, {Name: "to", Value: e.Attr("from")}}}
	stanza := append(bytes.TrimSuffix(head.AppendXML(nil, xmpp.NSClient), []byte("/>")), '>')
	stanza = ErrorOf(code).Append(stanza)
	stanza = append(stanza, "</"+e.Name+">"...)
	return Ref(ident.UserID(asker.Bare())), &nodepb.Relay{Resource: asker.Resource, Stanza: stanza, Asker: m.GetSenderRef(), Asked: m.GetTag()}
}

// Straight is the second way of an answer of Undeliverable's that could not be given to a mailbox: to the session that asked, if it is still
// there. It is nil for anything else.
func Straight(to actors.Ref, m *nodepb.Relay) (session actors.Ref, answer *nodepb.Relay) {
	if session = actors.RefOf(m.GetAsker()); to.Kind != store.MailKind || session.ID == "" {
		return actors.Ref{}, nil
	}
	return session, m
}
