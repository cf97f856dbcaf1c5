package supervision

import (
	"errors"
	"fmt"
	"hash/maphash"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/telemetry"
)

// Defaults of DynamicSpec. Intensity and period are of one partition, which may have a hundred thousand children.
const (
	DefaultPartitions       = 64
	DefaultDynamicIntensity = 1000
)

// ErrStopped says that a dynamic supervisor takes no children now.
var ErrStopped = errors.New("supervision: the dynamic supervisor isn't running")

// DynamicSpec says what a dynamic supervisor's children are.
type DynamicSpec struct {
	// ID names it among its siblings.
	ID string
	// Child makes each of them.
	Child actors.Spec
	// Restart says whether one that crashes is started again. One that ends in order is gone, whatever this says: OTP's permanent
	// children would come back, but here an idle entity ends to be started by its next message.
	Restart Restart
	// Shutdown is how long they may all take to stop; 0 is DefaultShutdown.
	Shutdown time.Duration
	// Intensity restarts within Period are borne by each partition.
	Intensity int
	Period    time.Duration
	// Partitions is how many supervisors share the children; 0 is DefaultPartitions.
	Partitions int
	// Entities says that a Ref without a node, {Child.Kind, id}, starts its child on the first message, with id as args.
	// Otherwise children are pinned to this node and started by StartChild.
	Entities bool
}

// Dynamic is a supervisor of many children of one shape, all alike, started at run time. Its partitions are supervisors
// of their own: a fault in one is no matter of the others.
type Dynamic struct {
	sys   *actors.System
	spec  DynamicSpec
	parts []*partition
	seed  maphash.Seed
}

// NewDynamic returns a dynamic supervisor; it runs once its Child is in a tree.
func NewDynamic(sys *actors.System, spec DynamicSpec) *Dynamic {
	if spec.Partitions == 0 {
		spec.Partitions = DefaultPartitions
	}
	if spec.Intensity == 0 {
		spec.Intensity = DefaultDynamicIntensity
	}
	if spec.Period == 0 {
		spec.Period = DefaultPeriod
	}
	if spec.Shutdown == 0 {
		spec.Shutdown = DefaultShutdown
	}
	d := &Dynamic{sys: sys, spec: spec, seed: maphash.MakeSeed()}
	for i := range spec.Partitions {
		d.parts = append(d.parts, &partition{dyn: d, id: fmt.Sprintf("%s-%d", spec.ID, i)})
	}
	return d
}

