package gateway

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestAdmissionBoundsAndQueues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := 0
		a := newAdmission(1, 1, 5*time.Second, func() { refused++ })
		if err := a.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		second := make(chan error)
		go func() { second <- a.enter(t.Context()) }()
		synctest.Wait()
		if a.queued() != 1 {
			t.Fatalf("%d wait, want 1", a.queued())
		}
		if err := a.enter(t.Context()); !errors.Is(err, errBusy) {
			t.Fatalf("a third one got %v, want errBusy", err)
		}
		a.leave()
		if err := <-second; err != nil {
			t.Fatalf("the one that waited got %v", err)
		}
		if refused != 1 {
			t.Fatalf("%d counted as refused, want 1", refused)
		}
	})
}

func TestAdmissionPatienceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := 0
		a := newAdmission(1, 10, 5*time.Second, func() { refused++ })
		if err := a.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if err := a.enter(t.Context()); !errors.Is(err, errBusy) || refused != 1 {
			t.Fatalf("got %v after %v, %d refused", err, time.Since(start), refused)
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
