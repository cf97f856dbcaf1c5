package gateway

import "time"

// rate is a token bucket over stanzas and bytes of one connection. Over its rate a connection isn't read for a while: TCP
// then slows the client down, and nothing is lost.
type rate struct {
	stanzas, bytes float64 // what is left
	last           time.Duration
}

// RateLimit says how fast one client may send. Zero fields don't limit. The burst is ten seconds' worth.
type RateLimit struct {
	Stanzas float64 // per second
	Bytes   float64 // per second
}

const burstSeconds = 10

// start fills the bucket.
func (r *rate) start(l RateLimit, now time.Duration) {
	*r = rate{stanzas: l.Stanzas * burstSeconds, bytes: l.Bytes * burstSeconds, last: now}
}

// take books stanzas and bytes at now (a monotonic time) and returns how long to wait before reading on.
func (r *rate) take(l RateLimit, now time.Duration, stanzas, bytes int) time.Duration {
	passed := (now - r.last).Seconds()
	r.last = now
	r.stanzas = min(l.Stanzas*burstSeconds, r.stanzas+passed*l.Stanzas) - float64(stanzas)
	r.bytes = min(l.Bytes*burstSeconds, r.bytes+passed*l.Bytes) - float64(bytes)
	return max(debt(r.stanzas, l.Stanzas), debt(r.bytes, l.Bytes))
}

func debt(left, perSecond float64) time.Duration {
	if perSecond <= 0 || left >= 0 {
		return 0
	}
	return time.Duration(-left / perSecond * float64(time.Second))
}
