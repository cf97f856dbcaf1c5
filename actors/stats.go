package actors

import (
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/telemetry"
)

// markLow is the shortest queue worth noting; marks are at powers of two from there. One of markHigh is worth a line in the log.
const (
	markLow  = 16
	markHigh = 4096
)

const markBuckets = 20

// stats counts for the whole system. Nothing here walks over all actors: queues report as they pass marks.
type stats struct {
	overloads, restarts, lateReplies, stuck atomic.Int64
	marks                                   [markBuckets]atomic.Int64
	samples                                 []samples // one for each run queue

	mu struct {
		sync.Mutex
		dead      map[string]int64
		window    lately
		top       []QueueMark
		olderTop  []QueueMark // of the window before
		told      uint32      // when the log was told of a long queue
		restarted tally
	}
}

// kindCounter counts for one kind. Messages are counted per run queue, and once a turn, so that workers don't share a word.
type kindCounter struct {
	live    atomic.Int64
	handled []padded // the last one is that of goroutines of their own
}

type padded struct {
	atomic.Int64
	_ [56]byte
}

// add books a turn of n messages.
func (c *kindCounter) add(t *turn, n int) {
	i := len(c.handled) - 1
	if t.w != nil {
		i = t.w.index
	}
	t.n = n
	c.handled[i].Add(int64(n))
}

func (c *kindCounter) sum() (n int64) {
	for i := range c.handled {
		n += c.handled[i].Load()
	}
	return n
}

func (s *stats) restarted(ref Ref) {
	s.restarts.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.restarted.add(ref, 1)
}

// QueueMark is one queue that passed a mark.
type QueueMark struct {
	Ref Ref
	Len int
}

// Snapshot is what a System has done so far.
type Snapshot struct {
	// Live and Handled are actors alive and messages handled, by kind.
	Live, Handled map[string]int64
	// DeadLetters are messages that nobody handled, by kind of the addressee.
	DeadLetters map[string]int64
	// Overloads are casts refused for a full queue, Restarts crashed actors started anew, LateReplies answers after the
	// deadline, Stuck handlers that ran so long that their worker was replaced, Spares such workers now.
	Overloads, Restarts, LateReplies, Stuck, Spares int64
	// Workers are those that run turns, and Runnable is about how many actors wait for one.
	Workers, Runnable int64
	// Marks counts how often a queue grew to 2^i messages.
	Marks map[int]int64
	// Top are the longest queues seen in the last 5 to 10 s, longest first.
	Top []QueueMark
}

func (s *stats) deadLetter(kind string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.dead == nil {
		s.mu.dead = map[string]int64{}
	}
	s.mu.dead[kind]++
}

// marked notes that a queue has grown to n, a power of two, with msg. Of those that are long it tells in the log, of one a second.
func (s *System) marked(p *process, n int, msg any) {
	ref := p.ref()
	if s.stats.mark(ref, n, s.clock.Load()) {
		s.log.Warn("a queue is long", refField(ref), zap.Int(telemetry.KeyQueue, n), zap.String(telemetry.KeyMessage, kindOfMessage(msg)))
	}
}

// mark notes it, and reports whether it is worth a line.
func (s *stats) mark(ref Ref, n int, clock uint32) bool {
	s.marks[min(bits.Len(uint(n))-1, markBuckets-1)].Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turnLocked(clock)
	s.mu.top = longestOf(s.mu.top, QueueMark{ref, n})
	if n < markHigh || s.mu.told != 0 && clock-s.mu.told < uint32(time.Second/tick) {
		return false
	}
	s.mu.told = max(clock, 1)
	return true
}

func (s *stats) turnLocked(clock uint32) {
	if old, gone := s.mu.window.turned(clock); gone {
		s.mu.top, s.mu.olderTop = nil, nil
	} else if old {
		s.mu.top, s.mu.olderTop = nil, s.mu.top
	}
}

// longestLocked are the longest queues of late.
func (s *stats) longestLocked(clock uint32) []QueueMark {
	s.turnLocked(clock)
	return longestOf(slices.Clone(s.mu.top), s.mu.olderTop...)
}

// topLen is how many long queues are remembered.
const topLen = 10

// longestOf adds to a list of long queues.
func longestOf(top []QueueMark, more ...QueueMark) []QueueMark {
	for _, m := range more {
		if i := slices.IndexFunc(top, func(x QueueMark) bool { return x.Ref == m.Ref }); i >= 0 {
			top[i].Len = max(top[i].Len, m.Len)
		} else {
			top = append(top, m)
		}
	}
	slices.SortStableFunc(top, func(a, b QueueMark) int { return b.Len - a.Len })
	return top[:min(len(top), topLen)]
}

// Snapshot returns the counters. Taking it costs no actor anything.
func (s *System) Snapshot() Snapshot {
	st := &s.stats
	snap := Snapshot{
		Live: map[string]int64{}, Handled: map[string]int64{}, DeadLetters: map[string]int64{}, Marks: map[int]int64{},
		Overloads: st.overloads.Load(), Restarts: st.restarts.Load(), LateReplies: st.lateReplies.Load(),
		Stuck: st.stuck.Load(), Spares: int64(s.pool.spares.Load()),
		Workers: int64(s.cfg.Workers), Runnable: int64(s.pool.runnable()),
	}
	s.mu.RLock()
	for _, k := range s.mu.kinds {
		name := k.spec.Kind
		snap.Live[name], snap.Handled[name] = k.counter.live.Load(), k.counter.sum()
	}
	s.mu.RUnlock()
	for i := range st.marks {
		if n := st.marks[i].Load(); n > 0 {
			snap.Marks[1<<i] = n
		}
	}
	st.mu.Lock()
	for k, n := range st.mu.dead {
		snap.DeadLetters[k] = n
	}
	snap.Top = st.longestLocked(s.clock.Load())
	st.mu.Unlock()
	return snap
}

func refField(r Ref) zap.Field             { return zap.Stringer(telemetry.KeyActor, r) }
func anyField(key string, v any) zap.Field { return zap.Any(key, v) }
