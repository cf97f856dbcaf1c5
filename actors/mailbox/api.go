package mailbox

import (
	"sync/atomic"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/lane"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

// Kind is the kind of mailbox actors. It is part of the store's format.
const Kind = store.MailKind

// Ref names a user's mailbox.
func Ref(user ident.UserID) actors.Ref { return actors.Ref{Kind: Kind, ID: string(user)} }

// Config is what all mailboxes of a node share. It must not change once they run.
type Config struct {
	// Lanes are the way to the store.
	Lanes *lane.Lanes
	// Account names a user's account. A mailbox asks it who the user is where the store would have to be asked a second time. nil: the store is.
	Account func(user ident.UserID) actors.Ref
	// Limits are the quotas; what is 0 is the default.
	Limits Limits
	// Counters may be nil.
	Counters *Counters
	// Moving reports whether mailboxes may have moved between nodes in the last seconds: then not all may know all sessions yet. It is
	// called from any goroutine and must be quick; nil: they never do.
	Moving func() bool
	// GivenUp counts how often a node that had given this one up was back: it may have had this node's mailboxes meanwhile, so one whose rows
	// were read before reads them again before it takes a message. It is called from any goroutine and must be quick; nil: they never do.
	GivenUp func() uint64
	// Held is how many bytes of messages all mailboxes together keep in memory, for a minute or two, for sessions that come or come
	// back meanwhile; 0 is DefaultHeld.
	Held int64
}

// DefaultHeld is the default of Config.Held.
const DefaultHeld = 64 << 20

// Limits bound one mailbox. Over them the sender is refused with QUOTA.
type Limits struct {
	// Messages and Bytes are how much may wait in all.
	Messages int
	Bytes    int64
	// Stranger is how many messages of one sender who is no contact may wait, those not counted that a session has been given.
	Stranger int
	// SharePercent is how much of Messages and Bytes one sender may take.
	SharePercent int
	// TTL is how long a message waits before it expires and its sender is told.
	TTL time.Duration
}

// Defaults of Limits.
const (
	DefaultMessages     = 10_000
	DefaultBytes        = 64 << 20
	DefaultStranger     = 100
	DefaultSharePercent = 20
	DefaultTTL          = 30 * 24 * time.Hour
)

func (l Limits) withDefaults() Limits {
	if l.Messages <= 0 {
		l.Messages = DefaultMessages
	}
	if l.Bytes <= 0 {
		l.Bytes = DefaultBytes
	}
	if l.Stranger <= 0 {
		l.Stranger = DefaultStranger
	}
	if l.SharePercent <= 0 {
		l.SharePercent = DefaultSharePercent
	}
	if l.TTL <= 0 {
		l.TTL = DefaultTTL
	}
	return l
}

// Counters count what all mailboxes of a node do. They are read at any time by whoever exports them.
type Counters struct {
	Taken      atomic.Int64 // messages that became rows, or went to a session at once
	Pushed     atomic.Int64 // messages pushed to sessions
	Acked      atomic.Int64 // rows acknowledged by a session
	Duplicates atomic.Int64 // messages whose id was known
	Refused    atomic.Int64 // messages refused for good: no such user or resource, blocked, quota, a full store
	Dropped    atomic.Int64 // messages dropped as RFC 6121 section 8.5 says, and answers to requests that find nobody
	Later      atomic.Int64 // messages told to come again
	Gaps       atomic.Int64 // messages that came before an earlier one of their sender
	Missed     atomic.Int64 // rows that one session acknowledged before another, slower one was given its copy
	Expired    atomic.Int64 // rows whose sender was told that they expired
	Unreadable atomic.Int64 // rows whose body can't be decoded; they stay in the store
	Untold     atomic.Int64 // accounts that didn't say who the user is, so that the store was asked
	Held       atomic.Int64 // bytes that are held now: see Config
}
