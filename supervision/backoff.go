package supervision

import "time"

// backoffFactor is how many times Min the default of Max is.
const backoffFactor = 64

// Backoff is a delay before a child is started again, which OTP lacks: Min after the first end, twice as much after each further
// one, at most Max. Only the delays are per child; a restart counts for the supervisor's intensity when the delay is over and the
// child starts. So a child that crashes at every start, and waits for at least Period / Intensity in between, doesn't end
// its supervisor: choose Max so if that is the aim. The zero value is no delay.
type Backoff struct {
	// Min is the first delay, at most a day; 0 is no back-off.
	Min time.Duration
	// Max is the longest delay; 0 is 64 times Min.
	Max time.Duration
	// Jitter is the share of a delay that is random, from 0 to 1: with 0.5 a delay is between its half and its whole, so that what
	// failed together isn't tried again together.
	Jitter float64
	// Reset is how long a child has to have lived for its next delay to be Min again; 0 is Max.
	Reset time.Duration
}

func (b Backoff) max() time.Duration {
	switch {
	case b.Max > 0:
		return min(b.Max, maxDelay)
	case b.Min > maxDelay/backoffFactor:
		return maxDelay
	}
	return b.Min * backoffFactor
}

func (b Backoff) reset() time.Duration {
	if b.Reset > 0 {
		return b.Reset
	}
	return b.max()
}

// delay is that before the n-th restart in a row, n from 1; random is from 0 up to 1.
func (b Backoff) delay(n int, random float64) time.Duration {
	d, limit := b.Min, b.max()
	for i := 1; i < n && d < limit; i++ {
		d *= 2
	}
	d = min(d, limit)
	return d - time.Duration(b.Jitter*random*float64(d))
}

// strikes counts the ends of one child in a row.
type strikes struct {
	n     int
	since time.Time // when the life began that it has, zero if it has none
}

// next books an end and returns the delay before the restart.
func (s *strikes) next(b Backoff, now time.Time, random func() float64) time.Duration {
	if b.Min == 0 {
		return 0
	}
	if !s.since.IsZero() && now.Sub(s.since) >= b.reset() {
		s.n = 0
	}
	s.since = time.Time{}
	s.n++
	return b.delay(s.n, random())
}

// window is the restarts within a period.
type window struct{ times []time.Time }

// book notes a restart and returns how many there have been within the period, this one included. One counts for exactly
// the period.
func (w *window) book(now time.Time, period time.Duration) int {
	w.times = append(w.forget(now, period), now)
	return len(w.times)
}

// count is how many there have been within the period.
func (w *window) count(now time.Time, period time.Duration) int {
	w.times = w.forget(now, period)
	return len(w.times)
}

func (w *window) forget(now time.Time, period time.Duration) []time.Time {
	i := 0
	for i < len(w.times) && now.Sub(w.times[i]) >= period {
		i++
	}
	if i == 0 {
		return w.times
	}
	return append(w.times[:0], w.times[i:]...)
}
