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
		if reply, ok := msg.(*actors.Reply); ok && (reply.Err != nil || reply.Value != measure.Asked(n)) {
			failed = fmt.Errorf("call %d: %v, %w", n, reply.Value, reply.Err)
			tally.Hit()
			return nil
		}
		if n++; n > measure.CallsEach {
			n = 0
			tally.Hit()
			return nil
		}
		ctx.Call(server[0], measure.Asked(n), measure.Patience)
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
	return w.asking(job, func(to actors.Ref) error {
		for i := range measure.CallsEach {
			if v, err := w.CallTimeout(to, measure.Asked(i), measure.Patience); err != nil || v != measure.Asked(i) {
				return fmt.Errorf("call %d: %v, %w", i, v, err)
			}
		}
		return nil
	})
})

// callShared makes calls from a goroutine that has one deadline for all of a round, as whoever serves a request has.
var callShared = within(func(w *world, job measure.Job) (measure.Result, error) {
	return w.asking(job, func(to actors.Ref) error {
		ctx, cancel := context.WithTimeout(context.Background(), measure.Patience)
		defer cancel()
		for i := range measure.CallsEach {
			if err := w.ask(ctx, to, i); err != nil {
				return err
			}
		}
		return nil
	})
})

// asking starts a server and measures rounds of calls to it.
func (w *world) asking(job measure.Job, round func(to actors.Ref) error) (measure.Result, error) {
	server, err := w.crew("server", 1, nil, nothing)
	if err != nil {
		return measure.Result{}, err
	}
	return measure.Loop(job.Span, nil, func() (int, error) { return measure.CallsEach, round(server[0]) })
}

func (w *world) ask(ctx context.Context, to actors.Ref, i int) error {
	if got, err := w.Call(ctx, to, measure.Asked(i)); err != nil || got != measure.Asked(i) {
		return fmt.Errorf("call %d: %v, %w", i, got, err)
	}
	return nil
}
