package pgstore

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// Marks are how a node finds out that a server has lost what it had acknowledged: see the package's comment. Each write that runs has
// a slot to itself, so that no write waits for another's row, and gives it the slot's next number.

// mark is the number that one write leaves in one slot.
type mark struct {
	slot  int
	seq   int64
	began time.Time // the write
}

// slots are the marks of one node in one database.
type slots struct {
	mu struct {
		sync.Mutex
		free  []int         // taken from the end
		next  int           // the first that was never used in this life
		seq   map[int]int64 // last given, by slot
		acked map[int]int64 // highest acknowledged, by slot
		last  time.Time     // when the latest write that was acknowledged in this life began
	}
}

// take returns a mark for one write. Whoever takes it gives it back.
func (s *slots) take() mark {
	s.mu.Lock()
	defer s.mu.Unlock()
	var slot int
	if n := len(s.mu.free); n > 0 {
		slot, s.mu.free = s.mu.free[n-1], s.mu.free[:n-1]
	} else {
		slot = s.mu.next
		s.mu.next++
	}
	if s.mu.seq == nil {
		s.mu.seq = map[int]int64{}
	}
	s.mu.seq[slot]++
	return mark{slot, s.mu.seq[slot], time.Now()}
}

// give ends the use of a mark. Whether the write was acknowledged decides whether the mark will be looked for. A slot whose write was
// abandoned isn't used again: the server may still be busy with it, and the next write would wait for that.
func (s *slots) give(m mark, acked, abandoned bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if acked {
		if s.mu.acked == nil {
			s.mu.acked = map[int]int64{}
		}
		s.mu.acked[m.slot] = max(s.mu.acked[m.slot], m.seq)
		if m.began.After(s.mu.last) {
			s.mu.last = m.began
		}
	}
	if !abandoned {
		s.mu.free = append(s.mu.free, m.slot)
	}
}

// rest returns how much of a time is left since the latest acknowledged write began; nothing if there was none in this life.
func (s *slots) rest(of time.Duration) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.last.IsZero() {
		return 0
	}
	return of - time.Since(s.mu.last)
}

// promised returns what was acknowledged so far.
func (s *slots) promised() map[int]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.mu.acked)
}

// remember adds what was acknowledged in an earlier life, and goes on behind what a server has.
func (s *slots) remember(promised, stored map[int]int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.seq == nil {
		s.mu.seq = map[int]int64{}
	}
	for _, m := range []map[int]int64{promised, stored} {
		for slot, seq := range m {
			s.mu.seq[slot] = max(s.mu.seq[slot], seq)
		}
	}
	if s.mu.acked == nil {
		s.mu.acked = map[int]int64{}
	}
	for slot, seq := range promised {
		s.mu.acked[slot] = max(s.mu.acked[slot], seq)
	}
}

// lacking returns the slots in which a server has less than was promised.
func lacking(promised, stored map[int]int64) []int {
	var out []int
	for slot, seq := range promised {
		if stored[slot] < seq {
			out = append(out, slot)
		}
	}
	slices.Sort(out)
	return out
}
