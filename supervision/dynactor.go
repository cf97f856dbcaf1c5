package supervision

import (
	"fmt"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/telemetry"
)

// dynArgs is what the actor of a partition starts with.
type dynArgs struct {
	part *partition
	tree *tree
	reap bool // it only ends what it finds
}

// Messages to a partition's actor, besides those of its children.
type (
	givenUp      struct{}
	childOverdue struct{ told *leaving }
	childDue     struct {
		ref  actors.Ref
		rest *resting
	}
	terminateReq struct{ ref actors.Ref }
)

// leaving is a child that has been told to end, for good.
type leaving struct {
	child *actors.Child
	from  []actors.From // who waits for that
}

// dynamic is the behaviour of one partition's supervisor.
type dynamic struct {
	part   *partition
	tree   *tree
	recent window // restarts
	struck map[actors.Ref]*strikes
	sweep  int // how many of these there have to be for a look at them
	told   map[actors.Child]*leaving
	ending *actors.Reason
}

// Init implements actors.Behaviour. Signals of others than its supervisor don't end it. Children of an earlier life, which ended by a fault, don't survive it.
func (d *dynamic) Init(ctx *actors.Context, args any) error {
	a := args.(*dynArgs)
	d.part, d.tree = a.part, a.tree
	if err := d.part.dyn.spec.check(); err != nil {
		return err
	}
	ctx.TrapExit(true)
	d.told, d.struck = map[actors.Child]*leaving{}, map[actors.Ref]*strikes{}
	self := ctx.Self()
	d.part.sup.Store(&self)
	d.part.bury()
	if a.reap {
		d.end(ctx, actors.Killed, ctx.Now().Add(Grace))
		return nil
	}
	d.part.family.Each(func(c *actors.Child) bool {
		d.leave(&leaving{child: c})
		c.Stop(actors.Killed)
		return true
	})
	d.part.open.Store(true)
	return nil
}

// Handle implements actors.Behaviour.
func (d *dynamic) Handle(ctx *actors.Context, msg any) error {
	switch m := msg.(type) {
	case childCrash:
		d.crashed(ctx, m)
	case childEnd:
		d.ended(ctx, m)
	case childDue:
		if d.part.wake(m.ref, m.rest) != nil {
			d.restart(ctx, m.ref, m.rest)
		}
	case childOverdue:
		if d.told[*m.told.child] == m.told {
			d.abandon(ctx, m.told)
		}
	case stopSelf:
		d.end(ctx, m.reason, m.by)
	case lastGone:
		if d.ending != nil && d.part.live.Load() == 0 {
			ctx.Stop(*d.ending)
		}
	case givenUp:
		d.giveUp(ctx)
	}
	return nil
}

// HandleCall implements actors.CallHandler.
func (d *dynamic) HandleCall(ctx *actors.Context, from actors.From, req any) (any, error) {
	r, ok := req.(terminateReq)
	switch {
	case !ok:
		return nil, fmt.Errorf("supervision: a dynamic supervisor doesn't understand %T", req)
	case d.ending != nil:
		return nil, ErrStopped
	}
	return d.terminate(ctx, from, r.ref)
}

// Terminate implements actors.Terminator.
func (d *dynamic) Terminate(ctx *actors.Context, _ actors.Reason) {
	d.part.open.Store(false)
	for _, t := range d.told {
		for _, from := range t.from {
			ctx.Reply(from, nil, ErrStopped)
		}
	}
}

// crashed decides about a child that has crashed.
func (d *dynamic) crashed(ctx *actors.Context, m childCrash) {
	t := d.told[*m.child]
	again := d.part.dyn.spec.Restart != Temporary && d.ending == nil && t == nil
	if t == nil {
		d.decide(ctx, m.child.Ref(), m.reason, again, &resting{child: m.child})
	}
	if !again && m.child.End(m.reason) { // otherwise it has ended by itself, which is told
		d.part.left()
		d.gone(ctx, t)
	}
}

