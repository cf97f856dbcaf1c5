package link

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// envelopes are those with these numbers of an epoch.
func envelopes(epoch, from, to uint64) (list [][]byte) {
	for n := from; n <= to; n++ {
		list = append(list, fmt.Appendf(nil, "%d:%d", epoch, n))
	}
	return list
}

// drained delivers what is ready and returns it, a dash between the first and the last of those that follow each other.
func drained(r *receiver, now time.Duration) string {
	var parts []string
	for {
		x, ok := r.pop()
		if !ok {
			return strings.Join(parts, " ")
		}
		part := string(x.envelopes[0])
		if n := len(x.envelopes); n > 1 {
			part += "-" + string(x.envelopes[n-1])
		}
		parts = append(parts, part)
		r.delivered(now, x)
	}
}

func TestTake(t *testing.T) {
	type frame struct{ epoch, from, to uint64 }
	type counts = struct{ received, duplicates, stale, early, dropped uint64 }
	for _, c := range []struct {
		name   string
		frames []frame
		want   string
		ack    uint64
		count  counts
	}{
		{"in order", []frame{{1, 1, 3}, {1, 4, 4}}, "1:1-1:3 1:4", 4, counts{received: 4}},
		{"again", []frame{{1, 1, 3}, {1, 1, 3}, {1, 2, 2}}, "1:1-1:3", 3, counts{received: 3, duplicates: 4}},
		{"partly again", []frame{{1, 1, 3}, {1, 2, 5}}, "1:1-1:3 1:4-1:5", 5, counts{received: 5, duplicates: 2}},
		{"early", []frame{{1, 4, 5}, {1, 2, 3}, {1, 1, 1}}, "1:1 1:2-1:3 1:4-1:5", 5, counts{received: 5, early: 4}},
		{"early twice", []frame{{1, 4, 5}, {1, 4, 4}, {1, 4, 7}, {1, 1, 3}}, "1:1-1:3 1:4-1:7", 7, counts{received: 7, duplicates: 3, early: 7}},
		{"early and overlapping", []frame{{1, 3, 4}, {1, 4, 7}, {1, 1, 5}}, "1:1-1:5 1:6-1:7", 7, counts{received: 7, duplicates: 4, early: 6}},
		{"the gap stays", []frame{{1, 1, 1}, {1, 3, 9}}, "1:1", 1, counts{received: 1, early: 7}},
		{"beyond the credit", []frame{{1, 1, 60}, {1, 61, 70}, {1, 71, 80}}, "1:1-1:60 1:61-1:64", 64, counts{received: 64, dropped: 16}},
		{"a new epoch", []frame{{1, 1, 3}, {2, 1, 2}, {1, 4, 5}, {2, 3, 3}}, "1:1-1:3 2:1-2:2 2:3", 3, counts{received: 6, stale: 2}},
		{"a new epoch whose beginning is late", []frame{{1, 1, 3}, {1, 5, 6}, {3, 2, 2}, {1, 4, 4}, {3, 1, 1}}, "1:1-1:3 3:1 3:2", 2, counts{received: 5, stale: 1, early: 3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := Bounds{}.filled()
			r := newReceiver(&b)
			var parts []string
			for _, f := range c.frames {
				if err := r.take(0, f.epoch, f.from, envelopes(f.epoch, f.from, f.to)); err != nil {
					t.Fatal(err)
				}
				parts = append(parts, drained(&r, 0))
			}
			parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
			if got := strings.Join(parts, " "); got != c.want || r.done != c.ack || r.count != c.count {
				t.Errorf("delivered %s, want %s; up to %d, want %d; %+v, want %+v", got, c.want, r.done, c.ack, r.count, c.count)
			}
		})
	}
}

func TestTakeNonsense(t *testing.T) {
	b := Bounds{}.filled()
	r := newReceiver(&b)
	const most = 1<<64 - 1
	for _, f := range [][2]uint64{{0, 1}, {1, 0}, {1, most}, {1, most - 1}} {
		if err := r.take(0, f[0], f[1], envelopes(1, 1, 2)); err != errNonsense {
			t.Errorf("epoch %d, first %d: %v", f[0], f[1], err)
		}
	}
	if err := r.take(0, most, most-2, envelopes(1, 1, 2)); err != nil || drained(&r, 0) != "" || r.count.dropped != 2 {
		t.Errorf("%v, %+v", err, r)
	}
}

