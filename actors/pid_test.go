package actors_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/jackdaw-im/jackdaw/actors"
)

// TestPID: protoactor's own actors and futures reach ours: casts, calls, watches, and a stop.
func TestPID(t *testing.T) {
	s := system(t, actors.Config{Workers: 2})
	defer stop(t, s)
	heard := make(chan any, 10)
	c := spawn(t, s, "a", &restarter{}, &probe{
		handle: func(_ *actors.Context, m any) error { heard <- m; return nil },
		call: func(_ *actors.Context, _ actors.From, req any) (any, error) {
			if req == "bad" {
				return nil, errors.New("no")
			}
			return fmt.Sprint(req, "!"), nil
		},
	})
	root, pid := s.ActorSystem().Root, actors.PID(c.Ref())
	root.Send(pid, "hello")
	if m := <-heard; m != "hello" {
		t.Errorf("heard %v", m)
	}
	if v, err := root.RequestFuture(pid, "ping", time.Minute).Result(); v != "ping!" || err != nil {
		t.Errorf("a call: %v, %v", v, err)
	}
	if v, err := root.RequestFuture(pid, "bad", time.Minute).Result(); err != nil || fmt.Sprint(v) != "no" {
		t.Errorf("a call that is refused: %v, %v", v, err)
	}
	watched, gone := make(chan bool, 1), make(chan *actor.Terminated, 2)
	nobody := actors.PID(actors.Ref{Kind: "no", ID: "body"})
	watcher := root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		switch m := ctx.Message().(type) {
		case *actor.Started:
			ctx.Watch(pid)
			ctx.Unwatch(pid)
			ctx.Watch(pid)
			ctx.Watch(nobody)
			watched <- true
		case *actor.Terminated:
			gone <- m
		}
	}))
	defer root.Stop(watcher)
	<-watched
	if m := <-gone; !m.Who.Equal(nobody) || m.Why != actor.TerminatedReason_NotFound {
		t.Errorf("of nobody: %v", m)
	}
	root.Stop(pid)
	if m := <-gone; !m.Who.Equal(pid) || m.Why != actor.TerminatedReason_Stopped {
		t.Errorf("at the end: %v", m)
	}
	if _, err := root.RequestFuture(pid, "late", time.Minute).Result(); !errors.Is(err, actor.ErrDeadLetter) {
		t.Errorf("a call to one that has ended: %v", err)
	}
	if len(gone) != 0 {
		t.Error("told twice")
	}
}

// TestPIDRefused: a call of protoactor's that nobody takes is answered once.
func TestPIDRefused(t *testing.T) {
	s := system(t, actors.Config{Workers: 1})
	defer stop(t, s)
	hang, hung := make(gate), make(chan bool, 2)
	defer close(hang)
	full, err := s.Spawn(actors.Spec{Kind: "full", QueueLen: 1, New: func() actors.Behaviour {
		return &probe{handle: func(ctx *actors.Context, _ any) error { hung <- true; return hang.wait(ctx) }}
	}}, actors.Ref{Kind: "full", ID: "a"}, nil, &restarter{})
	if err != nil {
		t.Fatal(err)
	}
	_ = s.Cast(full.Ref(), "hang")
	<-hung
	_ = s.Cast(full.Ref(), "wait")
	heard := make(chan string, 10)
	root := s.ActorSystem().Root
	asker := root.Spawn(actor.PropsFromFunc(func(ctx actor.Context) {
		switch m := ctx.Message().(type) {
		case actors.Ref:
			ctx.Request(actors.PID(m), "ping")
			ctx.Send(ctx.Self(), "refused")
		case *actor.DeadLetterResponse, error:
			heard <- fmt.Sprintf("%T", m)
		case string:
			heard <- m
		}
	}))
	root.Send(asker, full.Ref())
	root.Send(asker, actors.Ref{Kind: "no", ID: "body"})
	for _, want := range []string{"*errors.errorString", "refused", "*actor.DeadLetterResponse", "refused"} {
		if got := <-heard; got != want {
			t.Errorf("heard %s, want %s", got, want)
		}
	}
	_ = root.StopFuture(asker).Wait()
}
