package link

import (
	"errors"
	"math/rand/v2"
	"time"
)

// initialCredit is what a sender may send in a new epoch before it has heard of any credit.
const initialCredit = 64

// errNonsense means that a frame contradicts itself or what is known.
var errNonsense = errors.New("link: nonsense")

// sender is the sending half of a link in one epoch, a value: time in, frames out. Numbers run
//
//	base (not acknowledged) <= next (goes next) <= high (never sent) <= queue.end
//
// next is below high while what was sent is sent again. While level is above 0, nothing has been heard of base for so many
// pauses, and only probes go.
type sender struct {
	bounds           *Bounds
	epoch            uint64
	ended            bool
	queue            queue
	base, next, high uint64
	credit           uint64
	flying           int // bytes from base to below next
	level            int
	retryAt          time.Duration // when base is sent again, if it was sent
	movedAt          time.Duration // when base was sent first, or became what it is
	probedAt         time.Duration
	trip             trip
	random           rand.PCG
	refusal          string // what the peer said last instead of an acknowledgement
	count            struct{ sent, resent, frames, full, reservedFull uint64 }
}

func newSender(b *Bounds, epoch, seed uint64) sender {
	s := sender{bounds: b, epoch: epoch, base: 1, next: 1, high: 1, credit: initialCredit, random: *rand.NewPCG(seed, epoch)}
	s.queue.first, s.queue.end = 1, 1
	return s
}

// push queues an envelope.
func (s *sender) push(now time.Duration, envelope []byte, reserved bool) error {
	if s.ended {
		return ErrNoPeer
	}
	room, bytes := s.bounds.QueueLen, s.bounds.QueueBytes
	if reserved {
		room, bytes = 2*room, 2*bytes
	}
	if n := s.queue.len(); n >= room || n > 0 && s.queue.bytes+len(envelope) > bytes {
		s.count.full++
		if reserved {
			s.count.reservedFull++
		}
		return ErrFull
	}
	s.queue.push(now, envelope, s.bounds.FrameLen, s.bounds.FrameBytes)
	return nil
}

// cut returns what the next frame carries, and the number of its first; nothing if nothing may go.
func (s *sender) cut(now time.Duration) (first uint64, envelopes [][]byte) {
	if at, ok := s.deadline(); ok && now >= at {
		s.level++
		s.next, s.flying = s.base, 0
		s.trip.doubt()
		s.probedAt, s.retryAt = now, now+s.pause()
	}
	most := s.bounds.FrameLen
	if s.level > 0 && s.next > s.base {
		return 0, nil
	}
	if s.level > 1 {
		most = 1
	}
	end := min(s.queue.end, s.base+uint64(s.bounds.Window), s.credit+1)
	if s.next >= end {
		return 0, nil
	}
	envelopes = s.queue.run(s.next, int(min(uint64(most), end-s.next)))
	n := 0
	for _, e := range envelopes {
		if s.flying > 0 && s.flying+len(e) > s.bounds.WindowBytes {
			break
		}
		s.flying += len(e)
		n++
	}
	if n == 0 {
		return 0, nil
	}
	first = s.next
	s.sent(now, first+uint64(n))
	return first, envelopes[:n:n]
}

// sent notes that all from next to below end go to the carrier.
func (s *sender) sent(now time.Duration, end uint64) {
	s.count.frames++
	if s.next < s.high {
		s.count.resent += min(s.high, end) - s.next
	}
	if s.base == s.high {
		s.retryAt, s.movedAt = now+s.wait(), now
	}
	if end > s.high {
		s.count.sent += end - s.high
		s.high = end
		s.trip.begin(now, end-1)
	}
	s.next = end
}

