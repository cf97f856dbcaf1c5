package telemetry

import "time"

// Sources are where a Registry reads. Each function is called once a scrape, from any goroutine, and must neither block nor change
// anything; one that is nil leaves its metrics out. All counts are totals since the start of the process unless they say "now".
type Sources struct {
	Connections func() Connections
	Sessions    func() Sessions
	Mailboxes   func() Mailboxes
	Actors      func() Actors
	Lanes       func() Lanes
	Store       func() Store
	Cluster     func() Cluster          // nil on a node without one
	Dumps       func() map[string]int64 // crash dumps written, by reason
	// Started is when the server began; the zero time leaves the uptime out.
	Started time.Time
	// Version, Revision: of this program, for the metric that says what runs.
	Version, Revision string
}

// Connections are what the gateway counts.
type Connections struct {
	Open              int64 // now, handshakes included
	Accepted          int64
	Handshakes        int64 // completed
	HandshakesFailed  int64
	HandshakesRefused int64 // for want of room
	HandshakesWaiting int64 // now
	RateLimited       int64 // pauses of reading
	Slow              int64 // closed because the client did not read
	StanzasIn         int64
	BytesIn, BytesOut int64 // decrypted
	StreamErrors      int64 // bytes that were no legal stream
}

// Sessions are what the sessions count.
type Sessions struct {
	Live         int64 // now, those waiting to be resumed included
	Logins       int64
	LoginsFailed int64
	LoginsSlowed int64 // answers held back
	PlainChecks  int64 // passwords checked with PLAIN
	Resumed      int64
	MessagesIn   int64
	MessagesOut  int64
	Refused      int64 // messages answered with an error
	Dropped      int64 // stanzas dropped as the RFCs demand
	Unanswered   int64 // connections closed for an unanswered question
	StreamErrors int64 // streams that the server ended with an error
}

// Mailboxes are what the mailboxes count.
type Mailboxes struct {
	Taken      int64 // messages that became rows, or went to a session at once
	Duplicates int64 // messages whose id was known
	Refused    int64 // messages refused for good
	Dropped    int64 // messages dropped as RFC 6121 section 8.5 says
	Later      int64 // messages told to come again
	Gaps       int64 // messages that came before an earlier one of their sender
	Pushed     int64 // messages pushed to sessions
	Acked      int64 // rows that a session acknowledged
	Missed     int64 // rows that one session acknowledged before another was given its copy
	Expired    int64 // rows whose sender was told that they expired
	Untold     int64 // accounts that didn't say who the user is
	Unreadable int64 // rows whose body can't be decoded; they stay in the store
}

// Actors are what the actor system counts.
type Actors struct {
	Live        map[string]int64 // now, by kind
	Handled     map[string]int64 // messages, by kind
	DeadLetters map[string]int64 // by kind of the addressee
	Overloads   int64            // casts refused for a full queue
	Restarts    int64
	Abandoned   int64
	LateReplies int64 // answers after the deadline
	Stuck       int64 // handlers that ran so long that their worker was replaced
	Spares      int64 // such workers now
	// Marks counts how often a queue grew to a length, by that length.
	Marks map[int]int64
	// Top are the longest queues, longest first; those after the tenth are left out.
	Top []QueueTop
}

// QueueTop is one of the longest queues. Whose it is isn't told, only what kind of actor.
type QueueTop struct {
	Kind string
	Len  int
}

// Lanes are what the store lanes count, all together.
type Lanes struct {
	Appends     int64       // messages stored
	Acks        int64       // acknowledgements stored
	Annihilated int64       // messages acknowledged before they could be stored
	Full        int64       // messages refused because the store was full
	Refused     int64       // requests refused for a full queue
	Retries     int64       // commits repeated because their outcome was unknown
	Expired     int64       // rows past their expiry that were found
	Loads       int64       // mailboxes read because they start, or somebody else has written to them
	Reads       int64       // readings of waiting messages' bodies
	Requests    int64       // requests to the directory
	Seconds     Measurement // of commits
	Items       Measurement // appends and acknowledgements in one commit
}

// Store is how the store is now.
type Store struct {
	State string // one of StoreStates
	Free  uint64 // bytes that the disk has left; 0 if the engine can't tell
	// Databases are those of a shared store.
	Databases []Database
}

// StoreStates are the values of Store.State.
var StoreStates = [...]string{"serving", "full", "held", "failed"}
