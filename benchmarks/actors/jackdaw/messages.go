package main

import (
	"strconv"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/benchmarks/actors/measure"
)

// pingPong lets pairs send a number to and fro that becomes less each time.
var pingPong = within(func(w *world, job measure.Job) (measure.Result, error) {
	tally := measure.NewTally()
	peer := func(i int) any { return actors.Ref{Kind: "player", ID: strconv.Itoa(i ^ 1)} }
	players, err := w.crew("player", 2*job.Size, peer, func(ctx *actors.Context, to, left any) error {
		if left == 0 {
			tally.Hit()
			return nil
		}
		return ctx.Cast(to.(actors.Ref), left.(int)-1)
	})
	if err != nil {
		return measure.Result{}, err
	}
	rally := measure.Rally(job.Size)
	return measure.Loop(job.Span, nil, func() (int, error) {
		tally.Expect(job.Size)
		for i := 0; i < len(players); i += 2 {
			if err := w.Cast(players[i], rally); err != nil {
				return 0, err
			}
		}
		return job.Size * (rally + 1), tally.Wait()
	})
})

// fanIn lets many send to one.
var fanIn = within(func(w *world, job measure.Job) (measure.Result, error) {
	perRound := job.Size * measure.FanInEach
	tally := measure.NewTally()
	n := 0
	sink, err := w.crew("sink", 1, nil, func(*actors.Context, any, any) error {
		if n++; n == perRound {
			n = 0
			tally.Hit()
		}
		return nil
	})
	if err != nil {
		return measure.Result{}, err
	}
	senders, err := w.crew("sender", job.Size, nil, func(ctx *actors.Context, _, _ any) error {
		for i := range measure.FanInEach {
			if err := ctx.Cast(sink[0], i); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return measure.Result{}, err
	}
	return measure.Loop(job.Span, nil, func() (int, error) {
		tally.Expect(1)
		if err := w.all(senders, 1); err != nil {
			return 0, err
		}
		return perRound, tally.Wait()
	})
})

// broadcast lets one send to many.
var broadcast = within(func(w *world, job measure.Job) (measure.Result, error) {
	tally := measure.NewTally()
	receivers, err := w.crew("receiver", job.Size, nil, func(*actors.Context, any, any) error { tally.Hit(); return nil })
	if err != nil {
		return measure.Result{}, err
	}
	speaker, err := w.crew("speaker", 1, nil, func(ctx *actors.Context, _, msg any) error {
		for _, to := range receivers {
			if err := ctx.Cast(to, msg); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return measure.Result{}, err
	}
	return measure.Loop(job.Span, nil, func() (int, error) {
		tally.Expect(job.Size)
		return job.Size, each(w.Cast(speaker[0], 1), tally.Wait)
	})
})

// each is err, or else what next returns.
func each(err error, next func() error) error {
	if err != nil {
		return err
	}
	return next()
}
