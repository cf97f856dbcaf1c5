package gateway

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestAdmissionBoundsAndQueues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var waiting, refused atomic.Int64
		a := newAdmission(1, 1, 5*time.Second, &waiting, &refused)
		if err := a.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		second := make(chan error)
		go func() { second <- a.enter(t.Context()) }()
		synctest.Wait()
		if waiting.Load() != 1 {
			t.Fatalf("%d wait, want 1", waiting.Load())
		}
		if err := a.enter(t.Context()); !errors.Is(err, errBusy) {
			t.Fatalf("a third one got %v, want errBusy", err)
		}
		a.leave()
		if err := <-second; err != nil {
			t.Fatalf("the one that waited got %v", err)
		}
		if refused.Load() != 1 {
			t.Fatalf("%d counted as refused, want 1", refused.Load())
		}
	})
}

func TestAdmissionPatienceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var waiting, refused atomic.Int64
		a := newAdmission(1, 10, 5*time.Second, &waiting, &refused)
		if err := a.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if err := a.enter(t.Context()); !errors.Is(err, errBusy) || refused.Load() != 1 {
			t.Fatalf("got %v after %v, %d refused", err, time.Since(start), refused.Load())
		}
		if waited := time.Since(start); waited != 5*time.Second {
			t.Fatalf("waited %v, want 5 s", waited)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := a.enter(ctx); !errors.Is(err, context.Canceled) {
			t.Fatalf("a cancelled one got %v", err)
		}
	})
}
