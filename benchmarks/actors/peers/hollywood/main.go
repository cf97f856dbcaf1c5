// Hollywood is the contestant of benchmarks/actors made of hollywood with its defaults, but for two. Its inboxes, which are rings of 1,024
// messages (40 kB an actor) that grow when they are full, begin with inboxSize where there are many actors: a million would not
// fit otherwise. And what crashes is restarted as often as it crashes, at once, where the default is three times, after half a
// second.
package main

import (
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"runtime"
	"strconv"

	"github.com/anthdm/hollywood/actor"

	"github.com/jackdaw-im/jackdaw/benchmarks/actors/measure"
)

// inboxSize is how long the inboxes of many actors are at first.
const inboxSize = 4

func main() {
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError + 1}))) // it logs by it
	os.Exit(measure.Main(os.Args[1:], os.Stdout, os.Stderr, workloads()))
}

func workloads() map[string]measure.Workload {
	return map[string]measure.Workload{
		"spawn": spawn, "idle": idle, "pingpong": pingPong, "fanin": fanIn, "broadcast": broadcast,
		"call-inside": callInside, "call-outside": callOutside, "restart-dynamic": restart,
	}
}

func newEngine() (*actor.Engine, error) { return actor.NewEngine(actor.NewEngineConfig()) }

// crew starts n actors of one kind with names that do what receive does with messages that aren't the engine's own.
func crew(e *actor.Engine, kind string, n int, receive func(c *actor.Context), opts ...actor.OptFunc) []*actor.PID {
	pids := make([]*actor.PID, n)
	for i := range pids {
		pids[i] = e.SpawnFunc(receive, kind, append(opts, actor.WithID(strconv.Itoa(i)))...)
	}
	return pids
}

// resident counts its messages.
func resident(tally *measure.Tally) func(c *actor.Context) {
	return func(c *actor.Context) {
		if _, ok := c.Message().(int); ok {
			tally.Hit()
		}
	}
}

// greet starts actors, each of which handles a message. It keeps none of them: the registry does.
func greet(e *actor.Engine, from, to int, tally *measure.Tally) error {
	tally.Expect(to - from)
	receive := resident(tally)
	for i := from; i < to; i++ {
		e.Send(e.SpawnFunc(receive, "resident", actor.WithID(strconv.Itoa(i)), actor.WithInboxSize(inboxSize)), 1)
	}
	return tally.Wait()
}

// spawn starts actors, each of which handles a message.
func spawn(job measure.Job) (measure.Result, error) {
	e, err := newEngine()
	if err != nil {
		return measure.Result{}, err
	}
	tally, next := measure.NewTally(), 0
	clear := func() error {
		for i := next - job.Size; i < next && i >= 0; i++ {
			<-e.Stop(e.Registry.GetPID("resident", strconv.Itoa(i))).Done()
		}
		return nil
	}
	return measure.Loop(job.Span, clear, func() (int, error) {
		next += job.Size
		return job.Size, greet(e, next-job.Size, next, tally)
	})
}

func idle(job measure.Job) (measure.Result, error) {
	e, err := newEngine()
	if err != nil {
		return measure.Result{}, err
	}
	defer runtime.KeepAlive(e) // all of it is garbage otherwise
	tally := measure.NewTally()
	return measure.Growth(job.Size, func(from, to int) error { return greet(e, from, to, tally) })
}

func pingPong(job measure.Job) (measure.Result, error) {
	e, err := newEngine()
	if err != nil {
		return measure.Result{}, err
	}
	tally := measure.NewTally()
	players := make([]*actor.PID, 2*job.Size)
	for i := range players {
		peer := actor.NewPID(e.Address(), "player/"+strconv.Itoa(i^1))
		players[i] = e.SpawnFunc(func(c *actor.Context) {
			if left, ok := c.Message().(int); ok && left > 0 {
				c.Send(peer, left-1)
			} else if ok {
				tally.Hit()
			}
		}, "player", actor.WithID(strconv.Itoa(i)))
	}
	rally := measure.Rally(job.Size)
	return measure.Loop(job.Span, nil, func() (int, error) {
		tally.Expect(job.Size)
		for i := 0; i < len(players); i += 2 {
			e.Send(players[i], rally)
		}
		return job.Size * (rally + 1), tally.Wait()
	})
}

