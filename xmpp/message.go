package xmpp

import (
	"time"

	"github.com/jackdaw-im/jackdaw/proto/chatpb"
)

// stampFormat is XEP-0082's, in UTC.
const stampFormat = "2006-01-02T15:04:05.000Z"

// AppendMessage appends the canonical message as a stanza. With delayedBy, the domain that kept it, it says when it was
// taken (XEP-0203).
func AppendMessage(dst []byte, m *chatpb.Message, delayedBy string) []byte {
	dst = append(dst, "<message"...)
	dst = appendNonEmpty(dst, "type", messageType(m.GetType()))
	dst = appendNonEmpty(dst, "id", m.GetId())
	dst = appendNonEmpty(dst, "from", m.GetFrom())
	dst = appendNonEmpty(dst, "to", m.GetTo())
	dst = appendNonEmpty(dst, "xml:lang", m.GetLang())
	if len(m.GetPayload()) == 0 && delayedBy == "" {
		return append(dst, "/>"...)
	}
	dst = append(dst, '>')
	dst = append(dst, m.GetPayload()...)
	if delayedBy != "" {
		dst = append(dst, "<delay xmlns='"+NSDelay+"'"...)
		dst = appendAttr(dst, "from", delayedBy)
		dst = append(dst, " stamp='"...)
		dst = time.UnixMicro(m.GetSentUs()).UTC().AppendFormat(dst, stampFormat)
		dst = append(dst, "'/>"...)
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