func TestTheOldEpochIsDeliveredFirst(t *testing.T) {
	b := Bounds{}.filled()
	r := newReceiver(&b)
	_ = r.take(0, 1, 1, envelopes(1, 1, 2))
	x, _ := r.pop() // is being delivered
	_ = r.take(0, 2, 1, envelopes(2, 1, 1))
	if r.epoch != 1 || r.count.dropped != 1 {
		t.Fatalf("%+v", r)
	}
	r.delivered(0, x)
	_ = r.take(0, 2, 1, envelopes(2, 1, 1))
	if got := drained(&r, 0); got != "2:1" || r.done != 1 {
		t.Error(got, r.done)
	}
	r.delivered(0, x)
	if r.done != 1 {
		t.Error("a run of an old epoch counts")
	}
}

func TestWhatIsHeldIsBounded(t *testing.T) {
	b := Bounds{WindowBytes: 1000}.filled()
	r := newReceiver(&b)
	_ = r.take(0, 1, 1, envelopes(1, 1, 1))
	drained(&r, 0)
	r.say(0)
	for n := uint64(1000); n > 800; n -= 2 {
		_ = r.take(0, 1, n, envelopes(1, n, n))
	}
	if len(r.held) != heldRuns || r.count.dropped != 100-heldRuns {
		t.Errorf("%d runs held, %d dropped", len(r.held), r.count.dropped)
	}
	r = newReceiver(&b)
	big := make([]byte, 600)
	for _, first := range []uint64{3, 5, 7} {
		_ = r.take(0, 1, first, [][]byte{big})
	}
	_ = r.take(0, 1, 3, [][]byte{big, big})
	if len(r.held) != 1 || r.heldBytes != 600 || r.count.dropped != 4 {
		t.Errorf("%d runs of %d bytes held, %d dropped", len(r.held), r.heldBytes, r.count.dropped)
	}
}

func TestWhenToAcknowledge(t *testing.T) {
	b := Bounds{Window: 100, WindowBytes: 1000, AckDelay: 20 * ms}.filled()
	r := newReceiver(&b)
	now, next := 500*ms, uint64(1)
	take := func(n uint64) {
		t.Helper()
		if err := r.take(now, 1, next, envelopes(1, next, next+n-1)); err != nil {
			t.Fatal(err)
		}
		next += n
		drained(&r, now)
	}
	due := func(want time.Duration) {
		t.Helper()
		if at, ok := r.deadline(); !ok || at != want {
			t.Errorf("due at %v, %v; want %v", at, ok, want)
		}
	}
	if _, ok := r.deadline(); ok {
		t.Error("due before anything came")
	}
	take(1)
	due(now + 20*ms)
	now += 5 * ms
	take(1)
	due(now + 15*ms) // the first one's time
	take(12)
	due(now) // half of what is usual is left of the credit
	if epoch, ack, credit := r.say(now); epoch != 1 || ack != 14 || credit != 114 {
		t.Error("said", epoch, ack, credit)
	}
	if _, ok := r.deadline(); ok {
		t.Error("due after it was said")
	}
	take(49)
	due(now + 20*ms)
	take(1)
	due(now)
	r.say(now)
	_ = r.take(now, 1, next, [][]byte{make([]byte, 499)})
	drained(&r, now)
	next++
	due(now + 20*ms)
	take(1)
	due(now) // half of the window's bytes
	r.say(now)
	for range 3 { // duplicates and gaps are answered at once, but not each
		_ = r.take(now, 1, 1, envelopes(1, 1, 1))
		_ = r.take(now, 1, next+5, envelopes(1, next+5, next+5))
		due(now + 20*ms)
	}
	r.say(now + 20*ms)
	now += time.Second
	_ = r.take(now, 1, 1, envelopes(1, 1, 1))
	due(now)
}

func TestPutBack(t *testing.T) {
	b := Bounds{}.filled()
	r := newReceiver(&b)
	_ = r.take(0, 1, 1, envelopes(1, 1, 4))
	_ = r.take(0, 1, 5, envelopes(1, 5, 5))
	x, _ := r.pop()
	r.delivered(0, run{1, 1, x.envelopes[:2]})
	r.putBack(run{1, 3, x.envelopes[2:]})
	if r.done != 2 {
		t.Error("done", r.done)
	}
	if got := drained(&r, 0); got != "1:3-1:4 1:5" || r.done != 5 {
		t.Error(got, r.done)
	}
}
