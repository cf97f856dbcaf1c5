package session

import (
	"sync/atomic"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

// Kind is the kind of session actors. Their Refs are always pinned to a node.
const Kind = "session"

// Outlet is the way out to one connection. It is called from the session's own turn only.
type Outlet interface {
	// Write does what out says and never blocks. backlog is how many bytes given so far the system hasn't taken yet. An
	// error means that the connection is gone; Closed follows, unless it was cast already.
	Write(out Out) (backlog int, err error)
}

// OutletFunc is a function as an Outlet.
type OutletFunc func(out Out) (backlog int, err error)

// Write implements Outlet.
func (f OutletFunc) Write(out Out) (int, error) { return f(out) }

// Out is one instruction to a connection. The fields take effect in this order: Data, counting, Authed, Restart, Close.
type Out struct {
	// Data is sent in order; it may be nil. The Outlet has copied or encrypted it when Write returns.
	Data []byte
	// Stanzas and Bytes are how many inbound stanzas are newly counted, and their sizes: credit to read on.
	Stanzas, Bytes int
	// Authed says that the limits of authenticated streams now hold.
	Authed bool
	// Restart says that a new stream header comes next: the parser starts afresh before anything more is read.
	Restart bool
	// Close closes the connection once Data is out, within a bounded time. Nothing is written afterwards.
	Close bool
}

// Opened is cast by the gateway when a stream header was read: the first, and one after each Restart.
type Opened struct{ Header xmpp.StreamHeader }

// Stanza is cast by the gateway for each complete child of the stream, in order. Size is its bytes on the wire.
type Stanza struct {
	Elem *xmpp.Element
	Size int
}

// CloseReason says why a connection ends.
type CloseReason uint8

// The reasons of Closed.
const (
	// SocketLost: the socket failed, or ended without the stream's end tag, or its outgoing tail was full for too long.
	SocketLost CloseReason = iota
	// ClientClosed: the client sent the stream's end tag. The session answers it and closes.
	ClientClosed
	// StreamFault: the client's bytes can't be read on. The session tells the client Err and closes.
	StreamFault
	// Shutdown: the server stops. The session finishes what it has begun, tells the client and closes.
	Shutdown
)

// Closed is cast by the gateway when nothing more will be read. After SocketLost nothing more can be written either.
type Closed struct {
	Reason CloseReason
	// Err is what a StreamFault tells the client.
	Err *xmpp.StreamError
	// AllSent, with ClientClosed, says that all of the first Written bytes of Data that the Outlet was ever given are
	// acknowledged by the client's TCP. Where the system can't tell it is false.
	AllSent bool
	// Written is how many bytes of Data the Outlet had been given when AllSent was found out: what the session has written
	// since isn't covered.
	Written uint64
}

// Writable is cast by the gateway when the backlog has fallen to LowMark after having been above HighMark.
type Writable struct{}

// Marks of an Outlet's backlog, in bytes: above HighMark the session holds rows and presence back, until Writable.
const (
	HighMark = 64 << 10
	LowMark  = 16 << 10
)

// What may be uncounted of one connection at a time. The gateway stops reading at either.
const (
	MaxUncounted      = 256
	MaxUncountedBytes = 1 << 20
)

// Args start one session.
type Args struct {
	Outlet Outlet
	// Remote is the client's address, for logs.
	Remote string

	keep *nodepb.KeepStream // instead of a connection
}

// Config is what all sessions of a node share. It must not change once sessions run.
type Config struct {
	// Domain is the served domain, normalised.
	Domain string
	// Secret keys the stable fake SCRAM salts of users that don't exist. It should outlive restarts.
	Secret []byte
	// Services are the actors behind addresses of this domain that are no users, such as echo.
	Services map[ident.UserID]actors.Ref
	// Software and Version answer XEP-0092.
	Software, Version string
	// ResumeTime is how long a session outlives its socket; 0 means DefaultResumeTime, below 0 none at all.
	ResumeTime time.Duration
	// IdlePing is the silence after which a client is asked whether it is there; 0 means DefaultIdlePing.
	IdlePing time.Duration
	// Location is this node's address for clients, which one that resumes should try first (XEP-0198 section 5); empty: none. It
	// is a host name or an address with an optional port, an IPv6 address in brackets.
	Location string
	// Moving reports whether accounts may have moved between nodes in the last seconds: then not all may know all sessions yet. It is called
	// from any goroutine and must be quick; nil: they never do.
	Moving func() bool
	// PingTimeout is how long an answer to that question may take before the connection is closed; 0 means
	// DefaultPingTimeout.
	PingTimeout time.Duration
	// Counters may be nil.
	Counters *Counters
}

// Defaults of Config.
const (
	DefaultResumeTime  = 15 * time.Minute
	DefaultIdlePing    = 5 * time.Minute
	DefaultPingTimeout = 60 * time.Second
)

// Counters count what all sessions of a node do. They are read at any time by whoever exports them.
type Counters struct {
	Live         atomic.Int64 // sessions now alive, those waiting to be resumed included
	Waiting      atomic.Int64 // those that have a stream and no connection
	Logins       atomic.Int64 // successful logins
	LoginsFailed atomic.Int64 // wrong passwords and unknown users
	LoginsSlowed atomic.Int64 // logins held back: after wrong passwords, or because too many use PLAIN at a time
	PlainChecks  atomic.Int64 // passwords checked with PLAIN, a millisecond of CPU each
	Resumed      atomic.Int64 // streams resumed
	MessagesIn   atomic.Int64 // messages taken from clients
	MessagesOut  atomic.Int64 // messages written to clients
	Refused      atomic.Int64 // messages answered with an error
	Dropped      atomic.Int64 // stanzas dropped as the RFCs demand
	Unanswered   atomic.Int64 // connections closed for an unanswered question
	StreamErrors atomic.Int64 // streams ended with an error
}
