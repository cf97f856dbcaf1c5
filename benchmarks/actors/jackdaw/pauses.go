package main

import (
	"math"
	"runtime/metrics"
	"slices"
)

// collector is what the runtime tells of the garbage collector at one moment. The processor times are those at the end of the last
// collection.
type collector struct {
	pauses          histogram
	cycles          uint64
	gc, idle, total float64 // seconds of processor time
}

func readCollector() collector {
	samples := []metrics.Sample{
		{Name: "/sched/pauses/total/gc:seconds"}, {Name: "/gc/cycles/total:gc-cycles"}, {Name: "/cpu/classes/gc/total:cpu-seconds"},
		{Name: "/cpu/classes/idle:cpu-seconds"}, {Name: "/cpu/classes/total:cpu-seconds"},
	}
	metrics.Read(samples)
	h := samples[0].Value.Float64Histogram()
	return collector{
		pauses: histogram{slices.Clone(h.Counts), h.Buckets}, cycles: samples[1].Value.Uint64(),
		gc: samples[2].Value.Float64(), idle: samples[3].Value.Float64(), total: samples[4].Value.Float64(),
	}
}

// share is which part of the processor time since before went to the collector: of what the process used, or of what the cores had.
func (c collector) share(before collector, ofCores bool) float64 {
	time := c.total - before.total
	if !ofCores {
		time -= c.idle - before.idle
	}
	if time <= 0 {
		return 0
	}
	return (c.gc - before.gc) / time
}

// histogram counts values between bounds, of which there is one more than counts.
type histogram struct {
	counts []uint64
	bounds []float64
}

// since is what was counted after an earlier reading of the same histogram.
func (h histogram) since(before histogram) histogram {
	counts := slices.Clone(h.counts)
	for i := range min(len(counts), len(before.counts)) {
		counts[i] -= before.counts[i]
	}
	return histogram{counts, h.bounds}
}

func (h histogram) count() (n uint64) {
	for _, c := range h.counts {
		n += c
	}
	return n
}

// quantile is a value that the share q of all don't exceed: the upper bound of where it was counted, or the lower where there is none.
// It is 0 if nothing was counted.
func (h histogram) quantile(q float64) float64 {
	rank := max(1, uint64(math.Ceil(q*float64(h.count()))))
	var n uint64
	for i, c := range h.counts {
		if n += c; n >= rank {
			if up := h.bounds[i+1]; !math.IsInf(up, 1) {
				return up
			}
			return h.bounds[i]
		}
	}
	return 0
}
