package pg

import (
	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// Kind is the kind of a scope's actor.
const Kind = "pg"

// queueLen bounds the joins and leaves that wait: a burst of all that a node's actors do as it starts.
const queueLen = 100_000

// Spec is a scope as a child of a supervisor. It belongs before those who join: they are stopped first.
func Spec(s *Scope) supervision.ChildSpec {
	return supervision.Actor(s.name, actors.Spec{Kind: Kind, QueueLen: queueLen, New: func() actors.Behaviour { return new(actor) }}, s)
}
