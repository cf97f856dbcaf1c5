// Protoactor is the contestant of benchmarks/actors made of protoactor-go with its defaults; its log is silent.
package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/jackdaw-im/jackdaw/benchmarks/actors/measure"
)

func main() { os.Exit(measure.Main(os.Args[1:], os.Stdout, os.Stderr, workloads())) }

func workloads() map[string]measure.Workload {
	return map[string]measure.Workload{
		"spawn": spawn, "idle": idle, "pingpong": pingPong, "fanin": fanIn, "broadcast": broadcast,
		"call-inside": callInside, "call-outside": callOutside, "monitor": monitor, "restart-dynamic": restart,
	}
}

func newSystem() *actor.ActorSystem {
	return actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
		return slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError + 1}))
	}))
}

// end tells an actor to end.
type end struct{}

// crew starts n actors with names that do what receive does with messages that aren't the system's own.
func crew(s *actor.ActorSystem, kind string, from, to int, receive actor.ReceiveFunc) ([]*actor.PID, error) {
	props := actor.PropsFromFunc(receive)
	pids := make([]*actor.PID, 0, to-from)
	for i := from; i < to; i++ {
		pid, err := s.Root.SpawnNamed(props, kind+strconv.Itoa(i))
		if err != nil {
			return nil, err
		}
		pids = append(pids, pid)
	}
	return pids, nil
}

// resident counts its messages, until it is told to end.
func resident(tally *measure.Tally) actor.ReceiveFunc {
	return func(ctx actor.Context) {
		switch ctx.Message().(type) {
		case int:
			tally.Hit()
		case end:
			ctx.Stop(ctx.Self())
		}
	}
}

// greet starts actors, each of which handles a message. It keeps none of them: the registry does.
func greet(s *actor.ActorSystem, from, to int, tally *measure.Tally) error {
	tally.Expect(to - from)
	props := actor.PropsFromFunc(resident(tally))
	for i := from; i < to; i++ {
		pid, err := s.Root.SpawnNamed(props, strconv.Itoa(i))
		if err != nil {
			return err
		}
		s.Root.Send(pid, 1)
	}
	return tally.Wait()
}

// spawn starts actors, each of which handles a message.
func spawn(job measure.Job) (measure.Result, error) {
	s, tally, next := newSystem(), measure.NewTally(), 0
	defer s.Shutdown()
	clear := func() error {
		for i := next - job.Size; i < next && i >= 0; i++ {
			if err := s.Root.StopFuture(s.NewLocalPID(strconv.Itoa(i))).Wait(); err != nil {
				return fmt.Errorf("stopping %d: %w", i, err)
			}
		}
		return nil
	}
	return measure.Loop(job.Span, clear, func() (int, error) {
		next += job.Size
		return job.Size, greet(s, next-job.Size, next, tally)
	})
}

func idle(job measure.Job) (measure.Result, error) {
	s, tally := newSystem(), measure.NewTally()
	defer s.Shutdown()
	return measure.Growth(job.Size, func(from, to int) error { return greet(s, from, to, tally) })
}

func pingPong(job measure.Job) (measure.Result, error) {
	s, tally := newSystem(), measure.NewTally()
	defer s.Shutdown()
	var players []*actor.PID
	for i := range 2 * job.Size {
		peer := s.NewLocalPID("player" + strconv.Itoa(i^1))
		pid, err := crew(s, "player", i, i+1, func(ctx actor.Context) {
			if left, ok := ctx.Message().(int); ok && left > 0 {
				ctx.Send(peer, left-1)
			} else if ok {
				tally.Hit()
			}
		})
		if err != nil {
			return measure.Result{}, err
		}
		players = append(players, pid...)
	}
	rally := measure.Rally(job.Size)
	return measure.Loop(job.Span, nil, func() (int, error) {
		tally.Expect(job.Size)
		for i := 0; i < len(players); i += 2 {
			s.Root.Send(players[i], rally)
		}
		return job.Size * (rally + 1), tally.Wait()
	})
}

func fanIn(job measure.Job) (measure.Result, error) {
	s, tally, n := newSystem(), measure.NewTally(), 0
	defer s.Shutdown()
	perRound := job.Size * measure.FanInEach
	sink, err := crew(s, "sink", 0, 1, func(ctx actor.Context) {
		if _, ok := ctx.Message().(int); !ok {
			return
		}
		if n++; n == perRound {
			n = 0
			tally.Hit()
		}
	})
	if err != nil {
		return measure.Result{}, err
	}
	senders, err := crew(s, "sender", 0, job.Size, func(ctx actor.Context) {
		if _, ok := ctx.Message().(int); ok {
			for i := range measure.FanInEach {
				ctx.Send(sink[0], i)
			}
		}
	})
	if err != nil {
		return measure.Result{}, err
	}
	return measure.Loop(job.Span, nil, func() (int, error) {
		tally.Expect(1)
		for _, to := range senders {
			s.Root.Send(to, 1)
		}
		return perRound, tally.Wait()
	})
}

func broadcast(job measure.Job) (measure.Result, error) {
	s, tally := newSystem(), measure.NewTally()
	defer s.Shutdown()
	receivers, err := crew(s, "receiver", 0, job.Size, resident(tally))
	if err != nil {
		return measure.Result{}, err
	}
	speaker, err := crew(s, "speaker", 0, 1, func(ctx actor.Context) {
		if msg, ok := ctx.Message().(int); ok {
			for _, to := range receivers {
				ctx.Send(to, msg)
			}
		}
	})
	if err != nil {
		return measure.Result{}, err
	}
	return measure.Loop(job.Span, nil, func() (int, error) {
		tally.Expect(job.Size)
		s.Root.Send(speaker[0], 1)
		return job.Size, tally.Wait()
	})
}
