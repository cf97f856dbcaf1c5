package main

import (
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/benchmarks/actors/measure"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// One actor is poisoned: it panics on every message.
const (
	slice     = 50 * time.Millisecond // with and without poison, in turn
	perPoison = time.Millisecond      // between two messages to it
)

// rally is a pair's endless game: the neighbours of the poisoned one. They play until they are told to stop, and each pair then hands in
// its ball.
type rally struct {
	peer actors.Ref
	over *atomic.Bool
	in   *measure.Tally
}

// Init implements actors.Behaviour.
func (r *rally) Init(_ *actors.Context, args any) error {
	i, err := strconv.Atoi(args.(string))
	r.peer = actors.Ref{Kind: "neighbour", ID: strconv.Itoa(i ^ 1)}
	return err
}

// Handle implements actors.Behaviour.
func (r *rally) Handle(ctx *actors.Context, ball any) error {
	if r.over.Load() {
		r.in.Hit()
		return nil
	}
	return ctx.Cast(r.peer, ball)
}

// poison says by how much the neighbours of an actor that crashes a thousand times a second, below the same supervisor, do less, and
// whether any of their messages is lost.
var poison = within(func(w *world, job measure.Job) (measure.Result, error) {
	over, in, lives := new(atomic.Bool), measure.NewTally(), new(atomic.Int64)
	neighbours := supervision.NewDynamic(w.System, supervision.DynamicSpec{ID: "neighbours", Partitions: 1, Entities: true,
		Child: actors.Spec{Kind: "neighbour", New: func() actors.Behaviour { return &rally{over: over, in: in} }}})
	sick := supervision.Actor("sick", actors.Spec{Kind: "sick", New: func() actors.Behaviour {
		lives.Add(1)
		return &function{handle: func(*actors.Context, any, any) error { panic("poison") }}
	}}, nil)
	if _, err := w.tree(neighbours.Child(), sick); err != nil {
		return measure.Result{}, err
	}
	in.Expect(job.Size)
	for i := range job.Size {
		if err := w.Cast(actors.Ref{Kind: "neighbour", ID: strconv.Itoa(2 * i)}, i); err != nil {
			return measure.Result{}, err
		}
	}
	time.Sleep(slice)
	m, err := measure.Begin()
	if err != nil {
		return measure.Result{}, err
	}
	g := &game{w: w, lives: lives}
	kept, err := g.play(job.Span)
	if err != nil {
		return measure.Result{}, err
	}
	result, err := m.End(g.messages)
	if err != nil {
		return measure.Result{}, err
	}
	over.Store(true)
	if err := in.Wait(); err != nil {
		return measure.Result{}, fmt.Errorf("a neighbour's message is lost: %w", err)
	}
	result.Extra = map[string]float64{"% less": 100 * (1 - kept), "crashes/s": float64(g.crashes) / g.sick.Seconds(), "messages lost": 0}
	return result, nil
})

// game watches the neighbours play.
type game struct {
	w        *world
	lives    *atomic.Int64
	messages int
	crashes  int64
	sick     time.Duration // for how long the one was poisoned
}

// play returns which share of the messages without poison there are with it: the median over all slices, each compared with those
// around it.
func (g *game) play(span time.Duration) (float64, error) {
	var shares []float64
	before, err := g.slice(false)
	if err != nil {
		return 0, err
	}
	for begun := time.Now(); len(shares) == 0 || time.Since(begun) < span; {
		with, err := g.slice(true)
		if err != nil {
			return 0, err
		}
		after, err := g.slice(false)
		if err != nil {
			return 0, err
		}
		shares = append(shares, 2*with/(before+after))
		before = after
	}
	slices.Sort(shares)
	return shares[len(shares)/2], nil
}

// slice returns the messages a second of one slice.
func (g *game) slice(poisoned bool) (float64, error) {
	from, lives, begun := g.w.Snapshot().Handled["neighbour"], g.lives.Load(), time.Now()
	tick := time.NewTicker(perPoison)
	defer tick.Stop()
	for ; time.Since(begun) < slice; <-tick.C {
		if !poisoned {
			continue
		}
		if err := g.w.Cast(actors.Ref{Kind: "sick", ID: "sick"}, fail); err != nil {
			return 0, err
		}
	}
	spent, n := time.Since(begun), g.w.Snapshot().Handled["neighbour"]-from
	g.messages += int(n)
	if poisoned {
		g.sick += spent
		g.crashes += g.lives.Load() - lives
	}
	return float64(n) / spent.Seconds(), nil
}
