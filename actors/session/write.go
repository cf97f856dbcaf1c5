package session

import (
	"bytes"

	"github.com/jackdaw-im/jackdaw/xmpp"
)

// credit frees reading credit of something that isn't counted: what is no stanza, or came too late to matter.
func (fx *effects) credit(size int) {
	fx.stanzas++
	fx.bytes += size
}

// wrote finishes the stanza that was appended to fx.out from start on: it is counted, and where the stream can be resumed
// it is kept until the client has it. Without a socket it is only kept, and at the end of a session it is dropped.
func (st *state) wrote(fx *effects, start int) {
	switch {
	case !st.live() && st.phase != detached && st.phase != handing:
		st.Counters.Dropped.Add(1)
		fx.out = fx.out[:start]
	case st.sm.resumable:
		st.out.stanza(bytes.Clone(fx.out[start:]))
		if !st.live() {
			fx.out = fx.out[:start]
		}
	default:
		st.out.skip()
	}
}

// tooMuch ends a session that keeps more for its client than is reasonable: one that asks much and never acknowledges.
func (st *state) tooMuch(fx *effects) {
	switch {
	case st.phase == detached && st.out.bytes > maxKeptDetached:
		st.leave(fx)
	case st.live() && st.out.bytes > maxKeptLive:
		st.fail(fx, "resource-constraint", "too many stanzas are not acknowledged")
	}
}

// How many bytes of stanzas other than rows are kept for a client, without and with a socket.
const (
	maxKeptDetached = 256 << 10
	maxKeptLive     = 1 << 20
)

// attr appends an attribute that has a value; an empty one is left out.
func attr(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	dst = append(dst, ' ')
	dst = append(dst, name...)
	dst = append(dst, "='"...)
	dst = xmpp.AppendEscaped(dst, value)
	return append(dst, '\'')
}

// open appends the start of a stanza up to and without the end of its start tag.
func open(dst []byte, name, typ, id, from, to string) []byte {
	dst = append(dst, '<')
	dst = append(dst, name...)
	dst = attr(dst, "type", typ)
	dst = attr(dst, "id", id)
	dst = attr(dst, "from", from)
	return attr(dst, "to", to)
}

// refuse answers a stanza of the client with an error. Errors and results are never answered.
func (st *state) refuse(fx *effects, e *xmpp.Element, err xmpp.StanzaError) {
	typ := e.Attr("type")
	if typ == "error" || e.Name == "iq" && typ == "result" {
		st.Counters.Dropped.Add(1)
		return
	}
	st.errorReply(fx, e.Name, e.Attr("id"), e.Attr("to"), err)
}

// errorReply writes an error stanza that comes from the address to.
func (st *state) errorReply(fx *effects, name, id, to string, err xmpp.StanzaError) {
	start := len(fx.out)
	fx.out = open(fx.out, name, "error", id, to, st.full)
	fx.out = append(fx.out, '>')
	fx.out = err.Append(fx.out)
	fx.text("</", name, ">")
	st.wrote(fx, start)
}
