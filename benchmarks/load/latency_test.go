package load

import (
	"testing"
	"time"
)

func TestPercentile(t *testing.T) {
	var l Latencies
	if l.Percentile(50) != 0 {
		t.Error("a percentile of nothing")
	}
	for i := range 1000 {
		l.Add(time.Duration((i*7)%1000+1) * time.Millisecond) // 1..1000 ms, shuffled
	}
	for p, want := range map[float64]time.Duration{0: 1, 0.1: 1, 50: 500, 99: 990, 99.9: 999, 100: 1000} {
		if got := l.Percentile(p); got != want*time.Millisecond {
			t.Errorf("p%v is %v, want %v ms", p, got, want)
		}
	}
	l.Add(5 * time.Second)
	if l.Percentile(100) != 5*time.Second || l.Len() != 1001 {
		t.Error("what is added after a percentile doesn't count")
	}
}
