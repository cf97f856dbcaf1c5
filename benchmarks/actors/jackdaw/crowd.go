package main

import (
	"strconv"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/benchmarks/actors/measure"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// idle weighs actors with names that have each handled a message.
var idle = within(func(w *world, job measure.Job) (measure.Result, error) {
	greeted := measure.NewTally()
	spec := residents(greeted)
	return measure.Growth(job.Size, func(from, to int) error { return w.greet(spec, from, to, greeted) })
})

// people are the children of a dynamic supervisor with its defaults.
type people struct {
	w       *world
	dyn     *supervision.Dynamic
	greeted *measure.Tally
}

func (w *world) people(spec actors.Spec, greeted *measure.Tally) (*people, error) {
	p := &people{w, supervision.NewDynamic(w.System, supervision.DynamicSpec{ID: "people", Child: spec}), greeted}
	_, err := w.tree(p.dyn.Child())
	return p, err
}

// ref names one of them, as StartChild does.
func (p *people) ref(i int) actors.Ref {
	return actors.Ref{Kind: "resident", ID: strconv.Itoa(i), Node: p.w.Node()}
}

// greet starts some, with their numbers as arguments if wanted, each of which handles a message.
func (p *people) greet(from, to int, numbered bool) error {
	p.greeted.Expect(to - from)
	for i := from; i < to; i++ {
		var args any
		if numbered {
			args = i
		}
		ref, err := p.dyn.StartChild(strconv.Itoa(i), args)
		if err != nil {
			return err
		}
		if err := p.w.Cast(ref, hello); err != nil {
			return err
		}
	}
	return p.greeted.Wait()
}

// supervised weighs the same actors under a dynamic supervisor.
var supervised = within(func(w *world, job measure.Job) (measure.Result, error) {
	greeted := measure.NewTally()
	p, err := w.people(residents(greeted), greeted)
	if err != nil {
		return measure.Result{}, err
	}
	return measure.Growth(job.Size, func(from, to int) error { return p.greet(from, to, false) })
})