// ended decides about a child that has ended without a crash.
func (d *dynamic) ended(ctx *actors.Context, m childEnd) {
	spec, t := &d.part.dyn.spec, d.told[*m.child]
	again := spec.restarts() && spec.Restart.again(m.reason) && d.ending == nil && t == nil
	if t == nil {
		d.decide(ctx, m.child.Ref(), m.reason, again, &resting{args: m.child.Args()})
	}
	if !again {
		d.part.left()
		d.gone(ctx, t)
	}
}

// decide reports an end, and starts the child again, now or after its delay.
func (d *dynamic) decide(ctx *actors.Context, ref actors.Ref, reason actors.Reason, again bool, r *resting) {
	spec, delay := &d.part.dyn.spec, time.Duration(0)
	if again {
		delay = d.delay(ctx.Now(), ref)
	}
	if !reason.IsNormal() && logs(ctx.Log()) {
		fields := []zap.Field{zap.String(telemetry.KeySupervisor, d.part.id), zap.String(telemetry.KeyChild, ref.ID), refField(ref), zap.Stringer(telemetry.KeyReason, reason),
			zap.Int(telemetry.KeyRestarts, d.recent.count(ctx.Now(), spec.Period)), zap.Bool(telemetry.KeyRestart, again), lastField(ctx.System(), ref)}
		if delay > 0 {
			fields = append(fields, zap.Duration(telemetry.KeyPause, delay))
		}
		ctx.Log().Error(sayCrashed, fields...)
	}
	switch {
	case !again:
	case delay > 0:
		d.part.rest(ref, r)
		ctx.SendAfter(delay, childDue{ref, r})
	default:
		d.restart(ctx, ref, r)
	}
}

// delay is that before the next restart of a child.
func (d *dynamic) delay(now time.Time, ref actors.Ref) time.Duration {
	b := d.part.dyn.spec.Backoff
	if b.Min == 0 {
		return 0
	}
	s := d.struck[ref]
	if s == nil {
		if len(d.struck) >= max(2*d.sweep, 64) {
			for ref, s := range d.struck {
				if !s.since.IsZero() && now.Sub(s.since) >= b.reset() {
					delete(d.struck, ref)
				}
			}
			d.sweep = len(d.struck)
		}
		s = &strikes{}
		d.struck[ref] = s
	}
	return s.next(b, now, rand.Float64)
}

// restart starts a child again, if that isn't once too often.
func (d *dynamic) restart(ctx *actors.Context, ref actors.Ref, r *resting) {
	spec, now := &d.part.dyn.spec, ctx.Now()
	if d.recent.book(now, spec.Period) > max(spec.Intensity, 0) {
		ctx.Log().Error(sayTooMany, zap.String(telemetry.KeySupervisor, d.part.id), refField(ref),
			zap.Int(telemetry.KeyIntensity, max(spec.Intensity, 0)), zap.Duration(telemetry.KeyPeriod, spec.Period))
		if r.child == nil || r.child.End(actors.Shutdown) {
			d.part.left()
		}
		d.end(ctx, actors.Shutdown, time.Time{})
		return
	}
	d.part.restarted.Add(1)
	if s := d.struck[ref]; s != nil {
		s.since = now
	}
	if r.child != nil {
		r.child.Restart()
	} else if _, err := d.part.spawn(ref, r.args); err != nil { // somebody else has the name by now
		d.part.left()
	}
}

