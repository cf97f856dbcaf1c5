package load

import (
	"math"
	"slices"
	"time"
)

// Latencies collects durations for percentiles. Its zero value is empty; it belongs to one goroutine.
type Latencies struct{ all []time.Duration }

// Add adds one duration.
func (l *Latencies) Add(d time.Duration) { l.all = append(l.all, d) }

// Len is how many were added.
func (l *Latencies) Len() int { return len(l.all) }

// Percentile is the smallest duration that at least p percent of all don't exceed, or 0 if there are none.
func (l *Latencies) Percentile(p float64) time.Duration {
	if len(l.all) == 0 {
		return 0
	}
	slices.Sort(l.all)
	rank := int(math.Ceil(p*float64(len(l.all))/100 - 1e-9)) // 99.9 is a little more than it says
	return l.all[min(max(rank, 1), len(l.all))-1]
}
