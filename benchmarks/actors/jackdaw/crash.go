package main

import (
	"fmt"
	"runtime"
	"sync/atomic"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/benchmarks/actors/measure"
)

// witness is one of many who remember what they have handled.
type witness struct {
	lives    []uint8 // of all, by number; each changes its own
	number   int
	handled  int
	tally    *measure.Tally
	affected *atomic.Int64
}

// Init implements actors.Behaviour.
func (w *witness) Init(_ *actors.Context, args any) error {
	w.number = args.(int)
	if w.lives[w.number]++; w.lives[w.number] > 1 {
		w.tally.Hit()
	}
	return nil
}

// Handle implements actors.Behaviour.
func (w *witness) Handle(_ *actors.Context, msg any) error {
	switch msg {
	case fail:
		panic("told to")
	case hello:
		w.handled++
	case count: // the first life remembers its greeting; the second has never had one
		if lives := w.lives[w.number]; lives > 2 || w.handled != 2-int(lives) {
			w.affected.Add(1)
		}
	}
	w.tally.Hit()
	return nil
}

// crashes are how many of a crowd crash: some 300 of the 1,000 that each partition bears by default.
const crashes = 20_000

// crash crashes some of very many under a dynamic supervisor with its defaults, and then asks every one of them whether it was touched.
var crash = within(func(w *world, job measure.Job) (measure.Result, error) {
	lives, tally, affected := make([]uint8, job.Size), measure.NewTally(), new(atomic.Int64)
	spec := actors.Spec{Kind: "resident", New: func() actors.Behaviour { return &witness{lives: lives, tally: tally, affected: affected} }}
	p, err := w.people(spec, tally)
	if err != nil {
		return measure.Result{}, err
	}
	if err := p.greet(0, job.Size, true); err != nil {
		return measure.Result{}, err
	}
	runtime.GC() // what starting them leaves isn't the crashes'
	n := min(crashes, job.Size)
	fell := func(from, to int) error {
		tally.Expect(to - from)
		for i := from; i < to; i++ {
			if err := w.Cast(p.ref(i*(job.Size/n)), fail); err != nil {
				return err
			}
		}
		return tally.Wait()
	}
	warm := n / 10
	if err := fell(0, warm); err != nil {
		return measure.Result{}, err
	}
	m, err := measure.Begin()
	if err != nil {
		return measure.Result{}, err
	}
	if err := fell(warm, n); err != nil {
		return measure.Result{}, err
	}
	result, err := m.End(n - warm)
	if err != nil {
		return measure.Result{}, err
	}
	tally.Expect(job.Size)
	for i := range job.Size {
		if err := w.Cast(p.ref(i), count); err != nil {
			return measure.Result{}, err
		}
	}
	if err := tally.Wait(); err != nil {
		return measure.Result{}, err
	}
	restarted := 0
	for _, n := range lives {
		restarted += int(n) - 1
	}
	result.Extra = map[string]float64{"restarted": float64(restarted), "others touched": float64(affected.Load())}
	if restarted != n || affected.Load() > 0 {
		return result, fmt.Errorf("%d of %d crashed: %d restarts, and %d others changed", n, job.Size, restarted, affected.Load())
	}
	return result, nil
})