// terminate tells a child to end, for good.
func (d *dynamic) terminate(ctx *actors.Context, from actors.From, ref actors.Ref) (any, error) {
	delete(d.struck, ref)
	if r := d.part.wake(ref, nil); r != nil { // it has ended, and now it stays so
		if r.child == nil || r.child.End(actors.Shutdown) {
			d.part.left()
		}
		return nil, nil
	}
	child := d.part.find(ref)
	if child == nil {
		return nil, ErrNotFound
	}
	if t := d.told[*child]; t != nil {
		t.from = append(t.from, from)
		return actors.NoReply, nil
	}
	t := &leaving{child: child, from: []actors.From{from}}
	if !d.leave(t) {
		return nil, nil
	}
	switch shutdown := d.part.dyn.spec.Shutdown; shutdown {
	case Brutal:
		d.kill(ctx, t)
	case Infinity:
		child.Stop(actors.Shutdown)
	default:
		child.Stop(actors.Shutdown)
		ctx.SendAfter(shutdown, childOverdue{t})
	}
	return actors.NoReply, nil
}

// leave books a child that is to end for good, so that its end is told. It reports false if it has ended and nothing will be.
func (d *dynamic) leave(t *leaving) bool {
	d.told[*t.child] = t
	if d.part.dyn.spec.restarts() {
		return true
	}
	d.part.want(t.child)
	if now := d.part.find(t.child.Ref()); now != nil && *now == *t.child {
		return true
	}
	delete(d.told, *t.child)
	d.part.unwant(t.child)
	return false
}

// gone tells those who wait for the end of a child that it has come; t may be nil.
func (d *dynamic) gone(ctx *actors.Context, t *leaving) {
	if t == nil {
		return
	}
	delete(d.told, *t.child)
	d.part.unwant(t.child)
	for _, from := range t.from {
		ctx.Reply(from, nil, nil)
	}
}

// kill ends a child from outside, and reports false if it has ended by itself, which will be told.
func (d *dynamic) kill(ctx *actors.Context, t *leaving) bool {
	if !t.child.End(actors.Killed) {
		return false
	}
	d.part.left()
	d.gone(ctx, t)
	return true
}

// abandon leaves a child behind that did not stop in time.
func (d *dynamic) abandon(ctx *actors.Context, t *leaving) {
	ref := t.child.Ref()
	if d.kill(ctx, t) {
		d.tree.abandoned.Add(1)
		ctx.Log().Error(sayLeft, zap.String(telemetry.KeySupervisor, d.part.id), zap.String(telemetry.KeyChild, ref.ID), refField(ref))
	}
}

// end stops all children at the same time and then the supervisor; in haste by a time that isn't zero.
func (d *dynamic) end(ctx *actors.Context, reason actors.Reason, by time.Time) {
	shutdown := d.part.dyn.spec.Shutdown
	if !by.IsZero() {
		shutdown = min(shutdown, max(by.Sub(ctx.Now()), 0))
	}
	if d.ending != nil {
		if !by.IsZero() {
			ctx.SendAfter(shutdown, givenUp{})
		}
		return
	}
	d.ending = &reason
	d.part.open.Store(false)
	d.part.bury()
	switch {
	case d.part.live.Load() == 0:
		ctx.Stop(reason)
		return
	case shutdown == Brutal:
		d.endAll()
		ctx.Stop(reason)
		return
	case shutdown != Infinity:
		ctx.SendAfter(shutdown, givenUp{})
	}
	why := told(by)
	d.part.family.Each(func(c *actors.Child) bool {
		c.Stop(why)
		return true
	})
}

// endAll ends all children from outside, and returns how many there were.
func (d *dynamic) endAll() (n int64) {
	d.part.family.Each(func(c *actors.Child) bool {
		if c.End(actors.Killed) {
			d.part.left()
			n++
		}
		return true
	})
	return n
}

// giveUp leaves behind the children that did not stop in time.
func (d *dynamic) giveUp(ctx *actors.Context) {
	if d.ending == nil {
		return
	}
	if n := d.endAll(); n > 0 {
		d.tree.abandoned.Add(n)
		ctx.Log().Error(sayLeftMany, zap.String(telemetry.KeySupervisor, d.part.id), zap.Int64(telemetry.KeyChildren, n))
	}
	ctx.Stop(*d.ending)
}
