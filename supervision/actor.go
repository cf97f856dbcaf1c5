package supervision

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
)

// supArgs is what a supervisor starts with. What is below the spec is set by whoever starts it.
type supArgs struct {
	spec  SupervisorSpec
	below *brood
	up    func() // called when all children have been started
	tree  *tree
	reap  bool // it only ends what it finds below
}

// tree is what all supervisors of a tree share.
type tree struct{ abandoned atomic.Int64 }

// Messages to a supervisor.
type (
	childStarted struct{ life *link }
	childExited  struct {
		life   *link
		reason actors.Reason
	}
	stopTimeout struct{ life *link }
	pauseOver   struct{ wait *pause }
	stopSelf    struct {
		reason actors.Reason
		by     time.Time // in haste: what is below has to have ended by then; zero: no haste
	}
)

// supervisor is the behaviour of a static supervisor: it carries out what its state decides.
type supervisor struct {
	st   *state
	args *supArgs
}

// Init implements actors.Behaviour. Signals of others than its supervisor don't end it. Children that are there already, because an earlier life of the supervisor ended by a fault, are
// stopped first.
func (s *supervisor) Init(ctx *actors.Context, args any) error {
	s.args = args.(*supArgs)
	ctx.TrapExit(true)
	if err := s.args.spec.check(); err != nil {
		return err
	}
	var left []*kid
	for _, l := range s.args.below.take(s) {
		left = append(left, adopt(l))
	}
	s.st = newState(s.args.spec, rand.Float64, left)
	if s.args.reap {
		s.st.reaping(ctx.Now())
	}
	s.st.proceed(ctx.Now())
	s.act(ctx)
	return nil
}

// Handle implements actors.Behaviour.
func (s *supervisor) Handle(ctx *actors.Context, msg any) error {
	now := ctx.Now()
	switch m := msg.(type) {
	case childStarted:
		s.st.started(now, m.life)
	case childExited:
		s.st.exited(now, m.life, m.reason)
	case stopTimeout:
		s.st.overdue(now, m.life)
	case pauseOver:
		s.st.over(now, m.wait)
	case stopSelf:
		s.st.stopSelf(now, m.reason, m.by)
	}
	s.act(ctx)
	return nil
}

// HandleCall implements actors.CallHandler.
func (s *supervisor) HandleCall(ctx *actors.Context, from actors.From, req any) (any, error) {
	s.st.request(ctx.Now(), from, req)
	s.act(ctx)
	return actors.NoReply, nil
}

// Terminate implements actors.Terminator. The children of a supervisor that ends by a fault of its own are not left alone: its next
// life finds them, or else whoever started it has them reaped.
func (s *supervisor) Terminate(ctx *actors.Context, _ actors.Reason) {
	if s.st == nil {
		return
	}
	s.st.refuse()
	for _, e := range s.st.effects() {
		if a, ok := e.(answer); ok {
			ctx.Reply(a.from, a.v, a.err)
		}
	}
}

// act carries out effects until there are no more.
func (s *supervisor) act(ctx *actors.Context) {
	for {
		todo := s.st.effects()
		if len(todo) == 0 {
			return
		}
		for _, e := range todo {
			s.do(ctx, e)
		}
	}
}

func (s *supervisor) do(ctx *actors.Context, e effect) {
	switch e := e.(type) {
	case spawn:
		s.spawn(ctx, e.life)
	case again:
		e.life.child.Restart()
	case tell:
		if e.life.kid.Load().spec.Type == Worker {
			e.life.child.Stop(told(e.by))
		} else {
			_ = ctx.Answer(e.life.child.Ref(), stopSelf{told(e.by), e.by})
		}
	case kill:
		if e.life.child.End(actors.Killed) && e.abandoned {
			s.args.tree.abandoned.Add(1)
		}
	case reap:
		s.reap(ctx, e.life)
	case forget:
		s.args.below.remove(e.life)
	case timer:
		ctx.SendAfter(e.d, stopTimeout{e.life})
	case alarm:
		ctx.SendAfter(e.d, pauseOver{e.wait})
	case answer:
		ctx.Reply(e.from, e.v, e.err)
	case announce:
		if s.args.up != nil {
			s.args.up()
		}
	case finish:
		ctx.Stop(e.reason)
	case report:
		s.write(ctx, e)
	}
}

// told is the reason that a child is told to end with.
func told(by time.Time) actors.Reason {
	if by.IsZero() {
		return actors.Shutdown
	}
	return actors.Killed
}

// spawn starts the actor of a child.
func (s *supervisor) spawn(ctx *actors.Context, l *link) {
	if err := s.make(ctx, l, false); err != nil {
		s.st.cannot(ctx.Now(), l, err)
	}
}

func (s *supervisor) make(ctx *actors.Context, l *link, reap bool) error {
	k := l.kid.Load()
	l.sys, l.sup = ctx.System(), ctx.Self()
	child, err := l.sys.Spawn(k.spec.Spec, s.st.refOf(k), s.argsOf(k, l, reap), l)
	if err != nil {
		return err
	}
	l.child = child
	if !s.args.below.add(s, l) { // the supervisor has been ended from outside, and so has all below it
		child.End(actors.Killed)
	}
	return nil
}

// argsOf is what a child's actor starts with.
func (s *supervisor) argsOf(k *kid, l *link, reap bool) any {
	switch a := k.spec.Args.(type) {
	case *supArgs:
		spec := a.spec
		spec.ID = s.st.refOf(k).ID
		return &supArgs{spec: spec, below: k.below, up: l.started, tree: s.args.tree, reap: reap}
	case *partition:
		return &dynArgs{part: a, tree: s.args.tree, reap: reap}
	}
	return k.spec.Args
}

// reap sees to it that nothing runs below a supervisor whose actor has ended.
func (s *supervisor) reap(ctx *actors.Context, l *link) {
	k := l.kid.Load()
	if p, ok := k.spec.Args.(*partition); ok && p.live.Load() == 0 || k.below != nil && k.below.empty() {
		s.st.cleared(ctx.Now(), l)
		return
	}
	if err := s.make(ctx, l, true); err != nil { // somebody else has the name: then without order
		k.below.kill()
		s.st.cleared(ctx.Now(), l)
	}
}

// Resumes implements actors.Resumer: whoever is suspended is stopped all the same.
func (stopSelf) Resumes() {}
