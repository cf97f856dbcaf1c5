package session

import (
	"errors"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
)

// The patience of calls to an account that may just be moving to another node, or whose node is lost and nobody has noticed yet.
const (
	callPatience = 15 * time.Second // in all
	readTime     = 4 * time.Second  // for one try of what changes nothing
	minPause     = 250 * time.Millisecond
	maxPause     = 2 * time.Second
)

// attempt is a call that is repeated until it has an answer. The request must be one that may be handled twice.
type attempt struct {
	call
	until time.Time // the patience is over
	pause time.Duration
	again bool      // this isn't the first try
	due   time.Time // of the next one; zero: an answer is awaited
}

// insist calls to, and again where the call got lost on the way, until callPatience is over. try is how long one answer is
// awaited. done gets the answer, or the error of the last try.
func (st *state) insist(fx *effects, to actors.Ref, req any, try time.Duration, done func(fx *effects, v any, err error)) *attempt {
	a := &attempt{call: call{to: to, req: req, timeout: try, done: done}, until: fx.now.Add(callPatience), pause: minPause}
	st.attempt(fx, a)
	return a
}

func (st *state) attempt(fx *effects, a *attempt) {
	fx.call(a.to, a.req, min(a.timeout, a.until.Sub(fx.now)), func(fx *effects, v any, err error) {
		due := fx.now.Add(a.pause + st.jitter(a.pause))
		if !astray(err) || !due.Before(a.until) {
			a.done(fx, v, err)
			return
		}
		a.again, a.due, a.pause = true, due, min(2*a.pause, maxPause)
		st.attempts = append(st.attempts, a)
	})
}

// tryAgain makes the calls that are due.
func (st *state) tryAgain(fx *effects) {
	waiting := st.attempts
	st.attempts = nil
	for _, a := range waiting {
		if a.due.After(fx.now) {
			st.attempts = append(st.attempts, a)
		} else {
			st.attempt(fx, a)
		}
	}
}

// astray reports whether a call was lost on its way to an actor that is somewhere, or will be: it is on the move, or its node is
// gone.
func astray(err error) bool {
	return errors.Is(err, actors.ErrNoConnection) || errors.Is(err, actors.ErrTimeout) || errors.Is(err, actors.ErrNoProc)
}
