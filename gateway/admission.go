package gateway

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// errBusy is the answer to a connection for whose handshake there is no room.
var errBusy = errors.New("gateway: too many handshakes are waiting")

// admission lets a bounded number of TLS handshakes compute at a time. A handshake costs 0.4 ms of CPU, so a reconnect
// storm must queue here, where waiting is cheap, and not in the scheduler, where it would starve those already served.
type admission struct {
	running  chan struct{}
	waiting  *atomic.Int64
	maxQueue int64
	patience time.Duration
	refused  *atomic.Int64
}

// newAdmission returns an admission of n handshakes at a time with queue more waiting, each for at most patience. It counts
// how many wait now, and how many were turned away.
func newAdmission(n, queue int, patience time.Duration, waiting, refused *atomic.Int64) *admission {
	return &admission{running: make(chan struct{}, n), maxQueue: int64(queue), patience: patience, waiting: waiting, refused: refused}
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
		a.refused.Add(1)
		return errBusy
	}
	defer a.waiting.Add(-1)
	timer := time.NewTimer(a.patience)
	defer timer.Stop()
	select {
	case a.running <- struct{}{}:
		return nil
	case <-timer.C:
		a.refused.Add(1)
		return errBusy
	case <-ctx.Done():
		return ctx.Err()
	}
}

// leave gives the place back.
func (a *admission) leave() { <-a.running }

// turn is the place of one handshake. It is given back while the server waits for the client, so that a silent client
// holds none, and taken again before the server goes on computing. It belongs to the handshake's goroutine.
type turn struct {
	admission *admission
	ctx       context.Context
	held      bool
}

// begin takes a place for the first time, as enter does.
func (t *turn) begin() error {
	err := t.admission.enter(t.ctx)
	t.held = err == nil
	return err
}

// pause gives the place back; it may be called without one.
func (t *turn) pause() {
	if t.held {
		t.held = false
		t.admission.leave()
	}
}

// resume takes a place again. A handshake that has begun isn't turned away: those before it are soon done computing.
func (t *turn) resume() error {
	select {
	case t.admission.running <- struct{}{}:
		t.held = true
		return nil
	case <-t.ctx.Done():
		return t.ctx.Err()
	}
}
