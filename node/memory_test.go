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

func TestWatermark(t *testing.T) {
	w := watermark{percent: 90}
	for i, step := range []struct {
		used   uint64
		passed bool
	}{
		{0, false}, {899, false}, {900, true}, {950, false}, {899, false}, {901, false}, // still over it
		{810, false}, {900, false}, // fell too little
		{809, false}, {900, true},
	} {
		if got := w.passed(step.used, 1000); got != step.passed {
			t.Errorf("step %d: %v", i, got)
		}
	}
	off := watermark{}
	if off.passed(1000, 1000) || w.passed(1000, 0) {
		t.Error("passed without a mark, or without a limit")
	}
}
