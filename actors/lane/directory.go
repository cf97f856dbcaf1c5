package lane

import (
	"fmt"
	"runtime/debug"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/store"
)

// directoryLane runs closures with the engine, one at a time.
type directoryLane struct{ lanes *Lanes }

// Init implements actors.Behaviour; args are *Lanes.
func (d *directoryLane) Init(_ *actors.Context, args any) error {
	d.lanes = args.(*Lanes)
	return nil
}

// Handle implements actors.Behaviour; nobody casts to a directory lane.
func (d *directoryLane) Handle(*actors.Context, any) error { return nil }

// HandleCall implements actors.CallHandler.
func (d *directoryLane) HandleCall(_ *actors.Context, _ actors.From, req any) (any, error) {
	f, ok := req.(request)
	if !ok {
		return nil, fmt.Errorf("lane: called with %T", req)
	}
	d.lanes.Counters.Requests.Add(1)
	return do(d.lanes.engine, f)
}

// do runs f. A fault of one request is its own: the lane goes on with the others.
func do(engine store.Engine, f request) (v any, err error) {
	defer func() {
		if p := recover(); p != nil {
			v, err = nil, fmt.Errorf("lane: a request panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return f(engine)
}
