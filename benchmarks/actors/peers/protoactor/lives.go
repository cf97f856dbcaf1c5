package main

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/jackdaw-im/jackdaw/benchmarks/actors/measure"
)

// echo answers with the request.
func echo(ctx actor.Context) {
	if msg, ok := ctx.Message().(int); ok {
		ctx.Respond(msg)
	}
}

// callInside makes calls from an actor that doesn't wait: it goes on when the answer has come.
func callInside(job measure.Job) (measure.Result, error) {
	s, tally := newSystem(), measure.NewTally()
	defer s.Shutdown()
	server, err := crew(s, "server", 0, 1, echo)
	if err != nil {
		return measure.Result{}, err
	}
	var failed error // read after the tally
	var ask func(ctx actor.Context, i int)
	ask = func(ctx actor.Context, i int) {
		ctx.ReenterAfter(ctx.RequestFuture(server[0], measure.Asked(i), measure.Patience), func(got any, err error) {
			switch {
			case err != nil || got != measure.Asked(i):
				failed = fmt.Errorf("call %d: %v, %w", i, got, err)
				tally.Hit()
			case i == measure.CallsEach:
				tally.Hit()
			default:
				ask(ctx, i+1)
			}
		})
	}
	asker, err := crew(s, "asker", 0, 1, func(ctx actor.Context) {
		if _, ok := ctx.Message().(int); ok {
			ask(ctx, 1)
		}
	})
	if err != nil {
		return measure.Result{}, err
	}
	return measure.Loop(job.Span, nil, func() (int, error) {
		tally.Expect(1)
		s.Root.Send(asker[0], 1)
		if err := tally.Wait(); err != nil {
			return 0, err
		}
		return measure.CallsEach, failed
	})
}

// callOutside makes calls from a goroutine that is no actor.
func callOutside(job measure.Job) (measure.Result, error) {
	s := newSystem()
	defer s.Shutdown()
	server, err := crew(s, "server", 0, 1, echo)
	if err != nil {
		return measure.Result{}, err
	}
	return measure.Loop(job.Span, nil, func() (int, error) {
		for i := range measure.CallsEach {
			if got, err := s.Root.RequestFuture(server[0], measure.Asked(i), measure.Patience).Result(); err != nil || got != measure.Asked(i) {
				return 0, fmt.Errorf("call %d: %v, %w", i, got, err)
			}
		}
		return measure.CallsEach, nil
	})
}

// monitor lets one actor watch others, tell them to end, and hear that they have.
func monitor(job measure.Job) (measure.Result, error) {
	s, greeted, downs, next := newSystem(), measure.NewTally(), measure.NewTally(), 0
	defer s.Shutdown()
	watcher, err := crew(s, "watcher", 0, 1, func(ctx actor.Context) {
		switch msg := ctx.Message().(type) {
		case int:
			for i := msg; i < msg+job.Size; i++ {
				pid := s.NewLocalPID(strconv.Itoa(i))
				ctx.Watch(pid)
				ctx.Send(pid, end{})
			}
		case *actor.Terminated:
			downs.Hit()
		}
	})
	if err != nil {
		return measure.Result{}, err
	}
	start := func() error {
		next += job.Size
		return greet(s, next-job.Size, next, greeted)
	}
	return measure.Loop(job.Span, start, func() (int, error) {
		downs.Expect(job.Size)
		s.Root.Send(watcher[0], next-job.Size)
		return job.Size, downs.Wait()
	})
}

// restart crashes children of actors whose strategy starts them again, however often.
func restart(job measure.Job) (measure.Result, error) {
	s, up := newSystem(), measure.NewTally()
	defer s.Shutdown()
	each := max(1, job.Size/measure.Supervisors)
	n := each * measure.Supervisors
	children := actor.PropsFromFunc(func(ctx actor.Context) {
		switch ctx.Message().(type) {
		case *actor.Started:
			up.Hit()
		case int:
			panic("told to")
		}
	})
	strategy := actor.NewOneForOneStrategy(math.MaxInt, time.Nanosecond, actor.DefaultDecider)
	parents := actor.PropsFromFunc(func(ctx actor.Context) {
		if _, ok := ctx.Message().(*actor.Started); ok {
			for i := range each {
				if _, err := ctx.SpawnNamed(children, strconv.Itoa(i)); err != nil {
					panic(err)
				}
			}
		}
	}, actor.WithSupervisor(strategy))
	up.Expect(n)
	var pids []*actor.PID
	for i := range measure.Supervisors {
		parent, err := s.Root.SpawnNamed(parents, "parent"+strconv.Itoa(i))
		if err != nil {
			return measure.Result{}, err
		}
		for j := range each {
			pids = append(pids, s.NewLocalPID(parent.Id+"/"+strconv.Itoa(j)))
		}
	}
	if err := up.Wait(); err != nil {
		return measure.Result{}, err
	}
	return measure.Loop(job.Span, nil, func() (int, error) {
		up.Expect(n)
		for _, pid := range pids {
			s.Root.Send(pid, 1)
		}
		return n, up.Wait()
	})
}
