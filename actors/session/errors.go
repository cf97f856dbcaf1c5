package session

import (
	"github.com/jackdaw-im/jackdaw/actors/mailbox"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

// errorWith is mailbox.ErrorOf where another bound than the mailbox's is reached, with what to say of it.
func errorWith(code nodepb.Code, full string) xmpp.StanzaError {
	if code == nodepb.Code_QUOTA {
		e := xmpp.ResourceConstraint
		e.Text = full
		return e
	}
	return mailbox.ErrorOf(code)
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
