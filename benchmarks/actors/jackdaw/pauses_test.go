package main

import (
	"math"
	"testing"
)

func TestHistogram(t *testing.T) {
	bounds := []float64{math.Inf(-1), 1, 2, 4, math.Inf(1)}
	before := histogram{[]uint64{1, 5, 0, 0}, bounds}
	h := histogram{[]uint64{1, 103, 1, 1}, bounds}.since(before)
	if h.count() != 100 {
		t.Errorf("%d counted", h.count())
	}
	for q, want := range map[float64]float64{0.5: 2, 0.98: 2, 0.99: 4, 1: 4} {
		if got := h.quantile(q); got != want {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if before.counts[1] != 5 {
		t.Error("the earlier reading was changed")
	}
	if got := (histogram{[]uint64{0, 0, 0, 0}, bounds}).quantile(0.5); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
	if got := h.since(h).count(); got != 0 {
		t.Errorf("%d between two equal readings", got)
	}
}

func TestShare(t *testing.T) {
	before, after := collector{gc: 1, idle: 10, total: 20}, collector{gc: 3, idle: 22, total: 40}
	if got := after.share(before, false); got != 0.25 {
		t.Errorf("%v of the time used", got)
	}
	if got := after.share(before, true); got != 0.1 {
		t.Errorf("%v of the cores", got)
	}
	if got := after.share(after, true); got != 0 {
		t.Errorf("%v of nothing", got)
	}
}

func TestReadCollector(t *testing.T) {
	c := readCollector()
	if c.total < c.idle || len(c.pauses.bounds) != len(c.pauses.counts)+1 {
		t.Errorf("%+v", c)
	}
}
