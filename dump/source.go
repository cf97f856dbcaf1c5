package dump

import (
	"context"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// Source is the running system that a dump is made of. Its methods may be called by several goroutines at a time, also by one whose
// time is over while another asks already. Those that take no context must not wait for an actor.
type Source interface {
	// Snapshot returns the counters.
	Snapshot() actors.Snapshot
	// Busiest returns candidates for every list of the section actors.
	Busiest() []actors.Load
	// Facts tells of one actor, without its turn.
	Facts(ref actors.Ref) (actors.Facts, error)
	// Recent returns what each worker handled lately.
	Recent() []actors.Handled
	// Children asks a supervisor; the zero Ref stands for what is above the root.
	Children(ctx context.Context, of actors.Ref) ([]supervision.ChildInfo, error)
	// State returns what may be shown of an actor's state, as a value that can be written as JSON.
	State(ctx context.Context, ref actors.Ref) (any, error)
	// Metrics returns all metrics as Prometheus' text.
	Metrics() (string, error)
}
