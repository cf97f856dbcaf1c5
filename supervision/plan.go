package supervision

import (
	"slices"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
)

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
