package pgstore

import (
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/ident"
)

// The defaults of Options.
const (
	DefaultConns = 12
	DefaultStuck = 30 * time.Second
	DefaultCheck = time.Second
	DefaultIdle  = 3 * time.Second
)

// Options of a shared store. The zero value is right for one node that has nobody beside it.
type Options struct {
	Logger *zap.Logger // nil = silent
	// Directory is the URL of the database of accounts and groups; empty = the first of the stores.
	Directory string
	// Node is who claims partitions. Its name, the part before the '@', must be unique among the nodes, and should stay the
	// same over restarts.
	Node ident.NodeID
	// Memory is the file in which the engine remembers what it has been promised by which servers, so that after a restart
	// too it can tell a server that has lost something. Empty = it remembers for as long as the process lives.
	Memory string
	// AllowUnreplicated lets appends and changes go on while no synchronous standby has a copy. What is acknowledged then
	// is lost with the server's disk.
	AllowUnreplicated bool
	// Conns is how many connections are opened at most to each database, one for its watch not counted.
	Conns int
	// Stuck is how long a write may take before its connection is closed. Its outcome is then unknown.
	Stuck time.Duration
	// Check is how often each database is asked whether it still is what it was, and is replicated.
	Check time.Duration
	// Idle is for how long a node may have written nothing to a database before it leaves a mark there, by which it knows a server again. A
	// server that has lost only what others were promised for less than that is used. The price is one small commit in that time, for each
	// node and database: a few a second of the thousands that a server makes.
	Idle time.Duration

	// Tool says that the store is opened by a tool and not by a server: one into which another store's content is being loaded
	// isn't refused, and nothing is forgotten meanwhile.
	Tool bool

	// Cluster is the id of the cluster that opens the store. Databases of another one are refused; those that are nobody's become this
	// one's, unless Tool or Trial is set. Empty = databases of any cluster are opened.
	Cluster string
	// Trial says that the store is opened only to see whether it can be.
	Trial bool
	// Founded says that the store is there: databases in which there is none yet are refused, not set up.
	Founded bool

	// Shift, for tests, is added to the databases' clock.
	Shift func() time.Duration
	// Clock, for tests, is the node's; nil: time.Now.
	Clock func() time.Time
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Node == "" {
		o.Node = "node@0"
	}
	if o.Conns <= 0 {
		o.Conns = DefaultConns
	}
	if o.Stuck <= 0 {
		o.Stuck = DefaultStuck
	}
	if o.Check <= 0 {
		o.Check = DefaultCheck
	}
	if o.Idle <= 0 {
		o.Idle = DefaultIdle
	}
	if o.Shift == nil {
		o.Shift = func() time.Duration { return 0 }
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	return o
}
