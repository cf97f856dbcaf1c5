package account

import (
	"fmt"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
)

func TestThrottle(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	var th throttle
	for n, want := range []time.Duration{0, 0, 0, firstWait, 2 * firstWait, 4 * firstWait, 8 * firstWait, 16 * firstWait, longestWait, longestWait} {
		if got := th.wait(now); got != want {
			t.Fatalf("after %d failures the wait is %v, want %v", n, got, want)
		}
		th.failed(now)
	}
	later := now.Add(throttleSpell + time.Second)
	if th.wait(later) != 0 {
		t.Fatal("the failures are not forgotten after a quiet spell")
	}
	th.failed(later)
	if th.failures != 1 {
		t.Fatalf("the count goes on at %d after a quiet spell", th.failures)
	}
	th.failed(later)
	th.failed(later)
	th.succeeded()
	if th.wait(later) != 0 {
		t.Fatal("a good login doesn't clear the failures")
	}
}

func TestThrottlesOfSleepers(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	all := newThrottles()
	for i := range 100_000 { // more names than there is room for
		user := ident.UserID(fmt.Sprint(i, "@example.org"))
		th := all.load(user)
		th.failed(now)
		all.save(user, th)
		if got := all.load(user); got != th || got.failures == 0 {
			t.Fatalf("%s: %+v, kept as %+v", user, th, got)
		}
	}
	if all.load("0@example.org").failures == 0 {
		t.Fatal("the first name is forgotten")
	}
}
