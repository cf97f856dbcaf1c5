package dump

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackdaw-im/jackdaw/supervision"
)

// Version is the version of the format that this package writes.
const Version = 1

// Reason says why a dump was written. It is part of the file's name.
type Reason string

// The reasons.
const (
	Request Reason = "request" // an operator asked for it
	Signal  Reason = "signal"  // SIGQUIT
	Memory  Reason = "memory"  // the process uses more than its mark
	Ended   Reason = "ended"   // the supervision tree gave up
	Panic   Reason = "panic"   // a goroutine of ours panics, and the process is about to end
	Fatal   Reason = "fatal"   // found at a start: the last run ended with a traceback
	Killed  Reason = "killed"  // found at a start: the last run ended without one, by kill -9 or the loss of its disk or machine
)

// Reasons are all of them.
var Reasons = [...]Reason{Request, Signal, Memory, Ended, Panic, Fatal, Killed}

// automatic reports whether nobody asked for the dump, so that it might come again and again.
func (r Reason) automatic() bool { return r == Memory || r == Panic }

// The sections of a dump, in their order in a file.
const (
	sectionHead        = "dump"
	sectionMemory      = "memory"
	sectionKinds       = "kinds"
	sectionActors      = "actors"
	sectionTree        = "tree"
	sectionStates      = "states"
	sectionMetrics     = "metrics"
	sectionRuntime     = "runtime"
	sectionGoroutines  = "goroutines"
	sectionDescriptors = "descriptors"
	sectionConfig      = "config"
	sectionTraceback   = "traceback"
	sectionSnapshot    = "snapshot" // a head again: what follows was collected at its time
	sectionEnd         = "end"
)

// About is what never changes while a server runs.
type About struct {
	Node     string    `json:"node"`
	Domain   string    `json:"domain"`
	Program  string    `json:"program"` // the version of this program
	Revision string    `json:"revision,omitempty"`
	Go       string    `json:"go"`
	PID      int       `json:"pid"`
	Started  time.Time `json:"started"`
	// Config is the configuration as YAML, secrets masked.
	Config string `json:"-"`
}

// Head is the first section.
type Head struct {
	Version int       `json:"version"`
	Reason  Reason    `json:"reason"`
	When    time.Time `json:"when"`
	About
}

// Duration is a time.Duration that is written as people do: 1.5s.
type Duration time.Duration

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("dump: %w", err)
	}
	*d = Duration(v)
	return nil
}

// Usage is the section memory, in bytes; 0 where the system doesn't tell.
type Usage struct {
	RSS   uint64 `json:"rss"`   // of the process
	Go    uint64 `json:"go"`    // mapped by the Go runtime and not given back
	Heap  uint64 `json:"heap"`  // objects, dead ones that aren't collected yet included
	Live  uint64 `json:"live"`  // objects that the last collection left
	Stack uint64 `json:"stack"` // of goroutines
	Limit uint64 `json:"limit"` // the least of the three below
	// GoLimit is GOMEMLIMIT, GroupLimit the control group's, Machine what the machine has.
	GoLimit    uint64 `json:"go_limit,omitempty"`
	GroupLimit uint64 `json:"group_limit,omitempty"`
	Machine    uint64 `json:"machine,omitempty"`
}

// Kinds is the section kinds: what the actor system has counted since its start, by kind of actor.
type Kinds struct {
	Kinds       map[string]Kind `json:"kinds"`
	Overloads   int64           `json:"overloads"`    // casts refused for a full queue
	Restarts    int64           `json:"restarts"`     // of crashed actors
	LateReplies int64           `json:"late_replies"` // after the deadline
	Stuck       int64           `json:"stuck"`        // handlers whose worker was replaced
	Spares      int64           `json:"spares"`       // such workers now
}

// Kind is one kind of actor.
type Kind struct {
	Live        int64 `json:"live"`
	Handled     int64 `json:"handled"`
	DeadLetters int64 `json:"dead_letters,omitempty"`
}

// Actors is the section actors. Each list has the first of many.
type Actors struct {
	Longest   []Actor   `json:"longest"`   // by messages waiting
	Oldest    []Actor   `json:"oldest"`    // by the age of the first message waiting
	Busiest   []Actor   `json:"busiest"`   // by messages handled, as estimated
	Restarted []Actor   `json:"restarted"` // by restarts
	Running   []Actor   `json:"running"`   // in a handler, longest first
	Recent    []Handled `json:"recent"`    // what each worker handled last
}

// Actor is what is known of one actor.
type Actor struct {
	Ref       string         `json:"ref"`
	Phase     string         `json:"phase"`
	Queue     int            `json:"queue"`                // messages waiting
	Control   int            `json:"control,omitempty"`    // of the runtime and of answers, waiting
	Oldest    Duration       `json:"oldest,omitempty"`     // age of the first
	Waiting   map[string]int `json:"waiting,omitempty"`    // by kind of message
	Running   string         `json:"running,omitempty"`    // kind of the message in the handler
	For       Duration       `json:"for,omitempty"`        // and since when
	Last      string         `json:"last,omitempty"`       // kind of the message handled last
	PerSecond int64          `json:"per_second,omitempty"` // messages, about
	Restarts  int64          `json:"restarts,omitempty"`
}

// Handled is a message that a worker has handled.
type Handled struct {
	Worker int    `json:"worker"`
	Ref    string `json:"ref"`
	Kind   string `json:"kind"` // of the message
}

// Child is one line of the section tree. Type, Restart and State have package supervision's words.
type Child struct {
	ID        string  `json:"id"`
	Ref       string  `json:"ref"`
	Type      string  `json:"type"`
	Restart   string  `json:"restart"`
	State     string  `json:"state"`
	Restarts  int     `json:"restarts,omitempty"`
	Live      int64   `json:"live,omitempty"`      // children of a partition of a dynamic supervisor
	Restarted int64   `json:"restarted,omitempty"` // how often one of those was started again
	Error     string  `json:"error,omitempty"`     // why a supervisor's children aren't known
	Children  []Child `json:"children,omitempty"`
}

// Words of package supervision.
var (
	worker  = supervision.Worker.String()
	running = supervision.Running.String()
	dynamic = "dynamic" // a partition of a dynamic supervisor
)

// State is one entry of the section states.
type State struct {
	Ref   string          `json:"ref"`
	State json.RawMessage `json:"state,omitempty"`
	Error string          `json:"error,omitempty"`
}

// Sample is one of the section runtime: a number, or what a distribution comes to.
type Sample struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"` // the count of a distribution
	P50   float64 `json:"p50,omitempty"`
	P99   float64 `json:"p99,omitempty"`
	Max   float64 `json:"max,omitempty"`
}

// Descriptors is the section descriptors: what the process has open.
type Descriptors struct {
	Open  int            `json:"open"`
	Limit int            `json:"limit,omitempty"`
	Kinds map[string]int `json:"kinds"` // socket, pipe, file, anon
}
