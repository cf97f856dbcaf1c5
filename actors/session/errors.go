package session

import (
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

// errorOf is the one table of what a client is told for each code that isn't OK.
func errorOf(code nodepb.Code) xmpp.StanzaError {
	switch code {
	case nodepb.Code_NO_SUCH_USER, nodepb.Code_NO_RESOURCE, nodepb.Code_BLOCKED:
		return xmpp.ServiceUnavailable
	case nodepb.Code_QUOTA:
		return resourceConstraint("the recipient's mailbox takes no more from you now")
	case nodepb.Code_STORE_FULL:
		return resourceConstraint("the server can store nothing now")
	case nodepb.Code_LATER, nodepb.Code_GAP:
		return resourceConstraint("the server is busy; nothing was done")
	case nodepb.Code_BAD_REQUEST:
		return xmpp.BadRequest
	case nodepb.Code_NOT_FOUND:
		return xmpp.ItemNotFound
	case nodepb.Code_ALREADY_EXISTS:
		return xmpp.StanzaConflict
	}
	e := xmpp.RemoteServerTimeout
	e.Type, e.Text = "wait", "the outcome is unknown: this may or may not have been done"
	return e
}

// errorWith is errorOf where another bound than the mailbox's is reached, with what to say of it.
func errorWith(code nodepb.Code, full string) xmpp.StanzaError {
	if code == nodepb.Code_QUOTA {
		return resourceConstraint(full)
	}
	return errorOf(code)
}

func resourceConstraint(text string) xmpp.StanzaError {
	e := xmpp.ResourceConstraint
	e.Text = text
	return e
}

// coded is every answer that carries a Code.
type coded interface{ GetCode() nodepb.Code }

// codeOf reads the code out of a call's answer. A call without an answer has an unknown outcome.
func codeOf(v any, err error) nodepb.Code {
	if c, ok := v.(coded); ok && err == nil && c.GetCode() != nodepb.Code_CODE_UNSPECIFIED {
		return c.GetCode()
	}
	return nodepb.Code_OUTCOME_UNKNOWN
}

// unsure reports whether a request is worth repeating after the code.
func unsure(code nodepb.Code) bool {
	return code == nodepb.Code_OUTCOME_UNKNOWN || code == nodepb.Code_LATER || code == nodepb.Code_GAP
}
