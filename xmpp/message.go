package xmpp

import (
	"time"

	"github.com/jackdaw-im/jackdaw/proto/chatpb"
)

// stampFormat is XEP-0082's, in UTC.
const stampFormat = "2006-01-02T15:04:05.000Z"

// Delay is what a message that has waited says of it (XEP-0203). The zero value says nothing.
type Delay struct {
	By     string // the domain that kept it
	Reason string // for people; may be empty
}

// AppendMessage appends the canonical message as a stanza. With a delay, it says when it was taken.
func AppendMessage(dst []byte, m *chatpb.Message, d Delay) []byte {
	dst = append(dst, "<message"...)
	dst = appendNonEmpty(dst, "type", messageType(m.GetType()))
	dst = appendNonEmpty(dst, "id", m.GetId())
	dst = appendNonEmpty(dst, "from", m.GetFrom())
	dst = appendNonEmpty(dst, "to", m.GetTo())
	dst = appendNonEmpty(dst, "xml:lang", m.GetLang())
	if len(m.GetPayload()) == 0 && d.By == "" {
		return append(dst, "/>"...)
	}
	dst = append(dst, '>')
	dst = append(dst, m.GetPayload()...)
	if d.By != "" {
		dst = append(dst, "<delay xmlns='"+NSDelay+"'"...)
		dst = appendAttr(dst, "from", d.By)
		dst = append(dst, " stamp='"...)
		dst = time.UnixMicro(m.GetSentUs()).UTC().AppendFormat(dst, stampFormat)
		if d.Reason == "" {
			dst = append(dst, "'/>"...)
		} else {
			dst = append(appendText(append(dst, "'>"...), d.Reason), "</delay>"...)
		}
	}
	return append(dst, "</message>"...)
}

// messageType is RFC 6121 section 5.2.2's word. That of a normal message is left out.
func messageType(t chatpb.MessageType) string {
	switch t {
	case chatpb.MessageType_CHAT:
		return "chat"
	case chatpb.MessageType_GROUPCHAT:
		return "groupchat"
	case chatpb.MessageType_HEADLINE:
		return "headline"
	case chatpb.MessageType_ERROR:
		return "error"
	}
	return ""
}

// appendNonEmpty appends an attribute unless its value is empty.
func appendNonEmpty(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	return appendAttr(dst, name, value)
}
