package main

import (
	"strconv"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/benchmarks/actors/measure"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// unlimited restarts are borne within the shortest period, so that no supervisor has many to remember.
const (
	unlimited = 1 << 40
	shortest  = time.Nanosecond
)

// tree starts a supervision tree of these children.
func (w *world) tree(children ...supervision.ChildSpec) (*supervision.Root, error) {
	return supervision.StartRoot(w.System, supervision.SupervisorSpec{ID: "root", Intensity: unlimited, Period: shortest, Children: children})
}

// fragile is an actor that says when it starts, and crashes when told.
type fragile struct{ up *measure.Tally }

// Init implements actors.Behaviour.
func (f *fragile) Init(*actors.Context, any) error { f.up.Hit(); return nil }

// Handle implements actors.Behaviour.
func (f *fragile) Handle(*actors.Context, any) error { panic("told to") }

// restarting crashes all of refs in each round, and waits until they are all there again. The first start is counted too.
func (w *world) restarting(job measure.Job, up *measure.Tally, refs []actors.Ref) (measure.Result, error) {
	if err := up.Wait(); err != nil {
		return measure.Result{}, err
	}
	return measure.Loop(job.Span, nil, func() (int, error) {
		up.Expect(len(refs))
		return len(refs), each(w.all(refs, fail), up.Wait)
	})
}

// restartDynamic crashes children of a dynamic supervisor, which has as many partitions as the others have supervisors.
var restartDynamic = within(func(w *world, job measure.Job) (measure.Result, error) {
	up := measure.NewTally()
	up.Expect(job.Size)
	spec := actors.Spec{Kind: "fragile", New: func() actors.Behaviour { return &fragile{up} }}
	dyn := supervision.NewDynamic(w.System, supervision.DynamicSpec{ID: "all", Child: spec,
		Intensity: unlimited, Period: shortest, Partitions: measure.Supervisors})
	if _, err := w.tree(dyn.Child()); err != nil {
		return measure.Result{}, err
	}
	refs := make([]actors.Ref, job.Size)
	for i := range refs {
		var err error
		if refs[i], err = dyn.StartChild(strconv.Itoa(i), nil); err != nil {
			return measure.Result{}, err
		}
	}
	return w.restarting(job, up, refs)
})

// restartStatic crashes children that their supervisor has specs of.
var restartStatic = within(func(w *world, job measure.Job) (measure.Result, error) {
	up := measure.NewTally()
	up.Expect(job.Size)
	spec := actors.Spec{Kind: "fragile", New: func() actors.Behaviour { return &fragile{up} }}
	var refs []actors.Ref
	sups := make([]supervision.SupervisorSpec, min(measure.Supervisors, job.Size))
	for i := range sups {
		sups[i] = supervision.SupervisorSpec{ID: "sup" + strconv.Itoa(i), Intensity: unlimited, Period: shortest}
	}
	for i := range job.Size {
		id, sup := strconv.Itoa(i), &sups[i%len(sups)]
		refs = append(refs, actors.Ref{Kind: "fragile", ID: id})
		sup.Children = append(sup.Children, supervision.Actor(id, spec, nil))
	}
	var children []supervision.ChildSpec
	for _, s := range sups {
		children = append(children, supervision.Sup(s))
	}
	if _, err := w.tree(children...); err != nil {
		return measure.Result{}, err
	}
	return w.restarting(job, up, refs)
})
