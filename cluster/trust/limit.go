package trust

import (
	"net"
	"net/netip"
	"time"
)

// maxBuckets bounds how many addresses a limiter remembers. All others share one bucket.
const maxBuckets = 4096

// limiter bounds how often each address may do something: burst times at once, and then once every period. Not safe for concurrent use.
type limiter struct {
	every   time.Duration
	burst   int
	buckets map[netip.Addr]bucket
	swept   time.Time
}

// bucket is when an address would have its whole burst again.
type bucket struct{ full time.Time }

// allow counts one attempt, and reports whether there was room for it.
func (l *limiter) allow(from netip.Addr, now time.Time) bool {
	if l.buckets == nil {
		l.buckets = map[netip.Addr]bucket{}
	}
	b, known := l.buckets[from]
	if !known && len(l.buckets) >= maxBuckets {
		if now.Sub(l.swept) >= time.Second { // looking through all of them is work that an attacker must not cause at will
			l.swept = now
			l.forget(now)
		}
		if len(l.buckets) >= maxBuckets {
			from = netip.Addr{}
			b = l.buckets[from]
		}
	}
	full := b.full
	if full.Before(now) {
		full = now
	}
	full = full.Add(l.every)
	if full.Sub(now) > time.Duration(l.burst)*l.every {
		return false
	}
	l.buckets[from] = bucket{full}
	return true
}

// forget drops those who have their whole burst.
func (l *limiter) forget(now time.Time) {
	for addr, b := range l.buckets {
		if !b.full.After(now) {
			delete(l.buckets, addr)
		}
	}
}

// origin is who is counted together: an IPv4 address, or an IPv6 network of 64 bits.
func origin(addr net.Addr) netip.Addr {
	ap, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return netip.Addr{}
	}
	ip := ap.Addr().Unmap().WithZone("")
	if ip.Is6() {
		if p, err := ip.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return ip
}
