package echo

import (
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/proto/chatpb"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

var t0 = time.Unix(1_700_000_000, 0)

var phone = actors.Ref{Kind: "session", ID: "phone", Node: "n@1"}

// message is one chat message from alice, of her session's number seq.
func message(seq, base uint64, payload string) *nodepb.Deliver {
	return &nodepb.Deliver{
		SenderRef: phone.Proto(), Seq: seq, Base: base, Id: []byte("0123456789abcdef"), Sender: "alice@example.org", Store: true,
		Message: &chatpb.Message{From: "alice@example.org/phone", To: "echo@example.org", Type: chatpb.MessageType_CHAT, Id: "m1", Payload: []byte(payload)},
	}
}

func TestAnswer(t *testing.T) {
	for _, c := range []struct {
		name, payload string
		typ           chatpb.MessageType
		want          string // the answer's payload
	}{
		{"text", "<body>Hello</body>", chatpb.MessageType_CHAT, "<body>Hello</body>"},
		{"a normal message", "<subject>s</subject><body>Hello</body>", chatpb.MessageType_NORMAL, "<body>Hello</body>"},
		{"text to escape", "<body>1 &lt; 2 &amp; ü 😀</body>", chatpb.MessageType_CHAT, "<body>1 &lt; 2 &amp; ü 😀</body>"},
		{"no text at all", "<body/>", chatpb.MessageType_CHAT, "<body></body>"},
		{"a chat state", "<composing xmlns='http://jabber.org/protocol/chatstates'/>", chatpb.MessageType_CHAT, ""},
		{"a receipt", "<received xmlns='urn:xmpp:receipts' id='m0'/>", chatpb.MessageType_NORMAL, ""},
		{"somebody else's body", "<body xmlns='urn:other'>Hello</body>", chatpb.MessageType_CHAT, ""},
		{"an error", "<body>Hello</body><error type='cancel'/>", chatpb.MessageType_ERROR, ""},
		{"a headline", "<body>Hello</body>", chatpb.MessageType_HEADLINE, ""},
		{"a room", "<body>Hello</body>", chatpb.MessageType_GROUPCHAT, ""},
		{"what can't be read", "<body>Hello", chatpb.MessageType_CHAT, ""},
	} {
		d := message(1, 1, c.payload)
		d.Message.Type = c.typ
		back := answer(d, "echo@example.org", t0)
		if back == nil {
			if c.want != "" {
				t.Errorf("%s gets no answer", c.name)
			}
			continue
		}
		if got := string(back.GetMessage().GetPayload()); got != c.want {
			t.Errorf("%s is answered with %q, want %q", c.name, got, c.want)
		}
	}
	one, two := answer(message(1, 1, "<body>x</body>"), "echo@example.org", t0), answer(message(9, 9, "<body>x</body>"), "echo@example.org", t0.Add(time.Hour))
	if string(one.GetId()) != string(two.GetId()) || len(one.GetId()) != 16 {
		t.Error("a message sent again after a crash has another answer")
	}
	if m := one.GetMessage(); m.GetFrom() != "echo@example.org" || m.GetTo() != "alice@example.org/phone" || one.GetResource() != "phone" || !one.GetStore() {
		t.Errorf("answered %v", one)
	}
	d := message(1, 1, "<body>x</body>")
	d.Message.From = "@"
	if answer(d, "echo@example.org", t0) != nil {
		t.Error("an address that can't be read gets an answer")
	}
}
