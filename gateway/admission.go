package gateway

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// errBusy is the answer to a connection for whose handshake there is no room.
var errBusy = errors.New("gateway: too many handshakes are waiting")

// admission lets a bounded number of TLS handshakes run at a time. A handshake costs 0.4 ms of CPU, so a reconnect storm
// must queue here, where waiting is cheap, and not in the scheduler, where it would starve those already served.
type admission struct {
	running  chan struct{}
	waiting  atomic.Int64
	maxQueue int64
	patience time.Duration
	refused  func()
}

// newAdmission returns an admission of n handshakes at a time with queue more waiting, each for at most patience.
// refused is called for each one turned away.
func newAdmission(n, queue int, patience time.Duration, refused func()) *admission {
	return &admission{running: make(chan struct{}, n), maxQueue: int64(queue), patience: patience, refused: refused}
}

// enter waits for a place. It returns errBusy if the queue is full or the patience over; otherwise the caller must leave.
func (a *admission) enter(ctx context.Context) error {
	select {
	case a.running <- struct{}{}:
		return nil
	default:
	}
	if a.waiting.Add(1) > a.maxQueue {
		a.waiting.Add(-1)
		a.refused()
		return errBusy
	}
	defer a.waiting.Add(-1)
	timer := time.NewTimer(a.patience)
	defer timer.Stop()
	select {
	case a.running <- struct{}{}:
		return nil
	case <-timer.C:
		a.refused()
		return errBusy
	case <-ctx.Done():
		return ctx.Err()
	}
}

// leave gives the place back.
func (a *admission) leave() { <-a.running }

// queued is how many wait now.
func (a *admission) queued() int { return int(a.waiting.Load()) }
