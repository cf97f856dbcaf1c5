package echo

import (
	"slices"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/chatpb"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

const nsClient = "jabber:client"

// answer makes the message that sends a text back to the resource it came from; nil if there is nothing to send back. Its id
// follows from the id of what it answers, so that an echo sent twice after a crash is taken once.
func answer(d *nodepb.Deliver, self ident.UserID, now time.Time) *nodepb.Deliver {
	m := d.GetMessage()
	to, err := xmpp.ParseJID(m.GetFrom())
	stanza, bad := xmpp.Parse(slices.Concat([]byte("<message>"), m.GetPayload(), []byte("</message>")))
	body := stanza.Child(nsClient, "body")
	chats := m.GetType() == chatpb.MessageType_NORMAL || m.GetType() == chatpb.MessageType_CHAT
	if err != nil || bad != nil || body == nil || !chats {
		return nil
	}
	id := ident.HashMessageID([]byte(self), d.GetId())
	return &nodepb.Deliver{
		Id: id[:], Sender: string(self), Resource: to.Resource, Store: d.GetStore(),
		Message: &chatpb.Message{
			From: string(self), To: m.GetFrom(), Type: m.GetType(), Id: id.String(), Lang: m.GetLang(), SentUs: now.UnixMicro(),
			Payload: append(xmpp.AppendEscaped([]byte("<body>"), body.Text()), "</body>"...),
		},
	}
}
