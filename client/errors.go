package client

import (
	"errors"
	"fmt"

	"github.com/jackdaw-im/jackdaw/xmpp"
)

var (
	// ErrClosed is the error of sending on a connection that has ended.
	ErrClosed = errors.New("client: connection closed")
	// ErrServerClosed is Run's error when the server ended the stream in order, unasked.
	ErrServerClosed = errors.New("client: the server closed the stream")
	// ErrAckAhead is Run's error when the server acknowledges more stanzas than were sent (XEP-0198 section 4).
	ErrAckAhead = errors.New("client: the server acknowledged more than was sent")
)

// AuthError is a login refused by SASL.
type AuthError struct {
	// Condition is SASL's, such as not-authorized (RFC 6120 section 6.5).
	Condition string
}

// Error implements error.
func (e *AuthError) Error() string { return "client: login refused: " + e.Condition }

// RequestError is an IQ answered with an error.
type RequestError struct {
	// Type is what to do about it: auth, cancel, continue, modify or wait.
	Type string
	// Condition is the defined condition, such as item-not-found (RFC 6120 section 8.3.3).
	Condition string
	// Text may explain it.
	Text string
}

// Error implements error.
func (e *RequestError) Error() string {
	return fmt.Sprintf("client: request refused: %s (%s) %s", e.Condition, e.Type, e.Text)
}

// requestError reads the error of a stanza of type error.
func requestError(e *xmpp.Element) *RequestError {
	refusal := &RequestError{Condition: "undefined-condition"}
	child := e.Child(xmpp.NSClient, "error")
	if child == nil {
		return refusal
	}
	refusal.Type = child.Attr("type")
	refusal.Condition, refusal.Text = condition(child, nsStanzas, refusal.Condition)
	return refusal
}

// streamError reads a <stream:error/>.
func streamError(e *xmpp.Element) error {
	se := &xmpp.StreamError{}
	se.Condition, se.Text = condition(e, nsStreams, "undefined-condition")
	if se.Condition == xmpp.SeeOtherHost {
		se.Host = e.Child(nsStreams, se.Condition).Text()
	}
	return se
}

// condition finds the defined condition and the text among an error's children.
func condition(e *xmpp.Element, space, otherwise string) (name, text string) {
	name = otherwise
	for _, n := range e.Nodes {
		switch {
		case n.Elem == nil || n.Elem.Space != space:
		case n.Elem.Name == "text":
			text = n.Elem.Text()
		default:
			name = n.Elem.Name
		}
	}
	return name, text
}
