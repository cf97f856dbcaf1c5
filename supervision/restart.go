package supervision

import (
	"errors"
	"fmt"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
)

// decide is what OTP's supervisor does about a child that has ended by itself.
func (s *state) decide(now time.Time, k *kid, reason actors.Reason) {
	if k.spec.again(reason) {
		s.restart(now, k, report{what: childCrashed, k: k, life: k.life, reason: reason})
		return
	}
	if !reason.IsNormal() {
		s.report(report{what: childCrashed, k: k, life: k.life, reason: reason, restarts: s.counted(now)})
	}
	if k.spec.Type == Worker {
		if k.phase == crashed {
			s.emit(kill{k.life, false})
		}
		s.drop(k)
		if k.unwanted {
			s.remove(k)
		}
	} else { // what it may have left below it ends first
		s.plan = append(s.plan, step{k: k, do: stop})
	}
	if k.spec.Significant && (s.spec.AutoShutdown == AnySignificant || s.spec.AutoShutdown == AllSignificant && !s.anySignificant(k)) {
		s.end(now, actors.Shutdown, time.Time{})
	}
}

// anySignificant reports whether another significant child runs, or will.
func (s *state) anySignificant(but *kid) bool {
	for _, k := range s.kids {
		if k != but && k.spec.Significant && (k.phase != absent || k.wait != nil) {
			return true
		}
	}
	return false
}

// restart stops those that go along with a child that has ended, and starts them and the child again after its delay. A restart
// counts when that is over.
func (s *state) restart(now time.Time, k *kid, why report) {
	w := &pause{k}
	d := k.strikes.next(s.spec.Backoff, now, s.random)
	why.restarts, why.again, why.delay = s.counted(now), true, d
	s.report(why)
	group := s.group(k)
	for i := len(group) - 1; i >= 0; i-- {
		if x := group[i]; x != k { // which keeps its queue
			s.plan = append(s.plan, step{k: x, do: stop})
		}
	}
	s.plan = append(s.plan, step{k: k, do: begin, wait: w, d: d, last: why.what == startError})
}

// group is who is restarted with a child, in the order of their start.
func (s *state) group(k *kid) []*kid {
	switch s.spec.Strategy {
	case OneForAll:
		return s.kids
	case RestForOne:
		for i, x := range s.kids {
			if x == k {
				return s.kids[i:]
			}
		}
	}
	return []*kid{k}
}

// begin starts the delay of a group whose members have been stopped.
func (s *state) begin(st step) {
	for _, x := range s.group(st.k) { // temporary ones are forgotten by now
		x.wait = st.wait
	}
	switch {
	case st.d > 0:
		s.emit(alarm{st.d, st.wait})
	case st.last: // so that a request can end the attempts
		s.late = append(s.late, retry{st.wait})
	default:
		s.late = append([]any{retry{st.wait}}, s.late...)
	}
}

// fire is the restart of those that have waited for it. Some may have been stopped meanwhile, or all.
func (s *state) fire(now time.Time, w *pause) {
	var group []*kid
	for _, k := range s.kids {
		if k.wait == w {
			group = append(group, k)
		}
	}
	if len(group) == 0 {
		return
	}
	if s.recent.book(now, s.spec.Period) > max(s.spec.Intensity, 0) {
		s.report(report{what: tooMany, k: w.k})
		s.end(now, actors.Shutdown, time.Time{})
		return
	}
	if w.k.wait == w {
		w.k.restarts++
	}
	for _, k := range group {
		s.plan = append(s.plan, step{k: k})
	}
}

// counted is how many restarts count now.
func (s *state) counted(now time.Time) int { return s.recent.count(now, s.spec.Period) }

// startFailed is told of a child that has ended before it had initialised.
func (s *state) startFailed(now time.Time, k *kid, reason actors.Reason) {
	err := reasonErr(reason)
	ignored := errors.Is(err, ErrIgnore)
	failed := &StartError{s.spec.ID, k.spec.ID, err}
	switch {
	case s.ends: // the plan has it
	case ignored, s.op != nil && s.op.k == k:
		s.plan[0].do = stop // of what its Init has left
		if s.op != nil && !ignored {
			s.op.fail(failed)
		}
		s.busy = false
	case !s.up:
		s.end(now, actors.Crashed(failed), time.Time{})
	default: // the restart has failed: that was one, and is followed by the next
		s.plan, s.busy = nil, false
		s.restart(now, k, report{what: startError, k: k, reason: reason})
	}
}

func reasonErr(r actors.Reason) error {
	if r.Err != nil {
		return r.Err
	}
	return fmt.Errorf("it ended at once (%v)", r)
}
