package session

import (
	"errors"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/chatpb"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// crashed is the end of an actor that its supervisor starts again.
var crashed = actors.Crashed(errors.New("as the test wants"))

// chat is a chat message to alice.
func chat(body string) *chatpb.Message {
	return &chatpb.Message{
		From: "bob@example.org/pc", To: "alice@example.org", Type: chatpb.MessageType_CHAT, Id: "m-" + body,
		Payload: []byte("<body>" + body + "</body>"), SentUs: epoch0.UnixMicro(),
	}
}

// outcomeOf is a mailbox's answer.
func outcomeOf(user ident.UserID, seq uint64, code nodepb.Code) *nodepb.Outcome {
	return &nodepb.Outcome{From: mailboxOf(user).Proto(), Seq: seq, Code: code}
}
