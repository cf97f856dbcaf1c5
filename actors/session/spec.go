package session

import (
	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// queueLen bounds the messages that wait for one session: what its client may have uncounted, rows within its credit, and
// the presence of a big roster at login.
const queueLen = 20_000

// Supervisor returns the supervisor of a node's sessions, for its tree. Sessions are temporary: the client of one that
// crashed connects again. They are pinned to this node.
func Supervisor(sys *actors.System, cfg Config) *supervision.Dynamic {
	sh := newShared(cfg)
	return supervision.NewDynamic(sys, supervision.DynamicSpec{
		ID: "sessions",
		Child: actors.Spec{
			Kind:     Kind,
			New:      func() actors.Behaviour { return &actor{sh: sh} },
			QueueLen: queueLen,
		},
		Restart: supervision.Temporary,
	})
}

// Start starts the session of one connection whose TLS is up. It doesn't wait: what is cast to the Ref comes after Init.
func Start(sessions *supervision.Dynamic, args Args) (actors.Ref, error) {
	return sessions.StartChild(random(), args)
}