func fanIn(job measure.Job) (measure.Result, error) {
	e, err := newEngine()
	if err != nil {
		return measure.Result{}, err
	}
	tally, n, perRound := measure.NewTally(), 0, job.Size*measure.FanInEach
	sink := crew(e, "sink", 1, func(c *actor.Context) {
		if _, ok := c.Message().(int); !ok {
			return
		}
		if n++; n == perRound {
			n = 0
			tally.Hit()
		}
	})[0]
	senders := crew(e, "sender", job.Size, func(c *actor.Context) {
		if _, ok := c.Message().(int); ok {
			for i := range measure.FanInEach {
				c.Send(sink, i)
			}
		}
	})
	return measure.Loop(job.Span, nil, func() (int, error) {
		tally.Expect(1)
		for _, to := range senders {
			e.Send(to, 1)
		}
		return perRound, tally.Wait()
	})
}

func broadcast(job measure.Job) (measure.Result, error) {
	e, err := newEngine()
	if err != nil {
		return measure.Result{}, err
	}
	tally := measure.NewTally()
	receivers := crew(e, "receiver", job.Size, resident(tally), actor.WithInboxSize(inboxSize))
	speaker := crew(e, "speaker", 1, func(c *actor.Context) {
		if msg, ok := c.Message().(int); ok {
			for _, to := range receivers {
				c.Send(to, msg)
			}
		}
	})[0]
	return measure.Loop(job.Span, nil, func() (int, error) {
		tally.Expect(job.Size)
		e.Send(speaker, 1)
		return job.Size, tally.Wait()
	})
}

// echo answers with the request.
func echo(c *actor.Context) {
	if msg, ok := c.Message().(int); ok {
		c.Respond(msg)
	}
}

// callInside makes calls from an actor, which waits for each answer: there is no other way.
func callInside(job measure.Job) (measure.Result, error) {
	e, err := newEngine()
	if err != nil {
		return measure.Result{}, err
	}
	tally, server := measure.NewTally(), crew(e, "server", 1, echo)[0]
	var failed error // read after the tally
	asker := crew(e, "asker", 1, func(c *actor.Context) {
		if _, ok := c.Message().(int); ok {
			failed = calls(func(i int) *actor.Response { return c.Request(server, measure.Asked(i), measure.Patience) })
			tally.Hit()
		}
	})[0]
	return measure.Loop(job.Span, nil, func() (int, error) {
		tally.Expect(1)
		e.Send(asker, 1)
		if err := tally.Wait(); err != nil {
			return 0, err
		}
		return measure.CallsEach, failed
	})
}

// callOutside makes calls from a goroutine that is no actor.
func callOutside(job measure.Job) (measure.Result, error) {
	e, err := newEngine()
	if err != nil {
		return measure.Result{}, err
	}
	server := crew(e, "server", 1, echo)[0]
	return measure.Loop(job.Span, nil, func() (int, error) {
		return measure.CallsEach, calls(func(i int) *actor.Response { return e.Request(server, measure.Asked(i), measure.Patience) })
	})
}

func calls(ask func(i int) *actor.Response) error {
	for i := range measure.CallsEach {
		if got, err := ask(i).Result(); err != nil || got != measure.Asked(i) {
			return fmt.Errorf("call %d: %v, %w", i, got, err)
		}
	}
	return nil
}

// restart crashes actors that restart themselves: there are no supervisors.
func restart(job measure.Job) (measure.Result, error) {
	e, err := newEngine()
	if err != nil {
		return measure.Result{}, err
	}
	up := measure.NewTally()
	up.Expect(job.Size)
	pids := crew(e, "fragile", job.Size, func(c *actor.Context) {
		switch c.Message().(type) {
		case actor.Started:
			up.Hit()
		case int:
			panic("told to")
		}
	}, actor.WithInboxSize(inboxSize), actor.WithMaxRestarts(math.MaxInt32), actor.WithRestartDelay(0))
	if err := up.Wait(); err != nil {
		return measure.Result{}, err
	}
	return measure.Loop(job.Span, nil, func() (int, error) {
		up.Expect(job.Size)
		for _, pid := range pids {
			e.Send(pid, 1)
		}
		return job.Size, up.Wait()
	})
}
