package link

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestQueueIsAList: whatever is pushed and dropped, runs are parts of the list of what is left, within a frame's bounds, and what
// was handed out doesn't change.
func TestQueueIsAList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const frameLen, frameBytes = 20, 100
		q := queue{first: 1, end: 1}
		type item struct {
			envelope []byte
			at       time.Duration
		}
		var list []item
		type out struct{ run, copied [][]byte }
		var given []out
		first, now := uint64(1), time.Duration(0)
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			now++
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0, 1:
				e := make([]byte, rapid.SampledFrom([]int{1, 9, 60, 150}).Draw(t, "size"))
				q.push(now, e, frameLen, frameBytes)
				list = append(list, item{e, now})
			case 2:
				n := rapid.IntRange(0, len(list)).Draw(t, "dropped")
				want := 0
				for _, x := range list[:n] {
					want += len(x.envelope)
				}
				list, first = list[n:], first+uint64(n)
				if got := q.drop(first, frameBytes); got != want {
					t.Fatalf("dropped %d bytes, want %d", got, want)
				}
			case 3:
				if len(list) == 0 {
					continue
				}
				i := rapid.IntRange(0, len(list)-1).Draw(t, "from")
				n := rapid.IntRange(1, 30).Draw(t, "most")
				run := q.run(first+uint64(i), n)
				if len(run) == 0 || len(run) > min(n, frameLen) || len(run) > 1 && size(run) > frameBytes {
					t.Fatalf("a run of %d envelopes, %d bytes", len(run), size(run))
				}
				for j, e := range run {
					if !same(e, list[i+j].envelope) {
						t.Fatal("another envelope")
					}
				}
				given = append(given, out{run, slices.Clone(run)})
			}
			if q.len() != len(list) || q.first != first || q.end != first+uint64(len(list)) {
				t.Fatalf("[%d, %d), want %d from %d on", q.first, q.end, len(list), first)
			}
			if at, ok := q.oldest(); ok != (len(list) > 0) || ok && at != list[0].at {
				t.Fatalf("oldest %v, %v", at, ok)
			}
			if waste := len(q.chunks); waste > len(list)+1 {
				t.Fatalf("%d chunks for %d envelopes", waste, len(list))
			}
		}
		for _, g := range given {
			if !slices.EqualFunc(g.run, g.copied, same) {
				t.Fatal("a run changed after it was handed out")
			}
		}
		rest := q.all()
		if !slices.EqualFunc(rest, list, func(e []byte, x item) bool { return same(e, x.envelope) }) || q.len() != 0 || q.bytes != 0 {
			t.Fatal("not all, or not in order")
		}
		if q.run(first, 1) != nil {
			t.Fatal("an empty queue has a run")
		}
	})
}

// same reports whether two envelopes are one.
func same(a, b []byte) bool {
	return len(a) == len(b) && &a[0] == &b[0]
}
