package node

import (
	"math"
	"runtime/metrics"

	"golang.org/x/sys/unix"

	"github.com/jackdaw-im/jackdaw/dump"
	"github.com/jackdaw-im/jackdaw/proto/adminpb"
)

// measure fills in what the runtime and the system tell of this process.
func measure(t *adminpb.Top) {
	s := []metrics.Sample{
		{Name: "/sched/goroutines:goroutines"}, {Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/cycles/total:gc-cycles"},
		{Name: "/sched/pauses/total/gc:seconds"}, {Name: "/cpu/classes/gc/total:cpu-seconds"},
	}
	metrics.Read(s)
	t.Goroutines, t.HeapBytes, t.GcCycles = int64(s[0].Value.Uint64()), int64(s[1].Value.Uint64()), int64(s[2].Value.Uint64())
	t.GcPauseUs = int64(quantile(s[3].Value.Float64Histogram(), .99) * 1e6)
	t.GcCpuUs = int64(s[4].Value.Float64() * 1e6)
	t.RssBytes = int64(dump.CurrentUsage().Used())
	var use unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &use) == nil {
		t.CpuUs = (use.Utime.Nano() + use.Stime.Nano()) / 1000
	}
}

// quantile is an upper bound of a share of what a histogram has counted, 0 if that is nothing.
func quantile(h *metrics.Float64Histogram, share float64) float64 {
	all := uint64(0)
	for _, n := range h.Counts {
		all += n
	}
	rank, seen := uint64(math.Ceil(share*float64(all))), uint64(0)
	for i, n := range h.Counts {
		if seen += n; n > 0 && seen >= rank {
			if bound := h.Buckets[i+1]; !math.IsInf(bound, 1) {
				return bound
			}
			return h.Buckets[i]
		}
	}
	return 0
}
