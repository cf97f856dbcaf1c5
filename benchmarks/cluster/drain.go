package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackdaw-im/jackdaw/benchmarks/load"
)

const (
	// lookPause is how often the end of a run is looked for.
	lookPause = 50 * time.Millisecond
	// settleTime is how long the last messages may take to be acknowledged, and drainTime to arrive. Both end a run against a
	// cluster that is stuck; neither decides how long a good run takes.
	settleTime = 2 * time.Minute
	drainTime  = 3 * time.Minute
)

// settle lets the users send nothing new, and waits until all is acknowledged.
func (w *world) settle(ctx context.Context) error {
	w.mu.Lock()
	w.mu.sending = false
	w.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	for {
		w.mu.Lock()
		left := w.mu.check.Open()
		w.mu.Unlock()
		if left == 0 {
			return nil
		}
		if err := load.Rest(ctx, lookPause); err != nil {
			return fmt.Errorf("cluster: %d messages were never acknowledged: %s", left, w.unacked())
		}
	}
}

// unacked describes one of the messages that aren't acknowledged.
func (w *world) unacked() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	for key, m := range w.mu.messages {
		if m.acked {
			continue
		}
		sent := "never sent"
		if m.last != nil {
			sent = fmt.Sprintf("last sent %v ago", time.Since(m.last.At).Round(time.Millisecond))
		}
		return fmt.Sprintf("one from user %d to user %d, number %d, due %v ago, %s, arrived: %v", key.Sender, key.Recipient, key.Seq,
			time.Since(m.due).Round(time.Millisecond), sent, m.arrived)
	}
	return "none now"
}

// drain brings the sleepers online, and waits until all that was acknowledged has arrived. What doesn't come to somebody who is online is
// looked for by logging in anew: stuck is how much comes only then, which is a fault too. What doesn't come even so is lost, as
// the report says.
func (w *world) drain(ctx context.Context) (stuck int, err error) {
	for _, u := range w.users[w.cfg.users:] {
		u.start()
	}
	if err := w.arrive(ctx); err != nil {
		return 0, err
	}
	for i, u := range w.users {
		w.mu.Lock()
		missing := w.mu.check.Missing(i)
		w.mu.Unlock()
		if missing > 0 {
			stuck += missing
			u.device.Anew()
		}
	}
	if stuck == 0 {
		return 0, nil
	}
	if err := w.arrive(ctx); err != nil {
		return 0, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.users {
		stuck -= w.mu.check.Missing(i)
	}
	return stuck, nil
}

// arrive waits until all that was acknowledged has arrived, or nothing arrives any more.
func (w *world) arrive(ctx context.Context) error {
	begin := time.Now()
	for {
		w.mu.Lock()
		missing, quiet := 0, time.Since(later(w.mu.arrived, begin))
		for i := range w.users {
			missing += w.mu.check.Missing(i)
		}
		w.mu.Unlock()
		switch {
		case missing == 0, quiet > w.cfg.grace:
			return nil
		case time.Since(begin) > drainTime:
			return errors.New("cluster: what was acknowledged goes on arriving, and arriving")
		}
		if err := load.Rest(ctx, lookPause); err != nil {
			return err
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
