package dump

import (
	"context"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// System is what a dump asks of an actors.System.
type System interface {
	// Snapshot returns the counters.
	Snapshot() actors.Snapshot
	// Busiest returns the actors that are worth a look.
	Busiest() []actors.Load
	// Recent returns what each worker handled lately.
	Recent() []actors.Handled
	// Each calls f for every actor until it returns false.
	Each(f func(actors.Ref) bool)
	// Facts tells of one actor, without its turn.
	Facts(ref actors.Ref) (actors.Facts, error)
}

// Source is the running system that a dump is made of. Its methods may be called by several goroutines at a time, also by one whose
// time is over while another asks already. Those that take no context must not wait for an actor.
type Source interface {
	System
	// Children asks a supervisor; the zero Ref stands for what is above the root.
	Children(ctx context.Context, of actors.Ref) ([]supervision.ChildInfo, error)
	// State returns what may be shown of an actor's state, as a value that can be written as JSON.
	State(ctx context.Context, ref actors.Ref) (any, error)
	// Metrics returns all metrics as Prometheus' text.
	Metrics() (string, error)
}
