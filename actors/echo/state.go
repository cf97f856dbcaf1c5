package echo

import (
	"slices"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/chatpb"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

const nsClient = "jabber:client"

// senders remembers the number of the last message taken from each sender, for at least rememberTime after it.
type senders struct {
	young, old map[actors.Ref]uint64
	aged       time.Time // when young became old
}

const rememberTime = time.Minute

// take says what to answer to a message, and whether it is one to act on: the next of its sender, or the oldest that the
// sender has no answer to.
func (s *senders) take(d *nodepb.Deliver, now time.Time) (code nodepb.Code, isNew bool) {
	if now.Sub(s.aged) > rememberTime {
		s.young, s.old, s.aged = map[actors.Ref]uint64{}, s.young, now
	}
	from, seq := actors.RefOf(d.GetSenderRef()), d.GetSeq()
	last, known := s.young[from]
	if !known {
		last, known = s.old[from]
	}
	switch {
	case known && seq <= last:
		return nodepb.Code_OK, false // sent again: it has its echo
	case seq == d.GetBase() || known && seq == last+1:
		s.young[from] = seq
		return nodepb.Code_OK, true
	}
	return nodepb.Code_GAP, false
}

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
