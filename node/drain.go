package node

import (
	"errors"
	"fmt"
	"time"
)

const (
	// drainSteps is in how many batches a node's share leaves. The last is what is left when it gives up its place.
	drainSteps = 4
	// drainPause is the least time between two batches; drainStep and drainLeave are how long one and the last are waited for.
	drainPause = 300 * time.Millisecond
	drainStep  = 10 * time.Second
	drainLeave = 30 * time.Second
	// returnWait is how long a node waits for its share before it lets clients in again.
	returnWait = 10 * time.Second
	// openPause is the time between two attempts to do so.
	openPause = time.Second
	// DefaultDrainOver is the time over which clients are sent away, for who doesn't say.
	DefaultDrainOver = 30 * time.Second
	// DefaultDrainTime is how long all of a drain may take.
	DefaultDrainTime = 5 * time.Minute
)

// errAlone refuses to empty a node.
var errAlone = errors.New("no other node could take this one's share of the users")

// drainPhase is how far a drain is.
type drainPhase string

const (
	undrained  drainPhase = "none"
	lightening drainPhase = "lightening" // the weight goes down in steps
	leaving    drainPhase = "leaving"    // what is left moves
	sending    drainPhase = "clients"    // clients are sent away
	drained    drainPhase = "drained"
	overdue    drainPhase = "overdue" // it took too long, and stays as it is
	failed     drainPhase = "failed"  // the node has its share again
	returning  drainPhase = "returning"
	outcast    drainPhase = "shut out" // no node of the cluster takes this one any more
)

// underWay reports whether something is still to come by itself.
func (p drainPhase) underWay() bool {
	return p == lightening || p == leaving || p == sending || p == returning
}

// away reports whether the node takes no clients, or is about to take none.
func (p drainPhase) away() bool { return p != undrained && p != failed }

// drainFacts is what a drain sees of its node.
type drainFacts struct {
	others  bool // another node could take the share
	settled bool // this node acts upon a view with the weight and state asked for last
	mine    int  // partitions whose actors may run here
	leaving int  // partitions of which actors are still here, but leave
	waiting int  // partitions on their way here
	sending bool // clients are being sent away
	sent    bool // that has come to its end
	sendErr error
	closed  bool // the gateway takes no clients
	clients int  // are here
}

// drainEffect is something to be done to the node, in this order.
type drainEffect struct {
	weight uint32 // 0: leave it
	leave  bool   // give up the place among those that own partitions
	back   bool   // take it again
	send   bool   // begin to send clients away
	keep   bool   // end that
	open   bool   // take clients again
}

// drainState is a node that is being emptied, or filled again: pure, the time and facts in, effects out.
type drainState struct {
	phase    drainPhase
	reason   string
	usual    uint32 // weight
	weight   uint32
	step     int
	over     time.Duration // for the clients
	began    time.Time
	since    time.Time // when this phase, or its step, began
	deadline time.Time
	ended    time.Time
	opened   time.Time // when that was tried last
}

// begin starts to empty the node. One that is being emptied, or is empty, stays as it is.
func (s *drainState) begin(now time.Time, over, timeout time.Duration, f drainFacts) ([]drainEffect, error) {
	switch s.phase {
	case lightening, leaving, sending, drained:
		return nil, nil
	case outcast:
		return nil, errors.New(s.reason)
	}
	if !f.others {
		return nil, errAlone
	}
	s.began, s.deadline, s.ended, s.over, s.reason = now, now.Add(timeout), time.Time{}, over, ""
	if s.phase == overdue { // it has no share worth batches
		return s.leave(now), nil
	}
	s.step, s.weight = 0, s.usual
	return s.lighten(now), nil
}

// again goes on where the node's parts have been started anew and know nothing of a drain.
func (s *drainState) again(now time.Time) []drainEffect {
	if !s.phase.away() {
		return nil
	}
	switch s.phase {
	case returning:
		s.phase = undrained
		return nil
	case outcast:
		return []drainEffect{{leave: true, send: true}}
	}
	if now.After(s.deadline) {
		s.deadline = now.Add(s.over + drainLeave)
	}
	return s.leave(now)
}

// lighten takes the next step.
func (s *drainState) lighten(now time.Time) []drainEffect {
	s.step++
	if s.step >= drainSteps {
		return s.leave(now)
	}
	s.phase, s.since = lightening, now
	s.weight = max(uint32(uint64(s.usual)*uint64(drainSteps-s.step)/drainSteps), 1)
	return []drainEffect{{weight: s.weight}}
}

func (s *drainState) leave(now time.Time) []drainEffect {
	s.phase, s.since, s.step = leaving, now, drainSteps
	return []drainEffect{{leave: true}}
}

// look goes on, if the node is as far.
func (s *drainState) look(now time.Time, f drainFacts) []drainEffect {
	late := now.Sub(s.since)
	switch s.phase {
	case lightening, leaving, sending:
		switch {
		case !f.others:
			return s.give(now, "no other node takes this one's share any more, so it has it again")
		case now.After(s.deadline):
			s.phase, s.ended = overdue, now
			s.reason = fmt.Sprintf("it took too long: %d partitions and %d clients are still here", f.mine+f.leaving, f.clients)
			return []drainEffect{{keep: true}}
		}
	case returning:
		return s.back(now, f, late)
	default:
		return nil
	}
	switch s.phase {
	case lightening:
		if f.settled && f.leaving == 0 && late >= drainPause || late >= drainStep {
			return s.lighten(now)
		}
	case leaving:
		if f.settled && f.mine == 0 && f.leaving == 0 || late >= drainLeave {
			s.phase, s.since = sending, now
			return []drainEffect{{send: true}}
		}
	case sending:
		switch {
		case !f.sent:
		case f.sendErr != nil:
			s.phase, s.ended, s.reason = overdue, now, f.sendErr.Error()
		case f.mine == 0 && f.leaving == 0:
			s.phase, s.ended = drained, now
		}
	}
	return nil
}

// give ends a drain that can't go on.
func (s *drainState) give(now time.Time, reason string) []drainEffect {
	effects := s.undrain(now)
	s.reason = reason
	return effects
}

// undrain makes the node take its share and clients again.
func (s *drainState) undrain(now time.Time) []drainEffect {
	switch s.phase {
	case undrained, returning, failed, outcast:
		return nil
	}
	s.phase, s.since, s.began, s.ended, s.reason = returning, now, now, time.Time{}, ""
	s.weight, s.step = s.usual, 0
	return []drainEffect{{keep: true}, {weight: s.usual, back: true}}
}

// back waits for the share, and then lets clients in.
func (s *drainState) back(now time.Time, f drainFacts, late time.Duration) []drainEffect {
	switch {
	case f.sending:
	case (!f.settled || f.mine == 0 || f.waiting > 0) && late < returnWait:
	case f.closed:
		if now.Sub(s.opened) >= openPause {
			s.opened = now
			return []drainEffect{{open: true}}
		}
	default:
		s.phase, s.ended = undrained, now
		if s.reason != "" {
			s.phase = failed
		}
	}
	return nil
}
