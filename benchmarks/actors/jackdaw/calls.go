package main

import (
	"context"
	"fmt"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/benchmarks/actors/measure"
)

func nothing(*actors.Context, any, any) error { return nil }

// callInside makes calls from an actor, each when the answer to the one before has come.
var callInside = within(func(w *world, job measure.Job) (measure.Result, error) {
	server, err := w.crew("server", 1, nil, nothing)
	if err != nil {
		return measure.Result{}, err
	}
	tally := measure.NewTally()
	n := 0
	var failed error // read after the tally
	asker, err := w.crew("asker", 1, nil, func(ctx *actors.Context, _, msg any) error {
		if reply, ok := msg.(*actors.Reply); ok && (reply.Err != nil || reply.Value != n) {
			failed = fmt.Errorf("call %d: %v, %w", n, reply.Value, reply.Err)
			tally.Hit()
			return nil
		}
		if n++; n > measure.CallsEach {
			n = 0
			tally.Hit()
			return nil
		}
		ctx.Call(server[0], n, measure.Patience)
		return nil
	})
	if err != nil {
		return measure.Result{}, err
	}
	return measure.Loop(job.Span, nil, func() (int, error) {
		tally.Expect(1)
		if err := each(w.Cast(asker[0], "go"), tally.Wait); err != nil {
			return 0, err
		}
		return measure.CallsEach, failed
	})
})

// callOutside makes calls from a goroutine that is no actor, each with a deadline of its own.
var callOutside = within(func(w *world, job measure.Job) (measure.Result, error) {
	server, err := w.crew("server", 1, nil, nothing)
	if err != nil {
		return measure.Result{}, err
	}
	return measure.Loop(job.Span, nil, func() (int, error) {
		for i := range measure.CallsEach {
			if err := w.ask(server[0], i); err != nil {
				return 0, err
			}
		}
		return measure.CallsEach, nil
	})
})

func (w *world) ask(to actors.Ref, i int) error {
	ctx, cancel := context.WithTimeout(context.Background(), measure.Patience)
	defer cancel()
	if got, err := w.Call(ctx, to, i); err != nil || got != i {
		return fmt.Errorf("call %d: %v, %w", i, got, err)
	}
	return nil
}
