package supervision

import (
	"slices"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
)

// state is what a supervisor knows and has set out to do. It is pure: it is told what has happened, and when, and gathers effects,
// which the actor carries out.
//
// What has to be done in order is a plan of steps, each of which ends when its child is where the step wants it. What comes
// meanwhile, the ends of other children and requests, waits in late.
type state struct {
	spec SupervisorSpec
	kids []*kid
	left []*kid // of an earlier life of this supervisor: stopped before anything starts

	plan   []step
	busy   bool // the first step is under way
	up     bool // all children have been started once
	late   []any
	op     *op           // the request that the plan carries out, if there is one
	recent window        // restarts
	about  actors.Reason // why it ends, if it does
	ends   bool
	by     time.Time // those below have to have ended, whatever their own time; zero: no haste

	random func() float64
	out    []effect
}

// phase is where a child is.
type phase uint8

const (
	absent   phase = iota // there is no actor
	starting              // Init is under way
	running
	stopping // it has been told to
	crashed  // its actor waits for Restart or End
	gone     // it has ended by itself, and nothing has been decided about that
	clearing // it has ended, and what it has left below it is ending
)

// kid is a supervisor's view of one child.
type kid struct {
	spec     ChildSpec
	below    *brood // of a supervisor
	life     *link  // of the actor it has, nil: none
	phase    phase
	wait     *pause  // it is started when that is over
	restarts int     // for a fault of its own
	strikes  strikes // for the back-off
	unwanted bool    // it is forgotten when it has ended
}

func newKid(spec ChildSpec) *kid {
	k := &kid{spec: spec, unwanted: spec.Restart == Temporary}
	if spec.Type == SupervisorType {
		k.below = new(brood)
	}
	return k
}

// pause is a delay before a restart, of the child that has failed and of those that go along.
type pause struct{ k *kid }

// op is a request that takes its time.
type op struct {
	k    *kid
	from actors.From
	do   any
	err  error // the child can't be started
}

// Events that wait for the plan's end.
type (
	ended struct {
		k      *kid
		life   *link
		reason actors.Reason
	}
	retry   struct{ wait *pause }
	request struct {
		from actors.From
		req  any
	}
)

// newState is that of a supervisor that is about to start, with what is left of an earlier life.
func newState(spec SupervisorSpec, random func() float64, left []*kid) *state {
	s := &state{spec: spec.withDefaults(), random: random, left: left}
	for i := len(left) - 1; i >= 0; i-- {
		s.plan = append(s.plan, step{k: left[i], do: stop})
	}
	for _, c := range spec.Children {
		k := newKid(c)
		s.kids = append(s.kids, k)
		s.plan = append(s.plan, step{k: k})
	}
	return s
}

// reaping makes it one that only ends what is left.
func (s *state) reaping(now time.Time) {
	s.spec.Children, s.kids = nil, nil
	s.end(now, actors.Killed, now.Add(Grace))
}

// find returns the child of a life, nil if the supervisor has no such any more.
func (s *state) find(l *link) *kid {
	if k := l.kid.Load(); k != nil && k.life == l && (slices.Contains(s.kids, k) || slices.Contains(s.left, k)) {
		return k
	}
	return nil
}

func (s *state) byID(id string) *kid {
	for _, k := range s.kids {
		if k.spec.ID == id {
			return k
		}
	}
	return nil
}

// started is told of a child that has initialised.
func (s *state) started(now time.Time, l *link) {
	if k := s.find(l); k != nil && k.phase == starting {
		k.phase = running
		k.strikes.since = now
	}
	s.proceed(now)
}

// exited is told of a child's end, or of the end of what a child had left below it.
func (s *state) exited(now time.Time, l *link, reason actors.Reason) {
	k := s.find(l)
	if k == nil { // of one that was left behind
		return
	}
	was := k.phase
	k.phase = gone
	if !reason.Ended() {
		k.phase = crashed
	}
	switch was {
	case clearing:
		s.drop(k)
	case stopping:
		if !reason.IsNormal() && reason.Code != actors.CodeKilled {
			s.report(report{what: shutdownError, k: k, reason: reason})
		}
		s.clear(k)
	case starting:
		s.startFailed(now, k, reason)
	case running:
		s.late = append(s.late, ended{k, l, reason})
	}
	s.proceed(now)
}

// cannot is told of a child for which there could be no actor.
func (s *state) cannot(now time.Time, l *link, err error) {
	if k := s.find(l); k != nil {
		s.drop(k)
		s.startFailed(now, k, actors.Crashed(err))
	}
	s.proceed(now)
}

// cleared is told that nothing is left below a child that has ended.
func (s *state) cleared(now time.Time, l *link) {
	if k := s.find(l); k != nil && k.phase == clearing {
		s.drop(k)
	}
	s.proceed(now)
}

// overdue is told that the time of a child to stop is over.
func (s *state) overdue(now time.Time, l *link) {
	if k := s.find(l); k != nil && k.phase == stopping {
		s.report(report{what: leftBehind, k: k})
		s.emit(kill{l, k.spec.Type == Worker}) // a supervisor leaves nothing behind but what is below it
		s.clear(k)
	}
	s.proceed(now)
}

// stopSelf is told that the supervisor shall end.
func (s *state) stopSelf(now time.Time, reason actors.Reason, by time.Time) {
	s.end(now, reason, by)
	s.proceed(now)
}

// over is told that a pause is.
func (s *state) over(now time.Time, w *pause) {
	s.late = append(s.late, retry{w})
	s.proceed(now)
}

func (s *state) emit(e effect) { s.out = append(s.out, e) }

func (s *state) report(r report) { s.emit(r) }

// effects returns what is to be done, and forgets it.
func (s *state) effects() []effect {
	out := s.out
	s.out = nil
	return out
}
