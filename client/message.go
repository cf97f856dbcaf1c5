package client

import (
	"crypto/rand"
	"encoding/hex"
	"strconv"
)

// Message is a message to send. Fields left empty are left out.
type Message struct {
	// To is the recipient.
	To string
	// Type is chat where it is empty.
	Type string
	// ID is the stanza's id. It need not be unique: answers refer to it.
	ID string
	// OriginID is the client's own unique id (XEP-0359). A message sent again carries the same, so that nobody takes it for two.
	OriginID string
	// Body is the text.
	Body string
	// Payload is further children, as XML with their own namespaces.
	Payload []byte
}

// Append appends the message as XML.
func (m *Message) Append(b []byte) []byte {
	kind := m.Type
	if kind == "" {
		kind = "chat"
	}
	b = append(b, "<message"...)
	b = appendAttr(b, "to", m.To)
	b = appendAttr(b, "type", kind)
	b = appendAttr(b, "id", m.ID)
	b = append(b, '>')
	if m.Body != "" {
		b = append(b, "<body>"...)
		b = appendEscaped(b, m.Body)
		b = append(b, "</body>"...)
	}
	if m.OriginID != "" {
		b = append(b, "<origin-id xmlns='"+nsOriginID+"'"...)
		b = appendAttr(b, "id", m.OriginID)
		b = append(b, "/>"...)
	}
	b = append(b, m.Payload...)
	return append(b, "</message>"...)
}

// NewID returns a new unique id of 128 random bits.
func NewID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}

// appendPresence appends an available presence of this priority.
func appendPresence(b []byte, priority int) []byte {
	if priority == 0 {
		return append(b, "<presence/>"...)
	}
	b = append(b, "<presence><priority>"...)
	b = strconv.AppendInt(b, int64(priority), 10)
	return append(b, "</priority></presence>"...)
}

// appendAttr appends an attribute unless its value is empty.
func appendAttr(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	b = append(b, ' ')
	b = append(b, name...)
	b = append(b, "='"...)
	b = appendEscaped(b, value)
	return append(b, '\'')
}

// appendEscaped appends s as text or as the value of an attribute in single quotes.
func appendEscaped(b []byte, s string) []byte {
	for i := range len(s) {
		switch c := s[i]; c {
		case '&':
			b = append(b, "&amp;"...)
		case '<':
			b = append(b, "&lt;"...)
		case '>':
			b = append(b, "&gt;"...)
		case '\'':
			b = append(b, "&apos;"...)
		case '\r', '\n', '\t': // a parser would change them in an attribute, and \r everywhere
			b = append(b, "&#"...)
			b = strconv.AppendInt(b, int64(c), 10)
			b = append(b, ';')
		default:
			b = append(b, c)
		}
	}
	return b
}
