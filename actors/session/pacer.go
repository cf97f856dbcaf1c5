package session

import (
	"sync"
	"time"
)

// A PLAIN login costs the server about a millisecond of CPU. All sessions of a node together may spend a quarter of each
// core on them; a burst is taken at once, what comes on top waits its turn, and what would wait too long is refused.
const (
	plainInterval = 4 * time.Millisecond // per core
	plainBurst    = time.Second / 2      // worth of intervals
	plainPatience = 10 * time.Second
)

// pacer spreads work of all sessions over time. Safe for concurrent use.
type pacer struct {
	interval time.Duration
	mu       struct {
		sync.Mutex
		next time.Time // the first turn that isn't taken
	}
}

// turn takes the next turn and returns when it is; false if that is too far away.
func (p *pacer) turn(now time.Time) (time.Time, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if earliest := now.Add(-plainBurst); p.mu.next.Before(earliest) {
		p.mu.next = earliest
	}
	at := p.mu.next
	if at.Sub(now) > plainPatience {
		return time.Time{}, false
	}
	p.mu.next = at.Add(p.interval)
	return at, true
}
