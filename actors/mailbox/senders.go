package mailbox

import (
	"slices"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// senderTime is how long a sender is remembered after its last message.
const senderTime = 60 * time.Second

// sender is what is known of one actor that sends messages: the receiver's half of the protocol of Outbox.
type sender struct {
	// last is the number of the newest message that was taken or finally refused.
	last uint64
	// open are the numbers, ascending, of those that wait for the lane.
	open []uint64
	// refused are the final refusals of numbers that the sender still asks about.
	refused []refusal
	seen    time.Time
}

type refusal struct {
	seq  uint64
	code nodepb.Code
}

// arrival is what a number means.
type arrival uint8

const (
	next    arrival = iota // it is the one that is due
	early                  // an earlier one is missing
	settled                // it has its outcome
	waiting                // it has come already and waits
)

// arrive looks at a message's number; code is the outcome of a settled one.
func (s *sender) arrive(seq, base uint64) (a arrival, code nodepb.Code) {
	s.refused = slices.DeleteFunc(s.refused, func(r refusal) bool { return r.seq < base })
	switch {
	case seq == max(s.last+1, base):
		return next, 0
	case seq > s.last:
		return early, 0
	}
	if _, open := slices.BinarySearch(s.open, seq); open {
		return waiting, 0
	}
	for _, r := range s.refused {
		if r.seq == seq {
			return settled, r.code
		}
	}
	return settled, nodepb.Code_OK
}

// take notes that the message that was due is taken and waits for its outcome.
func (s *sender) take(seq uint64) {
	s.last = seq
	s.open = append(s.open, seq)
}

// settle notes the final outcome of a message that was due, or waited.
func (s *sender) settle(seq uint64, code nodepb.Code) {
	s.last = max(s.last, seq)
	if i, open := slices.BinarySearch(s.open, seq); open {
		s.open = slices.Delete(s.open, i, i+1)
	}
	if code != nodepb.Code_OK {
		s.refused = append(s.refused, refusal{seq, code})
	}
}

// senders are the senders of a mailbox.
type senders struct {
	m map[actors.Ref]*sender
	// limit is at how many they are looked through for old ones.
	limit int
}

const minSenders = 16

// get returns what is known of a sender, new or old.
func (ss *senders) get(ref actors.Ref, now time.Time) *sender {
	s := ss.m[ref]
	if s == nil {
		if ss.m == nil {
			ss.m = map[actors.Ref]*sender{}
		}
		if len(ss.m) >= max(ss.limit, minSenders) {
			ss.sweep(now)
			ss.limit = 2 * len(ss.m)
		}
		s = &sender{}
		ss.m[ref] = s
	}
	s.seen = now
	return s
}

// sweep forgets who has been silent for long and waits for nothing.
func (ss *senders) sweep(now time.Time) {
	for ref, s := range ss.m {
		if len(s.open) == 0 && now.Sub(s.seen) >= senderTime {
			delete(ss.m, ref)
		}
	}
	if len(ss.m) == 0 {
		ss.m = nil
	}
}
