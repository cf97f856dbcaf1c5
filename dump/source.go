package dump

import (
	"context"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// Source is the running system that a dump is made of. Its methods may be called by several goroutines at a time, also by one whose
// time is over while another asks already. Those that take no context must not wait for an actor.
type Source interface {
	// Snapshot returns the counters.
	Snapshot() actors.Snapshot
	// Busiest returns candidates for every list of the section actors.
	Busiest() []Load
	// Facts tells of one actor, without its turn.
	Facts(ref actors.Ref) (Facts, error)
	// Recent returns what each worker handled last.
	Recent() []Recent
	// Children asks a supervisor; the zero Ref stands for what is above the root.
	Children(ctx context.Context, of actors.Ref) ([]supervision.ChildInfo, error)
	// State returns what may be shown of an actor's state, as a value that can be written as JSON.
	State(ctx context.Context, ref actors.Ref) (any, error)
	// Metrics returns all metrics as Prometheus' text.
	Metrics() (string, error)
}

// Load is a candidate for a list.
type Load struct {
	Ref               actors.Ref
	Handled, Restarts int64
	Queue             int
}

// Facts is what is known of one actor from outside.
type Facts struct {
	Ref            actors.Ref
	Phase          string
	Queue, Control int
	Oldest         time.Duration
	Waiting        map[string]int
	Running        string
	For            time.Duration
	Last           string
	Restarts       int
}

// Recent is a message that a worker has handled.
type Recent struct {
	Worker int
	Ref    actors.Ref
	Kind   string
}
