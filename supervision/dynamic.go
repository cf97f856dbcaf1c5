package supervision

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync/atomic"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
)

// Defaults of DynamicSpec. Intensity and period are of one partition, which may have a hundred thousand children.
const (
	DefaultPartitions       = 64
	DefaultDynamicIntensity = 1000
)

// Errors of Dynamic.
var (
	// ErrStopped says that a dynamic supervisor takes no children now.
	ErrStopped = errors.New("supervision: the dynamic supervisor isn't running")
	// ErrMaxChildren says that a dynamic supervisor has as many children as it may have.
	ErrMaxChildren = errors.New("supervision: max_children: the dynamic supervisor has no room")
)

// DynamicSpec says what a dynamic supervisor's children are.
type DynamicSpec struct {
	// ID names it among its siblings.
	ID string
	// Child makes each of them.
	Child actors.Spec
	// Restart says which ends of a child are followed by a new start, as with any supervisor. Entities are the exception: one that
	// ends in order is gone whatever this says, to be started by its next message; only a crash is followed by a restart.
	// A crashed child keeps its queue; one that has ended in order, and is permanent, starts with an empty one.
	Restart Restart
	// Shutdown is how long they may all take to stop, and each when it is terminated alone: a time, Brutal or Infinity; 0 is
	// DefaultShutdown.
	Shutdown time.Duration
	// Intensity restarts within Period are borne by each partition. 0 is DefaultDynamicIntensity, below 0 none.
	Intensity int
	// Period is that of Intensity; 0 is DefaultPeriod.
	Period time.Duration
	// Backoff delays restarts; its zero value doesn't. With it a child that crashes at every start doesn't use up its partition's
	// intensity: what waits doesn't count, and then it counts once a delay. What is sent to it meanwhile waits in its queue.
	Backoff Backoff
	// Partitions is how many supervisors share the children; 0 is DefaultPartitions.
	Partitions int
	// MaxChildren is how many children there may be at a time; 0 is no limit.
	MaxChildren int64
	// Entities says that a Ref without a node, {Child.Kind, id}, starts its child on the first message, with id as args.
	// Otherwise children are pinned to this node and started by StartChild.
	Entities bool
}

func (s DynamicSpec) withDefaults() DynamicSpec {
	if s.Partitions == 0 {
		s.Partitions = DefaultPartitions
	}
	if s.Intensity == 0 {
		s.Intensity = DefaultDynamicIntensity
	}
	if s.Period == 0 {
		s.Period = DefaultPeriod
	}
	if s.Shutdown == 0 {
		s.Shutdown = DefaultShutdown
	}
	return s
}

// Dynamic is a supervisor of many children of one shape, all alike, started at run time. Its partitions are supervisors
// of their own: a fault in one is no matter of the others. Its methods may be called from anywhere; those that take a context wait, and
// are not for actors.
type Dynamic struct {
	sys   *actors.System
	spec  DynamicSpec
	parts []*partition
	seed  maphash.Seed
	all   atomic.Int64 // children, where they are limited
}

// NewDynamic returns a dynamic supervisor; it runs once its Child is in a tree.
func NewDynamic(sys *actors.System, spec DynamicSpec) *Dynamic {
	d := &Dynamic{sys: sys, spec: spec.withDefaults(), seed: maphash.MakeSeed()}
	for i := range d.spec.Partitions {
		d.parts = append(d.parts, &partition{dyn: d, id: fmt.Sprintf("%s-%d", spec.ID, i)})
	}
	return d
}

// Child is the spec of the whole as a child of a supervisor.
func (d *Dynamic) Child() ChildSpec {
	spec := SupervisorSpec{ID: d.spec.ID, Intensity: d.spec.Partitions}
	for _, p := range d.parts {
		spec.Children = append(spec.Children, ChildSpec{
			ID: p.id, Args: p, Type: dynamicType, Shutdown: Infinity, // it sees to its children's time itself
			Spec: actors.Spec{Kind: "dynamic", New: func() actors.Behaviour { return &dynamic{} }},
		})
	}
	if d.spec.Entities {
		d.sys.SetActivator(d.spec.Child.Kind, d)
	}
	return Sup(spec)
}

// Live is how many children there are.
func (d *Dynamic) Live() int64 {
	var n int64
	for _, p := range d.parts {
		n += p.live.Load()
	}
	return n
}

// Restarted is how many restarts of children there have been.
func (d *Dynamic) Restarted() int64 {
	var n int64
	for _, p := range d.parts {
		n += p.restarted.Load()
	}
	return n
}

// StartChild starts a child and returns its Ref. It may be called from anywhere and doesn't wait for Init: one that fails there is a
// crash like any other. ErrStopped, ErrMaxChildren and actors.ErrExists are the reasons not to.
func (d *Dynamic) StartChild(id string, args any) (actors.Ref, error) {
	ref := actors.Ref{Kind: d.spec.Child.Kind, ID: id}
	if !d.spec.Entities {
		ref.Node = d.sys.Node()
	}
	return ref, d.start(ref, args)
}

// TerminateChild stops a child as the spec says, and waits for its end. It isn't started again, but an entity is by its next
// message. ErrNotFound: there is no such child.
func (d *Dynamic) TerminateChild(ctx context.Context, ref actors.Ref) error {
	if ref.Kind != d.spec.Child.Kind {
		return ErrNotFound
	}
	p := d.part(ref)
	if !p.open.Load() {
		return ErrStopped
	}
	_, err := d.sys.Call(ctx, *p.sup.Load(), terminateReq{ref})
	return err
}

// WhichChildren calls f for each child, until it returns false. Children that start or end meanwhile may be missed. f must not call
// the Dynamic.
func (d *Dynamic) WhichChildren(f func(ChildInfo) bool) {
	for _, p := range d.parts {
		if !p.each(f) {
			return
		}
	}
}

// CountChildren counts the children; Active are those that don't wait for a restart.
func (d *Dynamic) CountChildren() Counts {
	c := Counts{Specs: 1}
	for _, p := range d.parts {
		live := p.live.Load()
		c.Workers += live
		c.Active += live - p.resting()
	}
	return c
}

// Activate implements actors.Activator.
func (d *Dynamic) Activate(ref actors.Ref) error {
	if err := d.start(ref, actors.OwnID); err != nil && !errors.Is(err, actors.ErrExists) {
		return err
	}
	return nil
}

func (d *Dynamic) part(ref actors.Ref) *partition {
	return d.parts[maphash.String(d.seed, ref.ID)%uint64(len(d.parts))]
}

func (d *Dynamic) start(ref actors.Ref, args any) error {
	p := d.part(ref)
	if !p.open.Load() {
		return ErrStopped
	}
	if err := p.enter(); err != nil {
		return err
	}
	if !p.open.Load() { // who ends the partition may not have seen this one
		p.left()
		return ErrStopped
	}
	child, err := p.spawnNew(ref, args)
	if err != nil {
		p.left()
		return err
	}
	if !p.open.Load() {
		child.Stop(actors.Shutdown) // those that were there have been told already
	}
	return nil
}

// restarts reports whether children that end without a crash may be started again.
func (s *DynamicSpec) restarts() bool { return !s.Entities && s.Restart != Temporary }
