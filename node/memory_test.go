package node

import "testing"

func TestTrimAfterABurst(t *testing.T) {
	const mb = 1 << 20
	var s trim
	for i, step := range []struct {
		allocated uint64 // since the step before
		due       bool
	}{
		{40 * mb, false}, // the start is busy
		{100 * mb, false},
		{1 * mb, true}, // quiet after a burst
		{1 * mb, false},
		{0, false},
		{3 * mb, false}, // always a little, until it is worth it
		{3 * mb, false},
		{3 * mb, false},
		{3 * mb, false},
		{3 * mb, true},
		{200 * mb, false}, // busy: the collector runs by itself
		{200 * mb, false},
		{0, true},
		{0, false},
	} {
		if got := s.due(s.seen + step.allocated); got != step.due {
			t.Fatalf("step %d: due %v, want %v", i, got, step.due)
		}
	}
}
