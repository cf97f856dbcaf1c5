package client

import (
	"strconv"

	"github.com/jackdaw-im/jackdaw/xmpp"
)

// manage handles an element of stream management.
func (c *Conn) manage(e *xmpp.Element) error {
	switch e.Name {
	case "r":
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.mu.closing {
			return nil
		}
		return c.writeLocked(appendAck(nil, c.mu.sm.answer()))
	case "a":
		h, err := parseCount(e.Attr("h"))
		if err != nil {
			return err
		}
		return c.acknowledged(h)
	}
	return nil
}

// acknowledged takes the server's h.
func (c *Conn) acknowledged(h uint32) error {
	c.mu.Lock()
	covered, err := c.mu.sm.ack(h)
	c.mu.Unlock()
	if err == nil && len(covered) > 0 && c.cfg.OnAck != nil {
		c.cfg.OnAck(c, covered)
	}
	return err
}

// appendAck appends <a h/>.
func appendAck(b []byte, h uint32) []byte {
	b = append(b, "<a xmlns='"+nsSM+"' h='"...)
	b = strconv.AppendUint(b, uint64(h), 10)
	return append(b, "'/>"...)
}

// reply answers an IQ request. It returns false if OnStanza is to see the stanza.
func (c *Conn) reply(e *xmpp.Element) bool {
	kind := e.Attr("type")
	if kind != "get" && kind != "set" {
		return false
	}
	child := e.First()
	answer := appendReply(nil, e)
	switch {
	case child == nil:
		answer = append(answer, refusal("modify", "bad-request")...)
	case kind == "get" && child.Space == nsPing:
		answer = append(answer, " type='result'/>"...)
	case kind == "get" && child.Space == nsDiscoInfo:
		answer = append(answer, " type='result'><query xmlns='"+nsDiscoInfo+"'"...)
		answer = appendAttr(answer, "node", child.Attr("node"))
		answer = append(answer, "><identity category='client' type='bot'/><feature var='"+nsDiscoInfo+"'/><feature var='"+nsPing+
			"'/></query></iq>"...)
	case kind == "set" && child.Space == nsRoster:
		answer = append(answer, " type='result'/>"...)
		_ = c.Send(answer, nil) // a stream that has ended needs no answer
		return false
	default:
		answer = append(answer, refusal("cancel", "service-unavailable")...)
	}
	_ = c.Send(answer, nil) // as above
	return true
}

// appendReply appends the beginning of the answer to a request, up to its type.
func appendReply(b []byte, request *xmpp.Element) []byte {
	b = append(b, "<iq"...)
	b = appendAttr(b, "to", request.Attr("from"))
	return appendAttr(b, "id", request.Attr("id"))
}

func refusal(kind, condition string) string {
	return " type='error'><error type='" + kind + "'><" + condition + " xmlns='" + nsStanzas + "'/></error></iq>"
}
