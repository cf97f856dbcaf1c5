package account

import "time"

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

// matters reports whether the count is worth keeping the account in memory for.
func (t *throttle) matters(now time.Time) bool { return t.wait(now) > 0 }
