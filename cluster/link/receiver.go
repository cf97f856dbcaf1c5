package link

import (
	"slices"
	"time"
)

// heldRuns is how many frames a receiver keeps that came before their turn.
const heldRuns = 64

// run is a part of what a peer sent, in order.
type run struct {
	epoch, first uint64
	envelopes    [][]byte
}

// end is one above the last number.
func (r run) end() uint64 { return r.first + uint64(len(r.envelopes)) }

// receiver is the receiving half of a link with one incarnation of a peer, a value: frames and time in, runs out. done are
// delivered, taken are those and what lies in ready.
type receiver struct {
	bounds      *Bounds
	epoch       uint64 // of the peer, 0: nothing has come
	taken, done uint64
	granted     uint64 // the credit that the peer may know of
	unsaid      int    // bytes delivered since the last acknowledgement
	ready       []run  // to be delivered
	held        []run  // after a gap, by number, no two beginning with the same
	heldBytes   int
	due         bool // an acknowledgement, at dueAt
	dueAt       time.Duration
	news        bool // dueAt is one that the goroutine doesn't know of
	saidAt      time.Duration
	refusal     string // goes instead of the next acknowledgement
	count       struct{ received, duplicates, stale, early, dropped uint64 }
}

func newReceiver(b *Bounds) receiver {
	return receiver{bounds: b, granted: initialCredit, saidAt: -b.AckDelay}
}

// take takes a frame's envelopes. What can be delivered is in ready afterwards.
func (r *receiver) take(now time.Duration, epoch, first uint64, envelopes [][]byte) error {
	x := run{epoch, first, envelopes}
	if epoch == 0 || first == 0 || x.end() < first {
		return errNonsense
	}
	n := uint64(len(envelopes))
	switch {
	case epoch < r.epoch:
		r.count.stale += n
		return nil
	case epoch > r.epoch && r.taken > r.done:
		r.count.dropped += n // it comes again when the old epoch's are delivered: ready stays bounded
		return nil
	case epoch > r.epoch:
		r.begin(epoch)
	}
	if over := x.end() - 1; over > r.granted {
		keep := min(n, r.granted-min(r.granted, first-1))
		r.count.dropped += n - keep
		x.envelopes = x.envelopes[:keep]
	}
	if x.end() <= r.taken+1 { // nothing new: the peer doesn't know how far we are
		r.count.duplicates += uint64(len(x.envelopes))
		r.soon(now)
		return nil
	}
	if x.first > r.taken+1 {
		r.hold(x)
		r.soon(now)
		return nil
	}
	r.accept(x)
	for len(r.held) > 0 && r.held[0].first <= r.taken+1 {
		h := r.held[0]
		r.held = slices.Delete(r.held, 0, 1)
		r.heldBytes -= size(h.envelopes)
		r.accept(h)
	}
	return nil
}

func (r *receiver) begin(epoch uint64) {
	r.epoch, r.taken, r.done, r.granted, r.unsaid = epoch, 0, 0, initialCredit, 0
	r.held, r.heldBytes = nil, 0
}

// accept adds what is new in a run that begins at the latest with what is missing.
func (r *receiver) accept(x run) {
	old := min(r.taken+1-x.first, uint64(len(x.envelopes)))
	r.count.duplicates += old
	x.first += old
	x.envelopes = x.envelopes[old:]
	if len(x.envelopes) == 0 {
		return
	}
	r.count.received += uint64(len(x.envelopes))
	r.taken = x.end() - 1
	r.ready = append(r.ready, x)
}

// hold keeps a run for later, if there is room.
func (r *receiver) hold(x run) {
	n := uint64(len(x.envelopes))
	r.count.early += n
	i, found := slices.BinarySearchFunc(r.held, x.first, func(h run, first uint64) int {
		if h.first < first {
			return -1
		}
		return int(min(h.first-first, 1))
	})
	bytes := size(x.envelopes)
	switch {
	case found && len(r.held[i].envelopes) >= len(x.envelopes):
		r.count.duplicates += n
	case found && r.heldBytes-size(r.held[i].envelopes)+bytes <= r.bounds.WindowBytes:
		r.heldBytes += bytes - size(r.held[i].envelopes)
		r.count.duplicates += uint64(len(r.held[i].envelopes))
		r.held[i] = x
	case found || len(r.held) >= heldRuns || r.heldBytes+bytes > r.bounds.WindowBytes:
		r.count.dropped += n
	default:
		r.heldBytes += bytes
		r.held = slices.Insert(r.held, i, x)
	}
}

func size(envelopes [][]byte) (n int) {
	for _, e := range envelopes {
		n += len(e)
	}
	return n
}

// pop returns the next run to be delivered.
func (r *receiver) pop() (x run, ok bool) {
	if len(r.ready) == 0 {
		return run{}, false
	}
	x = r.ready[0]
	r.ready = slices.Delete(r.ready, 0, 1)
	return x, true
}

// putBack makes a run the next to be delivered again.
func (r *receiver) putBack(x run) { r.ready = slices.Insert(r.ready, 0, x) }

// delivered notes that a run has been.
func (r *receiver) delivered(now time.Duration, x run) {
	if x.epoch != r.epoch {
		return
	}
	r.done = x.end() - 1
	r.unsaid += size(x.envelopes)
	switch {
	case r.granted-r.done <= uint64(r.bounds.Window/2) || r.unsaid >= r.bounds.WindowBytes/2:
		r.dueBy(now)
	default:
		r.dueBy(now + r.bounds.AckDelay)
	}
}

// soon asks for an acknowledgement at once, but not more often than each AckDelay.
func (r *receiver) soon(now time.Duration) { r.dueBy(max(now, r.saidAt+r.bounds.AckDelay)) }

func (r *receiver) dueBy(at time.Duration) {
	if !r.due || at < r.dueAt {
		r.due, r.dueAt, r.news = true, at, true
	}
}

// deadline returns when an acknowledgement goes alone.
func (r *receiver) deadline() (at time.Duration, ok bool) { return r.dueAt, r.due }

// say returns what the next frame says of this direction.
func (r *receiver) say(now time.Duration) (epoch, ack, credit uint64) {
	r.due, r.saidAt, r.unsaid = false, now, 0
	r.granted = max(r.granted, r.done+uint64(r.bounds.Window))
	return r.epoch, r.done, r.granted
}
