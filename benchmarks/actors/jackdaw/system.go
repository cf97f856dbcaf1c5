package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/benchmarks/actors/measure"
)

// queueLen is the bound of the queues into which a whole round may come at once: the other contestants have no bounds.
const queueLen = 1 << 20

// world is a running system.
type world struct {
	*actors.System
	ended *measure.Tally // hit by each actor of start that ends
}

// within runs a workload in a system of its own.
func within(work func(w *world, job measure.Job) (measure.Result, error)) measure.Workload {
	return func(job measure.Job) (result measure.Result, err error) {
		w := &world{actors.NewSystem(actors.Config{Node: "bench@1"}), measure.NewTally()}
		if err := w.Start(); err != nil {
			return measure.Result{}, err
		}
		defer func() {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			if stopErr := w.Stop(ctx); err == nil {
				err = stopErr
			}
		}()
		return work(w, job)
	}
}

// Exited implements actors.Owner for the actors that no supervisor has.
func (w *world) Exited(c *actors.Child, reason actors.Reason) {
	if !reason.Ended() {
		c.End(reason)
	}
	w.ended.Hit()
}

// function is a behaviour of one function.
type function struct {
	args   any
	handle func(ctx *actors.Context, args, msg any) error
}

// Init implements actors.Behaviour.
func (f *function) Init(_ *actors.Context, args any) error { f.args = args; return nil }

// Handle implements actors.Behaviour.
func (f *function) Handle(ctx *actors.Context, msg any) error { return f.handle(ctx, f.args, msg) }

// HandleCall implements actors.CallHandler: the request is the answer.
func (f *function) HandleCall(_ *actors.Context, _ actors.From, req any) (any, error) {
	return req, nil
}

// crew starts n actors of one kind that do what handle does; args, if given, returns what each has for its own.
func (w *world) crew(kind string, n int, args func(i int) any, handle func(ctx *actors.Context, args, msg any) error) ([]actors.Ref, error) {
	spec := actors.Spec{Kind: kind, QueueLen: queueLen, New: func() actors.Behaviour { return &function{handle: handle} }}
	refs := make([]actors.Ref, n)
	for i := range refs {
		refs[i] = actors.Ref{Kind: kind, ID: strconv.Itoa(i)}
		var own any
		if args != nil {
			own = args(i)
		}
		if _, err := w.Spawn(spec, refs[i], own, w); err != nil {
			return nil, err
		}
	}
	return refs, nil
}

// all casts msg to every one of refs.
func (w *world) all(refs []actors.Ref, msg any) error {
	for _, to := range refs {
		if err := w.Cast(to, msg); err != nil {
			return fmt.Errorf("%v: %w", to, err)
		}
	}
	return nil
}
