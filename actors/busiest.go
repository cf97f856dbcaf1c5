package actors

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Sampling: which actors are worth a look is known from every turn while there are few, else from one in up to sampleEvery, and from
// what is noted anyway when queues pass marks, actors are suspended or restarted and handlers run for long. Nothing walks over all actors.
const (
	sampleEvery = 64
	perTick     = 8   // samples of a worker within 10 ms, above which it takes fewer
	waitingLen  = 50  // actors of each run queue
	tallyLen    = 512 // actors that a tally tells apart
	recentLen   = 32
)

// Load is one actor that is worth a look.
type Load struct {
	Ref Ref
	// PerSecond is about how many messages it handles a second, of late; 0 if others do more.
	PerSecond float64
	// Restarts is how often it was restarted since the start; 0 if others were more often.
	Restarts int64
	// Queue is the longest that its queue was lately, or 0 if it passed no mark.
	Queue int
	// Stuck says that its handler runs for so long that its worker has been replaced.
	Stuck bool
}

// Handled is one of the latest turns of a worker: the actor, and the kind of the last message that it handled.
type Handled struct {
	Worker int
	Ref    Ref
	Kind   string
}

// tally counts by Ref for about tallyLen of them. When there are twice as many, those with the least are dropped, and whoever comes
// later begins where they stood: a count is never too low, and those with the most are there (as in lossy counting; Manku, Motwani).
type tally struct {
	n     map[Ref]int64
	floor int64
}

func (t *tally) add(ref Ref, n int64) {
	if have, known := t.n[ref]; known {
		t.n[ref] = have + n
		return
	}
	if t.n == nil {
		t.n = map[Ref]int64{}
	}
	if len(t.n) >= 2*tallyLen {
		counts := slices.Sorted(maps.Values(t.n))
		t.floor = counts[len(counts)-tallyLen]
		maps.DeleteFunc(t.n, func(_ Ref, n int64) bool { return n <= t.floor })
	}
	t.n[ref] = t.floor + n
}

// window is how long ago "of late" begins, in ticks: one to two windows.
const window = uint32(5 * time.Second / tick)

// lately says which of two windows a note belongs to: that which is under way, or the one before.
type lately struct{ since, before uint32 }

// turned begins another window if it is time for it; old says that what belongs to the one under way belongs to the one before now,
// gone that it is older than that.
func (l *lately) turned(clock uint32) (old, gone bool) {
	switch age := clock - l.since; {
	case age < window:
		return false, false
	case age < 2*window:
		l.before, l.since = age, clock
		return true, false
	}
	l.before, l.since = 0, clock
	return true, true
}

// span is how long both windows are by now, and no less than one: what is seen within a moment isn't a rate.
func (l *lately) span(clock uint32) time.Duration {
	return time.Duration(max(l.before+clock-l.since, window)) * tick
}

// samples are those of one run queue.
type samples struct {
	mu sync.Mutex
	lately
	handled tally
	older   tally // of the window before
	recent  [recentLen]Handled
	at      int

	every  int32 // one turn in so many is sampled
	tick   uint32
	inTick int // samples since tick began
}

// turn moves the window on.
func (sm *samples) turn(clock uint32) {
	if old, gone := sm.turned(clock); gone {
		sm.handled, sm.older = tally{}, tally{}
	} else if old {
		sm.handled, sm.older = tally{}, sm.handled
	}
}

// sample notes a turn, and returns how many turns to leave out.
func (s *stats) sample(index int, p *process, n int) (skip int32) {
	p.q.mu.Lock()
	kind := ""
	if p.last != nil {
		kind = p.last.String()
	}
	p.q.mu.Unlock()
	sm := &s.samples[index]
	sm.mu.Lock()
	defer sm.mu.Unlock()
	ref := p.ref()
	sm.turn(p.sys().clock.Load())
	sm.handled.add(ref, int64(n)*int64(max(sm.every, 1)))
	sm.recent[sm.at%recentLen] = Handled{index, ref, kind}
	sm.at++
	return sm.next(p.sys().clock.Load())
}

