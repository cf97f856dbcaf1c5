package supervision

import (
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/telemetry"
)

func refField(r actors.Ref) zap.Field { return zap.Stringer(telemetry.KeyActor, r) }
func errField(err error) zap.Field    { return zap.Error(err) }

// supArgs is what a supervisor starts with. up hears of its start; it is set by whoever starts it.
type supArgs struct {
	spec SupervisorSpec
	up   *link
}

// Messages to a supervisor.
type (
	childStarted struct{ k *kid }
	childExited  struct {
		k      *kid
		child  *actors.Child
		reason actors.Reason
	}
	stopTimeout struct {
		k     *kid
		child *actors.Child
	}
	stopSelf struct{ reason actors.Reason }
	// WhichChildren is a call to a supervisor; it answers []ChildInfo.
	WhichChildren struct{}
)

// ChildInfo is one child in a listing.
type ChildInfo struct {
	ID       string
	Ref      actors.Ref
	Type     Type
	Restart  Restart
	Up       bool
	Restarts int
	// Live is how many actors a dynamic supervisor has.
	Live int64
}

// link is how a supervisor hears of one child; its methods run on the child's turn.
type link struct {
	sys *actors.System
	sup actors.Ref
	kid *kid
}

// Started implements what the runtime tells owners after Init. A supervisor is started when its children are: it says so
// itself.
func (l *link) Started(*actors.Child) {
	if l.kid.spec.Type != SupervisorType {
		l.started()
	}
}

func (l *link) started() { _ = l.sys.Answer(l.sup, childStarted{l.kid}) }

// Exited implements actors.Owner.
func (l *link) Exited(c *actors.Child, reason actors.Reason) {
	_ = l.sys.Answer(l.sup, childExited{l.kid, c, reason})
}

// kid is a supervisor's view of one child.
type kid struct {
	spec     ChildSpec
	child    *actors.Child // nil while there is none
	up       bool
	crashed  bool // the actor waits for Restart or End
	gone     bool // the actor has ended by itself, and nothing has been decided about that
	restarts int
}

// again reports whether that end is followed by a new start.
func (k *kid) again(reason actors.Reason) bool {
	return k.spec.Restart == Permanent || k.spec.Restart == Transient && !reason.IsNormal()
}

// step is one part of a plan: stop or start one child.
type step struct {
	k    *kid
	stop bool
}

// supervisor is the behaviour of a static supervisor.
type supervisor struct {
	spec      SupervisorSpec
	up        *link
	onStarted func()
	kids      []*kid
	plan      []step
	waiting   bool // the first step of the plan is under way
	started   bool
	ending    *actors.Reason
	told      bool // partitions have been, of the end
	deferred  []childExited
	restarts  []time.Time
}

// Init implements actors.Behaviour.
func (s *supervisor) Init(ctx *actors.Context, args any) error {
	a := args.(*supArgs)
	s.spec, s.up = a.spec, a.up
	if s.spec.Intensity == 0 {
		s.spec.Intensity = DefaultIntensity
	}
	if s.spec.Period == 0 {
		s.spec.Period = DefaultPeriod
	}
	for _, c := range s.spec.Children {
		s.kids = append(s.kids, &kid{spec: c})
	}
	for _, k := range s.kids {
		s.plan = append(s.plan, step{k: k})
	}
	s.proceed(ctx)
	return nil
}

// Handle implements actors.Behaviour.
func (s *supervisor) Handle(ctx *actors.Context, msg any) error {
	switch m := msg.(type) {
	case childStarted:
		m.k.up, m.k.crashed = true, false
		if s.under(m.k, false) {
			s.done()
		}
	case childExited:
		s.exited(ctx, m)
	case stopTimeout:
		s.abandon(ctx, m)
	case stopSelf:
		s.end(m.reason)
	}
	s.proceed(ctx)
	return nil
}

// HandleCall implements actors.CallHandler.
func (s *supervisor) HandleCall(_ *actors.Context, _ actors.From, req any) (any, error) {
	if _, ok := req.(WhichChildren); !ok {
		return nil, fmt.Errorf("supervision: a supervisor doesn't understand %T", req)
	}
	var list []ChildInfo
	for _, k := range s.kids {
		info := ChildInfo{ID: k.spec.ID, Type: k.spec.Type, Restart: k.spec.Restart, Up: k.up, Restarts: k.restarts, Ref: s.refOf(k)}
		if d, ok := k.spec.Args.(*partition); ok {
			info.Live = d.live.Load()
		}
		list = append(list, info)
	}
	return list, nil
}

