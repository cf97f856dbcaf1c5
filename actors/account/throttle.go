package account

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
)

// A wrong password costs nothing the first few times, then each further one holds the answer back twice as long. The
// count is forgotten after a good login or a quiet spell. It is kept by name, known or unknown, so that the answers for
// both are the same.
const (
	freeFailures  = 3
	firstWait     = 500 * time.Millisecond
	longestWait   = 16 * time.Second
	throttleSpell = 10 * time.Minute
)

// throttle slows the guessing of one account's password.
type throttle struct {
	failures int
	last     time.Time
}

// result takes how a login ended.
func (t *throttle) result(ok bool, now time.Time) {
	if ok {
		t.succeeded()
	} else {
		t.failed(now)
	}
}

// failed counts a wrong password.
func (t *throttle) failed(now time.Time) {
	if now.Sub(t.last) > throttleSpell {
		t.failures = 0
	}
	t.failures++
	t.last = now
}

// succeeded forgets the failures before a good login.
func (t *throttle) succeeded() { *t = throttle{} }

// wait is how long the next refusal is held back.
func (t *throttle) wait(now time.Time) time.Duration {
	over := t.failures - freeFailures
	if over < 0 || now.Sub(t.last) > throttleSpell {
		return 0
	}
	d := firstWait
	for range over {
		if d *= 2; d >= longestWait {
			return longestWait
		}
	}
	return d
}

// throttles remembers the throttles of all names in a room of fixed size, while their accounts sleep: a made-up name must cost no
// more than a real one, and a million of them no more than one. Names that fall on one place share its count; what that
// costs them is a later answer to a wrong password. Safe for concurrent use.
type throttles struct {
	seed  maphash.Seed
	mu    sync.Mutex
	slots [1 << 15]throttle
}

func newThrottles() *throttles { return &throttles{seed: maphash.MakeSeed()} }

func (t *throttles) slot(user ident.UserID) *throttle {
	return &t.slots[maphash.String(t.seed, string(user))%uint64(len(t.slots))]
}

func (t *throttles) load(user ident.UserID) throttle {
	t.mu.Lock()
	defer t.mu.Unlock()
	return *t.slot(user)
}

func (t *throttles) save(user ident.UserID, v throttle) {
	t.mu.Lock()
	defer t.mu.Unlock()
	*t.slot(user) = v
}
