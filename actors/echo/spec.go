package echo

import (
	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// Kind is the kind of the one echo actor.
const Kind = "echo"

// Ref names the echo: what sessions cast messages for Address to.
func Ref() actors.Ref { return actors.Ref{Kind: Kind, ID: Kind} }

// Address is the echo's JID in a domain.
func Address(domain string) ident.UserID { return ident.UserID(Kind + "@" + domain) }

// Spec is the echo of a domain as a child of a supervisor.
func Spec(domain string) supervision.ChildSpec {
	return supervision.Actor(Kind, actors.Spec{Kind: Kind, New: func() actors.Behaviour { return new(echo) }}, Address(domain))
}
