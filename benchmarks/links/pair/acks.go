package pair

import (
	"fmt"
	"sync/atomic"
	"time"
)

// Acks is the window of a sender whose contestant has none: it counts what is on its way. Sent and Wait are for the sender's
// goroutine, Acked for any. Use NewAcks.
type Acks struct {
	sent  int64
	acked atomic.Int64
	moved chan struct{}
}

// NewAcks returns a window in which nothing is on its way.
func NewAcks() *Acks { return &Acks{moved: make(chan struct{}, 1)} }

// Acked says that so many have arrived since the beginning.
func (a *Acks) Acked(total int64) {
	for old := a.acked.Load(); total > old; old = a.acked.Load() {
		if a.acked.CompareAndSwap(old, total) {
			break
		}
	}
	select {
	case a.moved <- struct{}{}:
	default:
	}
}

// Sent says that n more are on their way.
func (a *Acks) Sent(n int64) { a.sent += n }

// Room waits until n more may go.
func (a *Acks) Room(n int64) error { return a.wait(a.sent + n - Window) }

// Settle waits until all that were sent have arrived.
func (a *Acks) Settle() error { return a.wait(a.sent) }

func (a *Acks) wait(total int64) error {
	if a.acked.Load() >= total {
		return nil
	}
	timer := time.NewTimer(Patience)
	defer timer.Stop()
	for a.acked.Load() < total {
		select {
		case <-a.moved:
		case <-timer.C:
			return fmt.Errorf("pair: %d of %d have not arrived within %v", a.sent-a.acked.Load(), a.sent, Patience)
		}
	}
	return nil
}
