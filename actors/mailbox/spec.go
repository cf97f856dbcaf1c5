package mailbox

import (
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/supervision"
)

const (
	// idleTime is after how long without a message a mailbox may be passivated.
	idleTime = time.Minute
	// queueLen bounds the messages that wait for one mailbox.
	queueLen = 10_000
)

// Supervisor returns the supervisor of a node's mailboxes, for its tree. Each is started by its first message.
func Supervisor(sys *actors.System, cfg Config) *supervision.Dynamic {
	cfg = cfg.withDefaults()
	return supervision.NewDynamic(sys, supervision.DynamicSpec{
		ID: "mailboxes",
		Child: actors.Spec{
			Kind:        Kind,
			New:         func() actors.Behaviour { return &actor{cfg: &cfg} },
			QueueLen:    queueLen,
			IdleTimeout: idleTime,
		},
		Restart:  supervision.Permanent,
		Entities: true,
	})
}

func (cfg Config) withDefaults() Config {
	cfg.Limits = cfg.Limits.withDefaults()
	if cfg.Counters == nil {
		cfg.Counters = new(Counters)
	}
	if cfg.GivenUp == nil {
		cfg.GivenUp = func() uint64 { return 0 }
	}
	if cfg.Held <= 0 {
		cfg.Held = DefaultHeld
	}
	return cfg
}
