package main

import (
	"strconv"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/benchmarks/actors/measure"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// The messages of this file and the next.
const (
	hello = 1 // is counted
	end   = 2 // ends the actor in order
	fail  = 3 // crashes it
	count = 4 // asks it to say what it remembers
)

// resident is an actor that does hardly anything.
type resident struct{ greeted *measure.Tally }

// Init implements actors.Behaviour.
func (r *resident) Init(*actors.Context, any) error { return nil }

// Handle implements actors.Behaviour.
func (r *resident) Handle(ctx *actors.Context, msg any) error {
	if msg == end {
		ctx.Stop(actors.Normal)
		return nil
	}
	r.greeted.Hit()
	return nil
}

func residents(greeted *measure.Tally) actors.Spec {
	return actors.Spec{Kind: "resident", New: func() actors.Behaviour { return &resident{greeted} }}
}

func named(i int) actors.Ref { return actors.Ref{Kind: "resident", ID: strconv.Itoa(i)} }

// greet starts actors, each of which handles a message.
func (w *world) greet(spec actors.Spec, from, to int, greeted *measure.Tally) error {
	greeted.Expect(to - from)
	for i := from; i < to; i++ {
		ref := named(i)
		if _, err := w.Spawn(spec, ref, nil, w); err != nil {
			return err
		}
		if err := w.Cast(ref, hello); err != nil {
			return err
		}
	}
	return greeted.Wait()
}

// spawn starts actors with names, each of which handles a message.
var spawn = within(func(w *world, job measure.Job) (measure.Result, error) {
	greeted := measure.NewTally()
	spec := residents(greeted)
	from, to := 0, 0
	clear := func() error {
		if from == to {
			return nil
		}
		w.ended.Expect(to - from)
		for ; from < to; from++ {
			if err := w.Cast(named(from), end); err != nil {
				return err
			}
		}
		return w.ended.Wait()
	}
	return measure.Loop(job.Span, clear, func() (int, error) {
		to = from + job.Size
		return job.Size, w.greet(spec, from, to, greeted)
	})
})

// monitor lets one actor monitor others, tell them to end, and hear that they have.
var monitor = within(func(w *world, job measure.Job) (measure.Result, error) {
	greeted, downs := measure.NewTally(), measure.NewTally()
	spec := residents(greeted)
	var targets []actors.Ref
	watcher, err := w.crew("watcher", 1, nil, func(ctx *actors.Context, _, msg any) error {
		if _, ok := msg.(actors.Down); ok {
			downs.Hit()
			return nil
		}
		for _, to := range targets {
			ctx.Monitor(to)
			if err := ctx.Cast(to, end); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return measure.Result{}, err
	}
	next := 0
	start := func() error {
		targets = targets[:0]
		for i := next; i < next+job.Size; i++ {
			targets = append(targets, named(i))
		}
		next += job.Size
		return w.greet(spec, next-job.Size, next, greeted)
	}
	return measure.Loop(job.Span, start, func() (int, error) {
		downs.Expect(job.Size)
		return job.Size, each(w.Cast(watcher[0], hello), downs.Wait)
	})
})

// sleeper counts the end of each of its lives.
type sleeper struct {
	resident
	asleep *measure.Tally
}

// Terminate implements actors.Terminator.
func (s *sleeper) Terminate(*actors.Context, actors.Reason) { s.asleep.Hit() }

// idleTimeout is short, so that a measurement has many rounds; what a passivation takes doesn't depend on it.
const idleTimeout = 20 * time.Millisecond

// wake sends messages to entities that aren't there: each starts, handles its message, and goes again when it has been idle.
var wake = within(func(w *world, job measure.Job) (measure.Result, error) {
	greeted, asleep := measure.NewTally(), measure.NewTally()
	spec := actors.Spec{Kind: "resident", IdleTimeout: idleTimeout, New: func() actors.Behaviour { return &sleeper{resident{greeted}, asleep} }}
	dyn := supervision.NewDynamic(w.System, supervision.DynamicSpec{ID: "entities", Child: spec, Entities: true})
	if _, err := w.tree(dyn.Child()); err != nil {
		return measure.Result{}, err
	}
	return measure.Loop(job.Span, nil, func() (int, error) {
		greeted.Expect(job.Size)
		asleep.Expect(job.Size)
		for i := range job.Size {
			if err := w.Cast(named(i), hello); err != nil {
				return 0, err
			}
		}
		return job.Size, each(greeted.Wait(), asleep.Wait)
	})
})