// next is how many turns to leave out: none while there is little to do, so that little is counted exactly, but for the first turns
// after a burst.
func (sm *samples) next(clock uint32) int32 {
	switch {
	case clock != sm.tick:
		sm.every >>= min((clock-sm.tick)/8, 6)
		sm.tick, sm.inTick = clock, 0
	case sm.inTick >= perTick:
		sm.every, sm.inTick = 2*sm.every, 0
	default:
		sm.inTick++
	}
	sm.every = min(max(sm.every, 1), sampleEvery)
	return rand.Int32N(2*sm.every - 1)
}

// Recent returns a sample of the latest turns, oldest first for each worker.
func (s *System) Recent() (all []Handled) {
	for i := range s.stats.samples {
		sm := &s.stats.samples[i]
		sm.mu.Lock()
		for k := max(sm.at-recentLen, 0); k < sm.at; k++ {
			all = append(all, sm.recent[k%recentLen])
		}
		sm.mu.Unlock()
	}
	return all
}

// Busiest returns the actors that are worth a look, some hundred: those that handle the most messages or had the longest queues in the
// last 5 to 10 s, were restarted most, are suspended, wait for a worker, or have handlers that don't return. They may have ended.
func (s *System) Busiest() []Load {
	loads := map[Ref]Load{}
	note := func(ref Ref, f func(*Load)) {
		l := loads[ref]
		l.Ref = ref
		f(&l)
		loads[ref] = l
	}
	for i := range s.stats.samples {
		sm := &s.stats.samples[i]
		sm.mu.Lock()
		clock := s.clock.Load()
		sm.turn(clock)
		for _, t := range []tally{sm.handled, sm.older} {
			for ref, n := range t.n {
				note(ref, func(l *Load) { l.PerSecond += float64(n) / sm.span(clock).Seconds() })
			}
		}
		sm.mu.Unlock()
	}
	st := &s.stats
	st.mu.Lock()
	for ref, n := range st.mu.restarted.n {
		note(ref, func(l *Load) { l.Restarts = n })
	}
	for _, m := range st.longestLocked(s.clock.Load()) {
		note(m.Ref, func(l *Load) { l.Queue = m.Len })
	}
	st.mu.Unlock()
	for _, ref := range s.pool.stuck() {
		note(ref, func(l *Load) { l.Stuck = true })
	}
	for _, refs := range [][]Ref{s.suspended.all(), s.alone.busy(), s.pool.waiting()} { // whose queues may be short and old
		for _, ref := range refs[:min(len(refs), tallyLen)] {
			note(ref, func(*Load) {})
		}
	}
	return slices.SortedFunc(maps.Values(loads), func(a, b Load) int {
		return cmp.Or(cmp.Compare(b.Queue, a.Queue), cmp.Compare(b.PerSecond, a.PerSecond), cmp.Compare(b.Restarts, a.Restarts),
			cmp.Compare(a.Ref.String(), b.Ref.String()))
	})
}

// stuck are the actors whose workers have been replaced.
func (p *pool) stuck() (refs []Ref) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for w := range p.away {
		if a := w.running.Load(); a != nil {
			refs = append(refs, a.ref())
		}
	}
	return refs
}

// waiting are actors that wait for a worker, some of each run queue.
func (p *pool) waiting() (refs []Ref) {
	for i := range p.queues {
		q := &p.queues[i]
		q.mu.Lock()
		for _, a := range q.q[q.head:min(len(q.q), q.head+waitingLen)] {
			refs = append(refs, a.ref())
		}
		q.mu.Unlock()
	}
	return refs
}

// refs is a small set of actors.
type refs struct {
	mu struct {
		sync.Mutex
		set map[Ref]bool
	}
}

func (r *refs) put(ref Ref, in bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !in {
		delete(r.mu.set, ref)
		return
	}
	if r.mu.set == nil {
		r.mu.set = map[Ref]bool{}
	}
	r.mu.set[ref] = true
}

func (r *refs) all() []Ref {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Keys(r.mu.set))
}
