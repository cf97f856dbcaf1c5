package telemetry

import (
	"math"
	"sync/atomic"
)

// Histogram counts observations in buckets. Observe takes two atomic additions and a short search, and may be called by any number of
// goroutines. The zero value is not usable; NewHistogram makes one.
type Histogram struct {
	bounds []float64
	counts []atomic.Uint64 // one more than bounds
	sum    atomic.Uint64   // bits of a float64
}

// Measurement is what a Histogram has counted: Counts[i] observations were at most Bounds[i] and above the bound before; the last of
// Counts were above all bounds.
type Measurement struct {
	Bounds []float64
	Counts []uint64
	Sum    float64
}

// CommitSecondsBounds are the bounds for the time of a commit: an fsync takes a tenth of a millisecond on a good disk and a second on
// one in trouble.
var CommitSecondsBounds = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10}

// CommitItemsBounds are the bounds for the number of things in one commit.
var CommitItemsBounds = []float64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048}

// NewHistogram returns a histogram with these upper bounds, which must ascend and not change afterwards.
func NewHistogram(bounds []float64) *Histogram {
	return &Histogram{bounds: bounds, counts: make([]atomic.Uint64, len(bounds)+1)}
}

// Observe counts one value.
func (h *Histogram) Observe(v float64) {
	i := 0
	for i < len(h.bounds) && v > h.bounds[i] {
		i++
	}
	h.counts[i].Add(1)
	for {
		old := h.sum.Load()
		if h.sum.CompareAndSwap(old, math.Float64bits(math.Float64frombits(old)+v)) {
			return
		}
	}
}

// Measurement returns what was counted so far.
func (h *Histogram) Measurement() Measurement {
	m := Measurement{Bounds: h.bounds, Counts: make([]uint64, len(h.counts)), Sum: math.Float64frombits(h.sum.Load())}
	for i := range h.counts {
		m.Counts[i] = h.counts[i].Load()
	}
	return m
}

// cumulative is what Prometheus wants: how many observations were at most each bound, and how many there were.
func (m Measurement) cumulative() (buckets map[float64]uint64, count uint64) {
	buckets = make(map[float64]uint64, len(m.Bounds))
	for i, c := range m.Counts {
		count += c
		if i < len(m.Bounds) {
			buckets[m.Bounds[i]] = count
		}
	}
	return buckets, count
}