// Child is the spec of the whole as a child of a supervisor.
func (d *Dynamic) Child() ChildSpec {
	spec := SupervisorSpec{ID: d.spec.ID, Intensity: d.spec.Partitions}
	for _, p := range d.parts {
		spec.Children = append(spec.Children, ChildSpec{
			ID: p.id, Args: p, Type: dynamicType, Shutdown: d.spec.Shutdown + time.Second,
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

// StartChild starts a child and returns its Ref. It may be called from anywhere and doesn't wait for Init.
func (d *Dynamic) StartChild(id string, args any) (actors.Ref, error) {
	ref := actors.Ref{Kind: d.spec.Child.Kind, ID: id}
	if !d.spec.Entities {
		ref.Node = d.sys.Node()
	}
	return ref, d.start(ref, args)
}

// Activate implements actors.Activator.
func (d *Dynamic) Activate(ref actors.Ref) error {
	if err := d.start(ref, ref.ID); err != nil && !errors.Is(err, actors.ErrExists) {
		return err
	}
	return nil
}

func (d *Dynamic) start(ref actors.Ref, args any) error {
	p := d.parts[maphash.String(d.seed, ref.ID)%uint64(len(d.parts))]
	if !p.open.Load() {
		return ErrStopped
	}
	p.live.Add(1)
	if !p.open.Load() { // who ends the partition may not have seen this one
		p.left()
		return ErrStopped
	}
	child, err := d.sys.Spawn(d.spec.Child, ref, args, p)
	if err != nil {
		p.left()
		return err
	}
	if !p.open.Load() {
		child.Stop(actors.Shutdown) // those that were there have been told already
	}
	return nil
}

// partition is one share of the children and the owner of each. It outlives its supervising actor, so that children know
// whom to tell.
type partition struct {
	dyn  *Dynamic
	id   string
	open atomic.Bool
	live atomic.Int64
	sup  atomic.Pointer[actors.Ref]
}

// crashed is what a partition's actor hears of a child; gone says that one has ended while all are being stopped.
type (
	crashed struct {
		child  *actors.Child
		reason actors.Reason
	}
	gone    struct{}
	givenUp struct{}
)

// Exited implements actors.Owner.
func (p *partition) Exited(c *actors.Child, reason actors.Reason) {
	if !reason.Ended() {
		if sup := p.sup.Load(); sup != nil && p.dyn.sys.Answer(*sup, crashed{c, reason}) == nil {
			return
		}
		if !c.End(reason) {
			return // its supervisor was faster
		}
	}
	p.left()
}

// left books the end of a child.
func (p *partition) left() {
	if p.live.Add(-1) == 0 && !p.open.Load() {
		if sup := p.sup.Load(); sup != nil {
			_ = p.dyn.sys.Answer(*sup, gone{})
		}
	}
}

// dynamic is the behaviour of one partition's supervisor.
type dynamic struct {
	part     *partition
	restarts []time.Time
	ending   *actors.Reason
}

// Init implements actors.Behaviour.
func (d *dynamic) Init(ctx *actors.Context, args any) error {
	d.part = args.(*partition)
	self := ctx.Self()
	d.part.sup.Store(&self)
	d.part.open.Store(true)
	return nil
}

// Handle implements actors.Behaviour.
func (d *dynamic) Handle(ctx *actors.Context, msg any) error {
	switch m := msg.(type) {
	case crashed:
		d.crashed(ctx, m)
	case stopSelf:
		d.end(ctx, m.reason)
	case gone:
		if d.ending != nil && d.part.live.Load() == 0 {
			ctx.Stop(*d.ending)
		}
	case givenUp:
		d.giveUp(ctx)
	}
	return nil
}

func (d *dynamic) crashed(ctx *actors.Context, m crashed) {
	spec := &d.part.dyn.spec
	again := spec.Restart != Temporary && d.ending == nil
	ctx.Log().Error("a child crashed", zap.String(telemetry.KeySupervisor, d.part.id), refField(m.child.Ref()),
		zap.Stringer(telemetry.KeyReason, m.reason), zap.Int(telemetry.KeyRestarts, len(d.restarts)), zap.Bool(telemetry.KeyRestart, again))
	if !again {
		if m.child.End(m.reason) {
			d.part.left()
		}
		return
	}
	now := ctx.Now()
	keep := d.restarts[:0]
	for _, t := range d.restarts {
		if now.Sub(t) < spec.Period {
			keep = append(keep, t)
		}
	}
	if d.restarts = append(keep, now); len(d.restarts) > spec.Intensity {
		ctx.Log().Error("too many restarts; the supervisor ends", zap.String(telemetry.KeySupervisor, d.part.id), zap.Int(telemetry.KeyIntensity, spec.Intensity), zap.Duration(telemetry.KeyPeriod, spec.Period))
		if m.child.End(m.reason) {
			d.part.left()
		}
		d.end(ctx, actors.Shutdown)
		return
	}
	m.child.Restart()
}

// end stops all children at the same time and then the supervisor.
func (d *dynamic) end(ctx *actors.Context, reason actors.Reason) {
	if d.ending != nil {
		return
	}
	d.ending = &reason
	d.part.open.Store(false)
	ctx.System().Children(d.part, func(c *actors.Child) { c.Stop(actors.Shutdown) })
	if d.part.live.Load() == 0 {
		ctx.Stop(reason)
		return
	}
	ctx.SendAfter(d.part.dyn.spec.Shutdown, givenUp{})
}

// giveUp leaves behind the children that did not stop in time.
func (d *dynamic) giveUp(ctx *actors.Context) {
	n := 0
	ctx.System().Children(d.part, func(c *actors.Child) {
		if c.End(actors.Killed) {
			d.part.live.Add(-1)
			n++
		}
	})
	if n > 0 {
		ctx.Log().Error("children did not stop in time and are left behind", zap.String(telemetry.KeySupervisor, d.part.id), zap.Int(telemetry.KeyChildren, n))
	}
	ctx.Stop(*d.ending)
}

// Terminate implements actors.Terminator.
func (d *dynamic) Terminate(ctx *actors.Context, reason actors.Reason) {
	d.part.open.Store(false)
	if d.ending == nil {
		ctx.System().Children(d.part, func(c *actors.Child) {
			if c.End(reason) {
				d.part.live.Add(-1)
			}
		})
	}
}
