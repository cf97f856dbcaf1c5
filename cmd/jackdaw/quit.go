package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/dump"
)

// quitAgain is how soon after a SIGQUIT another one means that the process shall end.
const quitAgain = 5 * time.Second

// catchCrash makes crashes leave a dump, and tells of the one that ended the last run. The server runs also where that fails. The
// function it returns is called when the server has ended in good order.
func catchCrash(dumps *dump.Folder, log *zap.Logger) (release func()) {
	if err := dumps.CatchCrash(); err != nil {
		log.Warn("crashes may leave no dump", zap.Error(err))
	}
	return func() {
		if err := dumps.Release(); err != nil {
			log.Warn("the next start will take this run for a crashed one", zap.Error(err))
		}
	}
}

// dumpOnQuit makes a dump whenever SIGQUIT comes, and the server goes on. A second one within quitAgain, or while the dump is being
// made, does what Go does by itself: it ends the process with the tracebacks of all goroutines, which the next start makes a dump of.
// stop ends it.
func dumpOnQuit(dumps *dump.Folder) (stop func()) {
	quits := make(chan os.Signal, 2)
	signal.Notify(quits, syscall.SIGQUIT)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	var making atomic.Bool
	wg.Go(func() {
		for last := (time.Time{}); ; {
			select {
			case <-ctx.Done():
				return
			case <-quits:
			}
			if making.Load() || time.Since(last) < quitAgain {
				signal.Reset(syscall.SIGQUIT)
				if self, err := os.FindProcess(os.Getpid()); err == nil {
					_ = self.Signal(syscall.SIGQUIT) // to oneself it can't fail
				}
				continue
			}
			last = time.Now()
			making.Store(true)
			wg.Go(func() {
				defer making.Store(false)
				dumps.Record(ctx, dump.Signal)
			})
		}
	})
	return func() {
		signal.Stop(quits)
		cancel()
		wg.Wait()
	}
}
