package account

import (
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/supervision"
)

const (
	// IdleTime is after how long without a message an account without sessions is passivated. It is as long as those whose node is lost may
	// take to come back (lane.TakenTime): what their contacts and mailboxes have had read by then need not be read again.
	IdleTime = time.Minute
	// queueLen bounds the messages that wait for one account: the presence of all its contacts at once.
	queueLen = 20_000
)

// Lanes are the way to the store's directory; *lane.Lanes is.
type Lanes interface {
	// Directory runs f on a lane; its result comes to the calling actor as the Reply with the returned id, or an error if
	// there is none within timeout. Work for one user runs in the order asked for.
	Directory(ctx *actors.Context, user ident.UserID, timeout time.Duration, f func(store.Engine) (any, error)) actors.CallID
}

// Config is what all accounts of a node share. It must not change once they run.
type Config struct {
	// Lanes are the way to the store.
	Lanes Lanes
	// Moving reports whether accounts may have moved between nodes in the last seconds: then one that begins may not know all its sessions
	// yet. It is called from any goroutine and must be quick; nil: they never do.
	Moving func() bool
	// Reunions counts how often nodes of the cluster have found each other again: an account that was read before the last time is read
	// again when it is used. It is called from any goroutine and must be quick; nil: they never do.
	Reunions func() uint64
	// Counters may be nil.
	Counters *Counters
}

// Supervisor returns the supervisor of a node's accounts, for its tree. An account starts with the first message to its Ref.
func Supervisor(sys *actors.System, cfg Config) *supervision.Dynamic {
	all := newThrottles()
	if cfg.Counters == nil {
		cfg.Counters = new(Counters)
	}
	if cfg.Moving == nil {
		cfg.Moving = func() bool { return false }
	}
	if cfg.Reunions == nil {
		cfg.Reunions = func() uint64 { return 0 }
	}
	return supervision.NewDynamic(sys, supervision.DynamicSpec{
		ID: "accounts",
		Child: actors.Spec{
			Kind:        Kind,
			New:         func() actors.Behaviour { return &actor{cfg: &cfg, all: all} },
			QueueLen:    queueLen,
			IdleTimeout: IdleTime,
		},
		Entities: true,
	})
}
