package pebblestore

import (
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/store"
)

// sweepEvery is how often done entries of group logs are looked for.
const sweepEvery = time.Minute

// watch is the engine's one goroutine.
type watch struct {
	quit, done chan struct{}
}

func (e *Engine) start() {
	e.watch = watch{make(chan struct{}), make(chan struct{})}
	tick, stop := e.o.Tick(e.o.ProbeEvery)
	go func() {
		defer close(e.watch.done)
		defer stop()
		swept := e.o.Now()
		for {
			select {
			case <-e.watch.quit:
				return
			case <-tick:
			}
			e.space.look()
			if reason := e.space.hopeless(e.o.Now()); reason != "" {
				e.space.fail(reason)
			}
			if now := e.o.Now(); now.Sub(swept) >= sweepEvery {
				swept = now
				if err := e.sweep(now); err != nil && !errors.Is(err, store.ErrClosed) {
					e.o.Logger.Warn("sweeping group logs failed", zap.Error(err))
				}
			}
		}
	}()
}

func (e *Engine) stop() {
	close(e.watch.quit)
	<-e.watch.done
}
