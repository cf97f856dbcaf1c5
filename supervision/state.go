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

// step is one part of a plan.
type step struct {
	k    *kid
	do   act
	wait *pause        // of act begin
	d    time.Duration // of act begin
	last bool          // of act begin: whatever else waits comes before
}

type act uint8

const (
	start act = iota
	stop
	begin // the pause before a restart
)

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

// proceed takes the steps that don't have to wait, and then what came late.
func (s *state) proceed(now time.Time) {
	for {
		if len(s.plan) == 0 {
			if !s.settled(now) {
				return
			}
			continue
		}
		st := s.plan[0]
		if !s.busy {
			s.busy = true
			s.take(now, st)
			continue // which may have been all, or another plan is there
		}
		if !st.done() {
			return
		}
		s.plan, s.busy = s.plan[1:], false
		if st.do == stop && st.k.unwanted {
			s.remove(st.k)
		}
	}
}

// done reports whether the step is where it wanted.
func (st step) done() bool {
	switch st.do {
	case start:
		return st.k.phase != starting
	case stop:
		return st.k.phase == absent
	}
	return true
}

func (s *state) take(now time.Time, st step) {
	switch st.do {
	case start:
		s.startKid(st.k)
	case stop:
		s.stopKid(now, st.k)
	case begin:
		s.begin(st)
	}
}

// settled is called when the plan is empty. It reports whether there may be a new one.
func (s *state) settled(now time.Time) bool {
	s.left = nil
	if s.ends {
		s.emit(finish{s.about})
		return false
	}
	if !s.up {
		s.up = true
		s.emit(announce{})
	}
	s.finishOp()
	if len(s.late) == 0 {
		return false
	}
	next := s.late[0]
	s.late = s.late[1:]
	switch e := next.(type) {
	case ended:
		if e.k.life == e.life {
			s.decide(now, e.k, e.reason)
		}
	case retry:
		s.fire(now, e.wait)
	case request:
		s.serve(now, e)
	}
	return true
}

// startKid starts a child that doesn't run: a crashed one keeps its actor, and with it Ref and queue.
func (s *state) startKid(k *kid) {
	k.wait = nil
	switch k.phase {
	case crashed:
		k.phase = starting
		s.emit(again{k.life})
	case absent, gone:
		if k.life != nil {
			s.drop(k)
		}
		k.phase = starting
		k.life = newLink(k)
		s.emit(spawn{k.life})
	}
}

// stopKid makes a child end, unless it is about to already.
func (s *state) stopKid(now time.Time, k *kid) {
	k.wait = nil
	switch k.phase {
	case gone:
		s.clear(k)
	case crashed:
		s.emit(kill{k.life, false})
		s.clear(k)
	case starting, running:
		s.tell(now, k)
	}
}

// tell tells a child to stop, and sees to it that it does in time.
func (s *state) tell(now time.Time, k *kid) {
	d := k.spec.shutdown()
	if !s.by.IsZero() && d != Brutal {
		left := s.by.Sub(now)
		if k.spec.Type != Worker {
			left += Grace // it keeps the time, which its own children have
		}
		d = max(min(d, left), 0)
	}
	switch {
	case d == Brutal:
		s.emit(kill{k.life, false})
		s.clear(k)
		return
	case d != Infinity:
		s.emit(timer{d, k.life})
	}
	k.phase = stopping
	s.emit(tell{k.life, s.by})
}

// clear lets go of a child that has ended: of a supervisor once nothing that it may have left below it runs.
func (s *state) clear(k *kid) {
	if k.spec.Type == Worker {
		s.drop(k)
		return
	}
	s.drop(k)
	k.phase = clearing
	k.life = newLink(k) // what is still heard of the last one is nothing new
	s.emit(reap{k.life})
}

// drop forgets the actor of a child.
func (s *state) drop(k *kid) {
	if k.life != nil {
		s.emit(forget{k.life})
	}
	k.life, k.phase = nil, absent
}

func (s *state) remove(k *kid) {
	s.kids = slices.DeleteFunc(s.kids, func(x *kid) bool { return x == k })
}

// end stops all children and then the supervisor itself. In haste, by a time that isn't zero, it tells them all at the same time.
func (s *state) end(now time.Time, reason actors.Reason, by time.Time) {
	if s.ends && (by.IsZero() || !s.by.IsZero()) {
		return
	}
	if !s.ends {
		s.about = reason
	}
	s.ends, s.by = true, by
	s.refuse()
	s.plan, s.busy = nil, false
	all := append(slices.Clone(s.left), s.kids...)
	for i := len(all) - 1; i >= 0; i-- {
		k := all[i]
		s.plan = append(s.plan, step{k: k, do: stop})
		switch {
		case !by.IsZero() && k.phase == stopping: // it has its own time, and no more than the haste
			s.tell(now, k)
		case !by.IsZero() || k.spec.Type == dynamicType: // partitions don't need each other
			s.stopKid(now, k)
		}
	}
}

func (s *state) emit(e effect) { s.out = append(s.out, e) }

func (s *state) report(r report) { s.emit(r) }

// effects returns what is to be done, and forgets it.
func (s *state) effects() []effect {
	out := s.out
	s.out = nil
	return out
}