// Terminate implements actors.Terminator: after a fault of the supervisor itself no child is left without one.
func (s *supervisor) Terminate(_ *actors.Context, reason actors.Reason) {
	for i := len(s.kids) - 1; i >= 0; i-- {
		if k := s.kids[i]; k.child != nil {
			k.child.End(reason)
			k.child = nil
		}
	}
}

func (s *supervisor) refOf(k *kid) actors.Ref {
	id := k.spec.ID
	if k.spec.Type != Worker {
		id = s.spec.ID + "." + id
	}
	return actors.Ref{Kind: k.spec.Spec.Kind, ID: id}
}

// under reports whether the plan waits for k to stop or to start.
func (s *supervisor) under(k *kid, stop bool) bool {
	return s.waiting && s.plan[0].k == k && s.plan[0].stop == stop
}

func (s *supervisor) done() {
	s.plan, s.waiting = s.plan[1:], false
}

// proceed takes the steps that don't have to wait.
func (s *supervisor) proceed(ctx *actors.Context) {
	for !s.waiting {
		if len(s.plan) == 0 {
			if !s.settled(ctx) {
				return
			}
			continue
		}
		st := s.plan[0]
		s.waiting = true
		if st.stop {
			s.stopKid(ctx, st.k)
		} else {
			s.startKid(ctx, st.k)
		}
	}
}

// settled is called when the plan is empty. It reports whether there is a new one.
func (s *supervisor) settled(ctx *actors.Context) bool {
	if s.ending != nil {
		ctx.Stop(*s.ending)
		return false
	}
	if !s.started {
		s.started = true
		if s.up != nil {
			s.up.started()
		}
		if s.onStarted != nil {
			s.onStarted()
		}
	}
	if len(s.deferred) == 0 {
		return false
	}
	next := s.deferred[0]
	s.deferred = s.deferred[1:]
	if next.k.child == next.child {
		s.decide(ctx, next)
	}
	return true
}

func (s *supervisor) startKid(ctx *actors.Context, k *kid) {
	if k.crashed && k.child != nil {
		k.child.Restart()
		return
	}
	l := &link{ctx.System(), ctx.Self(), k}
	args := k.spec.Args
	if a, ok := args.(*supArgs); ok {
		args = &supArgs{spec: withID(a.spec, s.refOf(k).ID), up: l}
	}
	child, err := ctx.System().Spawn(k.spec.Spec, s.refOf(k), args, l)
	if err != nil {
		s.startFailed(ctx, k, err)
		return
	}
	k.child = child
}

func withID(spec SupervisorSpec, id string) SupervisorSpec {
	spec.ID = id
	return spec
}

// startFailed ends a supervisor whose child can't be started: at its own start as OTP does, later because a restart that
// fails has used up what restarting can do.
func (s *supervisor) startFailed(ctx *actors.Context, k *kid, err error) {
	if s.started { // before, the error goes up to whoever starts the tree, and is told there
		ctx.Log().Error("a child can't be started", zap.String(telemetry.KeySupervisor, s.spec.ID), zap.String(telemetry.KeyChild, k.spec.ID), zap.Error(err))
	}
	s.end(actors.Crashed(&StartError{s.spec.ID, k.spec.ID, err}))
}

func (s *supervisor) stopKid(ctx *actors.Context, k *kid) {
	switch {
	case k.child == nil || k.gone:
		k.child, k.gone = nil, false
		s.done()
	case k.crashed || k.spec.Shutdown == Brutal:
		k.child.End(actors.Killed)
		k.child, k.up, k.crashed = nil, false, false
		s.done()
	default:
		if k.spec.Type == dynamicType && s.ending != nil {
			s.endPartitions(ctx)
		} else if k.spec.Type != Worker {
			_ = ctx.Answer(k.child.Ref(), stopSelf{actors.Shutdown})
		} else {
			k.child.Stop(actors.Shutdown)
		}
		if d := k.spec.Shutdown; d != Infinity {
			if d == 0 {
				d = DefaultShutdown
			}
			ctx.SendAfter(d, stopTimeout{k, k.child})
		}
	}
}

// endPartitions tells the partitions of a dynamic supervisor to stop, all at the same time: they don't need each other, and their
// children's Shutdown is that of all together.
func (s *supervisor) endPartitions(ctx *actors.Context) {
	if s.told {
		return
	}
	s.told = true
	for _, k := range s.kids {
		if k.child != nil && !k.crashed && !k.gone {
			_ = ctx.Answer(k.child.Ref(), stopSelf{actors.Shutdown})
		}
	}
}

