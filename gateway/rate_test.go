package gateway

import (
	"testing"
	"time"
)

func TestRate(t *testing.T) {
	limit := RateLimit{Stanzas: 10, Bytes: 1000}
	var r rate
	r.start(limit, 0)
	if w := r.take(limit, 0, 100, 1000); w != 0 {
		t.Fatalf("the burst waits %v", w)
	}
	if w := r.take(limit, 0, 1, 0); w != 100*time.Millisecond {
		t.Fatalf("one over the burst waits %v, want 100ms", w)
	}
	if w := r.take(limit, 100*time.Millisecond, 0, 0); w != 0 {
		t.Fatalf("after paying, it waits %v", w)
	}
	if w := r.take(limit, 100*time.Millisecond, 0, 10_000); w != 900*time.Millisecond {
		t.Fatalf("bytes wait %v, want 900ms", w)
	}
	r.start(RateLimit{}, 0)
	if w := r.take(RateLimit{}, 0, 1e6, 1e9); w != 0 {
		t.Fatalf("without limits it waits %v", w)
	}
	r.start(limit, 0)
	r.take(limit, time.Hour, 0, 0)
	if w := r.take(limit, time.Hour, 101, 0); w != 100*time.Millisecond {
		t.Fatalf("an idle hour saved up more than the burst: waits %v", w)
	}
}