// heard takes what a frame of the peer says of this direction, and reports whether something may go now. Every frame that
// comes, whatever it says, shows that there is a way: if base waits for long, it is tried at once.
func (s *sender) heard(now time.Duration, epoch, ack, credit uint64) (wake bool, err error) {
	if s.ended {
		return false, nil
	}
	progress := false
	if epoch == s.epoch {
		if ack >= s.high {
			return false, errNonsense
		}
		if ack >= s.base {
			progress = true
			s.acknowledged(now, ack)
		}
		// At least one may always go, so that the peer has something to answer.
		s.credit = max(s.credit, s.base, min(credit, ack+uint64(s.bounds.Window)))
	}
	if s.level > 0 {
		s.hurry(now)
		return true, nil
	}
	return progress && s.next < s.queue.end, nil
}

func (s *sender) acknowledged(now time.Duration, ack uint64) {
	bytes := s.queue.drop(ack+1, s.bounds.FrameBytes)
	s.base = ack + 1
	if s.next < s.base {
		s.next, s.flying = s.base, 0
	} else {
		s.flying -= bytes
	}
	s.level, s.refusal = 0, ""
	s.trip.end(now, ack)
	s.retryAt, s.movedAt = now+s.wait(), now
}

// hurry makes a sender that waits for long try soon: there is a way, it seems.
func (s *sender) hurry(now time.Duration) {
	if s.level > 0 {
		s.retryAt = min(s.retryAt, max(now, s.probedAt+s.bounds.Resend))
	}
}

// stuck returns since when nothing has been acknowledged of what was sent; never: nothing waits for that.
func (s *sender) stuck() time.Duration {
	if s.ended || s.high == s.base {
		return never
	}
	return s.movedAt
}

// nudge makes a sender that waits for long try at once.
func (s *sender) nudge(now time.Duration) {
	if s.level > 0 {
		s.retryAt = min(s.retryAt, now)
	}
}

// deadline returns when cut has something to do though nothing happens.
func (s *sender) deadline() (at time.Duration, ok bool) {
	return s.retryAt, s.high > s.base && !s.ended
}

// wait is how long an acknowledgement may take.
func (s *sender) wait() time.Duration { return s.doubled(s.trip.doubts) }

// pause is the time until the next probe.
func (s *sender) pause() time.Duration {
	d := s.doubled(max(s.level, s.trip.doubts))
	return d - time.Duration(s.random.Uint64()%uint64(d/4+1))
}

// doubled is what an acknowledgement takes at most, doubled some times.
func (s *sender) doubled(times int) time.Duration {
	d := max(s.bounds.Resend, s.trip.usual())
	for ; times > 0 && d < s.bounds.ResendMax; times-- {
		d *= 2
	}
	return min(d, s.bounds.ResendMax)
}

// giveUp ends the sender and returns all that is not acknowledged, in order.
func (s *sender) giveUp() [][]byte {
	s.ended = true
	s.base, s.next, s.high, s.flying = s.queue.end, s.queue.end, s.queue.end, 0
	return s.queue.all()
}

// maxDoubts is how often the wait is doubled while no way to the peer and back is known to be shorter.
const maxDoubts = 2

// trip estimates how long the way to the peer and back takes, as RFC 6298 has it, from frames that were sent once only. What
// was sent again says nothing of it, but that the wait may have been too short: it stays longer until there is a measure.
type trip struct {
	doubts      int
	timed       bool
	seq         uint64
	at          time.Duration
	mean, drift time.Duration
}

func (t *trip) begin(now time.Duration, seq uint64) {
	if !t.timed {
		t.timed, t.seq, t.at = true, seq, now
	}
}

func (t *trip) doubt() {
	t.timed = false
	t.doubts = min(t.doubts+1, maxDoubts)
}

func (t *trip) end(now time.Duration, ack uint64) {
	if !t.timed || ack < t.seq {
		return
	}
	t.timed, t.doubts = false, 0
	took := now - t.at
	if t.mean == 0 {
		t.mean, t.drift = took, took/2
		return
	}
	t.drift += ((t.mean - took).Abs() - t.drift) / 4
	t.mean += (took - t.mean) / 8
}

// usual is what an acknowledgement hardly ever exceeds, 0 if nothing is known.
func (t *trip) usual() time.Duration { return t.mean + 4*t.drift }