// abandon gives up on a child that doesn't stop.
func (s *supervisor) abandon(ctx *actors.Context, m stopTimeout) {
	if m.k.child != m.child || !s.under(m.k, true) {
		return
	}
	ctx.Log().Error("a child did not stop in time and is left behind", zap.String(telemetry.KeySupervisor, s.spec.ID),
		zap.String(telemetry.KeyChild, m.k.spec.ID), refField(m.child.Ref()))
	m.child.End(actors.Killed)
	m.k.child, m.k.up = nil, false
	s.done()
}

// exited takes note of a child's end.
func (s *supervisor) exited(ctx *actors.Context, m childExited) {
	k := m.k
	if k.child == nil || k.gone || *k.child != *m.child { // of one that was left behind
		return
	}
	k.up, k.gone, k.crashed = false, m.reason.Ended(), !m.reason.Ended()
	switch {
	case s.under(k, true):
		if k.crashed {
			k.child.End(m.reason)
		}
		k.child, k.gone, k.crashed = nil, false, false
		s.done()
	case s.under(k, false) && !s.started:
		s.startFailed(ctx, k, reasonErr(m.reason))
	case s.under(k, false):
		if s.done(); k.again(m.reason) {
			s.plan = nil // those after it wait: the new plan has them all
		}
		s.decide(ctx, childExited{k, k.child, m.reason})
	case s.waiting || len(s.plan) > 0:
		s.deferred = append(s.deferred, childExited{k, k.child, m.reason})
	default:
		s.decide(ctx, childExited{k, k.child, m.reason})
	}
}

func reasonErr(r actors.Reason) error {
	if r.Err != nil {
		return r.Err
	}
	return fmt.Errorf("it ended at once (%v)", r)
}

// decide is what OTP's supervisor does about a child that has ended by itself.
func (s *supervisor) decide(ctx *actors.Context, m childExited) {
	k := m.k
	again := k.again(m.reason)
	if !m.reason.IsNormal() {
		ctx.Log().Error("a child crashed", zap.String(telemetry.KeySupervisor, s.spec.ID), zap.String(telemetry.KeyChild, k.spec.ID),
			zap.Stringer(telemetry.KeyReason, m.reason), zap.Int(telemetry.KeyRestarts, len(s.restarts)), zap.Bool(telemetry.KeyRestart, again))
	}
	if k.gone {
		k.child, k.gone = nil, false
	}
	if !again {
		if k.child != nil {
			k.child.End(m.reason)
			k.child, k.crashed = nil, false
		}
		return
	}
	if s.exhausted(ctx.Now()) {
		ctx.Log().Error("too many restarts; the supervisor ends", zap.String(telemetry.KeySupervisor, s.spec.ID),
			zap.Int(telemetry.KeyIntensity, s.spec.Intensity), zap.Duration(telemetry.KeyPeriod, s.spec.Period))
		s.end(actors.Shutdown)
		return
	}
	k.restarts++
	from := len(s.kids)
	switch s.spec.Strategy {
	case OneForOne:
		s.plan = append(s.plan, step{k: k})
		return
	case OneForAll:
		from = 0
	case RestForOne:
		for i, x := range s.kids {
			if x == k {
				from = i
			}
		}
	}
	for i := len(s.kids) - 1; i >= from; i-- {
		if s.kids[i] != k { // the crashed one keeps its queue
			s.plan = append(s.plan, step{k: s.kids[i], stop: true})
		}
	}
	for _, x := range s.kids[from:] {
		if x.spec.Restart != Temporary { // one of these stays ended, though it was a sibling's fault
			s.plan = append(s.plan, step{k: x})
		}
	}
}

// exhausted books one restart and reports whether it is one too many.
func (s *supervisor) exhausted(now time.Time) bool {
	keep := s.restarts[:0]
	for _, t := range s.restarts {
		if now.Sub(t) < s.spec.Period {
			keep = append(keep, t)
		}
	}
	s.restarts = append(keep, now)
	return len(s.restarts) > max(s.spec.Intensity, 0)
}

// end stops all children and then the supervisor itself.
func (s *supervisor) end(reason actors.Reason) {
	if s.ending != nil {
		return
	}
	s.ending = &reason
	s.plan, s.waiting, s.deferred = nil, false, nil
	for i := len(s.kids) - 1; i >= 0; i-- {
		s.plan = append(s.plan, step{k: s.kids[i], stop: true})
	}
}
