package supervision

import (
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
)

// effect is something that a supervisor's actor does for its state.
type effect any

// The effects.
type (
	// spawn makes an actor; again makes a crashed one live again.
	spawn struct{ life *link }
	again struct{ life *link }
	// tell tells an actor to stop; by is for supervisors in haste.
	tell struct {
		life *link
		by   time.Time
	}
	// kill ends an actor from outside; abandoned ones didn't stop in time.
	kill struct {
		life      *link
		abandoned bool
	}
	// reap ends what a supervisor that has ended has left below it.
	reap struct{ life *link }
	// forget says that an actor has ended and is no matter of the supervisor any more.
	forget struct{ life *link }
	// timer is the time in which an actor has to stop; alarm is a delay before a restart.
	timer struct {
		d    time.Duration
		life *link
	}
	alarm struct {
		d    time.Duration
		wait *pause
	}
	// answer answers a request.
	answer struct {
		from actors.From
		v    any
		err  error
	}
	// announce says that all children have been started; finish ends the supervisor.
	announce struct{}
	finish   struct{ reason actors.Reason }
)

// event is what a report is about.
type event uint8

const (
	childCrashed event = iota
	startError
	leftBehind
	shutdownError
	tooMany
)

// report is an entry of the log.
type report struct {
	what     event
	k        *kid
	life     *link
	reason   actors.Reason
	restarts int
	again    bool
	delay    time.Duration
}
