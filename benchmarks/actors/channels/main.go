// Channels is the contestant of benchmarks/actors made of bare goroutines and channels: what any runtime of actors in Go is built
// upon, without names, supervision, unbounded senders or isolation of crashes.
package main

import (
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/jackdaw-im/jackdaw/benchmarks/actors/measure"
)

func main() { os.Exit(measure.Main(os.Args[1:], os.Stdout, os.Stderr, workloads())) }

func workloads() map[string]measure.Workload {
	return map[string]measure.Workload{
		"spawn": spawn, "idle": idle, "pingpong": pingPong, "fanin": fanIn, "broadcast": broadcast,
		"call-inside": call, "call-outside": call, "monitor": monitor,
	}
}

// crowd is a number of goroutines that each read a channel until it is closed.
type crowd struct {
	queues []chan any
	all    sync.WaitGroup
}

// start adds n goroutines, each with a queue of its own.
func (c *crowd) start(n, queueLen int, run func(in chan any)) {
	for range n {
		in := make(chan any, queueLen)
		c.queues = append(c.queues, in)
		c.all.Go(func() { run(in) })
	}
}

// end ends them all and waits for them.
func (c *crowd) end() {
	for _, q := range c.queues {
		close(q)
	}
	c.all.Wait()
	c.queues = nil
}

// listen counts what comes.
func listen(tally *measure.Tally) func(in chan any) {
	return func(in chan any) {
		for range in {
			tally.Hit()
		}
	}
}

// greet starts n goroutines and gives each a message.
func (c *crowd) greet(n int, tally *measure.Tally) error {
	tally.Expect(n)
	for range n {
		c.start(1, 1, listen(tally))
		c.queues[len(c.queues)-1] <- 1
	}
	return tally.Wait()
}

func spawn(job measure.Job) (measure.Result, error) {
	var c crowd
	defer c.end()
	tally := measure.NewTally()
	return measure.Loop(job.Span, func() error { c.end(); return nil }, func() (int, error) { return job.Size, c.greet(job.Size, tally) })
}

func idle(job measure.Job) (measure.Result, error) {
	var c crowd
	defer c.end()
	tally := measure.NewTally()
	return measure.Growth(job.Size, func(from, to int) error { return c.greet(to-from, tally) })
}

func pingPong(job measure.Job) (measure.Result, error) {
	tally := measure.NewTally()
	var c crowd
	defer c.end()
	courts := make([][2]chan any, job.Size)
	for i := range courts {
		courts[i] = [2]chan any{make(chan any, 1), make(chan any, 1)}
		for side := range 2 {
			in, out := courts[i][side], courts[i][1-side]
			c.queues = append(c.queues, in)
			c.all.Go(func() {
				for left := range in {
					if left == 0 {
						tally.Hit()
					} else {
						out <- left.(int) - 1
					}
				}
			})
		}
	}
	rally := measure.Rally(job.Size)
	return measure.Loop(job.Span, nil, func() (int, error) {
		tally.Expect(job.Size)
		for i := range courts {
			courts[i][0] <- rally
		}
		return job.Size * (rally + 1), tally.Wait()
	})
}

func fanIn(job measure.Job) (measure.Result, error) {
	perRound := job.Size * measure.FanInEach
	tally := measure.NewTally()
	var sink, senders crowd
	defer sink.end()
	defer senders.end()
	sink.start(1, perRound, func(in chan any) {
		n := 0
		for range in {
			if n++; n == perRound {
				n = 0
				tally.Hit()
			}
		}
	})
	to := sink.queues[0]
	senders.start(job.Size, 1, func(in chan any) {
		for range in {
			for i := range measure.FanInEach {
				to <- i
			}
		}
	})
	return measure.Loop(job.Span, nil, func() (int, error) {
		tally.Expect(1)
		for _, s := range senders.queues {
			s <- 1
		}
		return perRound, tally.Wait()
	})
}

func broadcast(job measure.Job) (measure.Result, error) {
	tally := measure.NewTally()
	var receivers, speaker crowd
	defer receivers.end()
	defer speaker.end()
	receivers.start(job.Size, 1, listen(tally))
	speaker.start(1, 1, func(in chan any) {
		for msg := range in {
			for _, to := range receivers.queues {
				to <- msg
			}
		}
	})
	return measure.Loop(job.Span, nil, func() (int, error) {
		tally.Expect(job.Size)
		speaker.queues[0] <- 1
		return job.Size, tally.Wait()
	})
}

// request is a call; the answer comes on a channel that the caller keeps, since after a deadline it ends the run.
type request struct {
	value any
	reply chan any
}

// call makes calls with a deadline, kept by one timer that is set for each.
func call(job measure.Job) (measure.Result, error) {
	requests := make(chan request, 1)
	var server sync.WaitGroup
	server.Go(func() {
		for r := range requests {
			r.reply <- r.value
		}
	})
	defer server.Wait()
	defer close(requests)
	reply, timer := make(chan any, 1), time.NewTimer(measure.Patience)
	defer timer.Stop()
	return measure.Loop(job.Span, nil, func() (int, error) {
		for i := range measure.CallsEach {
			timer.Reset(measure.Patience)
			select {
			case requests <- request{measure.Asked(i), reply}:
			case <-timer.C:
				return 0, fmt.Errorf("channels: call %d was not taken in time", i)
			}
			select {
			case got := <-reply:
				if got != measure.Asked(i) {
					return 0, fmt.Errorf("channels: call %d was answered %v", i, got)
				}
			case <-timer.C:
				return 0, fmt.Errorf("channels: call %d was not answered in time", i)
			}
		}
		return measure.CallsEach, nil
	})
}

// monitor ends goroutines that close a channel of theirs when they do, for each of which another one waits in turn.
func monitor(job measure.Job) (measure.Result, error) {
	type watched struct{ end, done chan struct{} }
	var targets []watched
	prepare := func() error {
		targets = targets[:0]
		for range job.Size {
			w := watched{make(chan struct{}), make(chan struct{})}
			targets = append(targets, w)
			go func() {
				<-w.end
				close(w.done)
			}()
		}
		return nil
	}
	return measure.Loop(job.Span, prepare, func() (int, error) {
		for _, w := range targets {
			close(w.end)
		}
		for _, w := range targets {
			<-w.done
		}
		return job.Size, nil
	})
}
