package actors_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
)

// probe is a behaviour made of functions.
type probe struct {
	init      func(*actors.Context, any) error
	handle    func(*actors.Context, any) error
	call      func(*actors.Context, actors.From, any) (any, error)
	terminate func(*actors.Context, actors.Reason)
}

func (p *probe) Init(ctx *actors.Context, args any) error {
	if p.init == nil {
		return nil
	}
	return p.init(ctx, args)
}

func (p *probe) Handle(ctx *actors.Context, msg any) error {
	if p.handle == nil {
		return nil
	}
	return p.handle(ctx, msg)
}

func (p *probe) HandleCall(ctx *actors.Context, from actors.From, req any) (any, error) {
	return p.call(ctx, from, req)
}

func (p *probe) Terminate(ctx *actors.Context, r actors.Reason) {
	if p.terminate != nil {
		p.terminate(ctx, r)
	}
}

// restarter restarts each crashed child at once.
type restarter struct {
	mu      sync.Mutex
	reasons []actors.Reason
	restart bool
}

func (r *restarter) Exited(c *actors.Child, reason actors.Reason) {
	r.mu.Lock()
	r.reasons = append(r.reasons, reason)
	r.mu.Unlock()
	switch {
	case reason.IsNormal():
	case r.restart:
		c.Restart()
	default:
		c.End(reason)
	}
}

func system(t testing.TB, cfg actors.Config) *actors.System {
	s := actors.NewSystem(cfg)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	return s
}

func stop(t testing.TB, s *actors.System) {
	if err := s.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}

func spawn(t testing.TB, s *actors.System, id string, owner actors.Owner, p *probe) *actors.Child {
	t.Helper()
	c, err := s.Spawn(actors.Spec{Kind: "probe" + id, New: func() actors.Behaviour { return p }}, actors.Ref{Kind: "probe", ID: id}, "args", owner)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestOrderAndCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := system(t, actors.Config{Workers: 2})
		var got []int
		c := spawn(t, s, "a", &restarter{}, &probe{
			handle: func(_ *actors.Context, m any) error { got = append(got, m.(int)); return nil },
			call:   func(*actors.Context, actors.From, any) (any, error) { return len(got), nil },
		})
		for i := range 1000 {
			if err := s.Cast(c.Ref(), i); err != nil {
				t.Fatal(err)
			}
		}
		n, err := s.Call(t.Context(), c.Ref(), "how many?")
		if err != nil || n != 1000 {
			t.Fatalf("got %v, %v", n, err)
		}
		for i, v := range got {
			if i != v {
				t.Fatalf("message %d came at %d", v, i)
			}
		}
		stop(t, s)
	})
}

func TestCrashKeepsTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := system(t, actors.Config{Workers: 2})
		own := &restarter{restart: true}
		var got []any
		p := &probe{handle: func(_ *actors.Context, m any) error {
			if m == "crash" {
				panic("on purpose")
			}
			got = append(got, m)
			return nil
		}}
		c := spawn(t, s, "a", own, p)
		for _, m := range []any{1, "crash", 2, 3} {
			_ = s.Cast(c.Ref(), m)
		}
		synctest.Wait()
		if fmt.Sprint(got) != "[1 2 3]" || len(own.reasons) != 1 || own.reasons[0].Code != actors.CodeCrashed {
			t.Fatalf("got %v, reasons %v", got, own.reasons)
		}
		stop(t, s)
	})
}

func TestEndMakesDeadLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex // the sender's own are on its goroutine
		var dead []any
		s := system(t, actors.Config{Workers: 1, DeadLetter: func(_ actors.Ref, m any) {
			mu.Lock()
			defer mu.Unlock()
			dead = append(dead, m)
		}})
		p := &probe{handle: func(*actors.Context, any) error { return errors.New("no") }}
		c := spawn(t, s, "a", &restarter{}, p)
		for i := range 5 {
			_ = s.Cast(c.Ref(), i)
		}
		synctest.Wait()
		if len(dead) < 4 {
			t.Fatalf("dead letters %v", dead)
		}
		if err := s.Cast(c.Ref(), 9); !errors.Is(err, actors.ErrNoProc) {
			t.Fatalf("got %v", err)
		}
		stop(t, s)
	})
}

func TestMonitorTimerAndAsyncCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := system(t, actors.Config{Workers: 2})
		var heard []any
		start := time.Now()
		target := spawn(t, s, "t", &restarter{}, &probe{
			handle: func(ctx *actors.Context, m any) error { ctx.Stop(actors.Shutdown); return nil },
			call:   func(_ *actors.Context, _ actors.From, m any) (any, error) { return actors.NoReply, nil },
		})
		spawn(t, s, "w", &restarter{}, &probe{
			init: func(ctx *actors.Context, _ any) error {
				ctx.Monitor(target.Ref())
				ctx.Monitor(actors.Ref{Kind: "probe", ID: "nobody"})
				ctx.SendAfter(time.Minute, "tick")
				ctx.CancelTimer(ctx.SendAfter(time.Second, "never"))
				ctx.Call(target.Ref(), "hello", 5*time.Second)
				return nil
			},
			handle: func(ctx *actors.Context, m any) error {
				switch m := m.(type) {
				case actors.Down:
					heard = append(heard, m.Target.ID+" "+m.Reason.String())
				case *actors.Reply:
					heard = append(heard, fmt.Sprint(m.Err, " after ", time.Since(start).Round(time.Second)))
				default:
					heard = append(heard, fmt.Sprint(m, " after ", time.Since(start).Round(time.Second)))
				}
				return nil
			},
		})
		time.Sleep(2 * time.Minute)
		_ = s.Cast(target.Ref(), "stop")
		synctest.Wait()
		want := "[nobody noproc actors: no answer in time after 5s tick after 1m0s t shutdown]"
		if fmt.Sprint(heard) != want {
			t.Fatalf("heard %v, want %v", heard, want)
		}
		stop(t, s)
	})
}

// stuckTimes is enough for the watch to find a hundred stuck handlers, one worker after the other.
const stuckTimes = 3 * time.Second

// advance lets d pass in the bubble and everything settle.
func advance(d time.Duration) {
	onStage()
	time.Sleep(d)
	synctest.Wait()
}

// spin keeps a worker busy for longer than the pool bears.
func spin() {
	for begin := time.Now(); time.Since(begin) < 25*time.Millisecond; {
	}
}

// TestBlockingAtStop: blocking actors may be given something to do while the system waits for the last of them.
func TestBlockingAtStop(t *testing.T) {
	for range 100 {
		s := system(t, actors.Config{Workers: 1})
		c, err := s.Spawn(actors.Spec{Kind: "b", Blocking: true, New: func() actors.Behaviour { return &probe{} }}, actors.Ref{Kind: "b"}, nil, &restarter{})
		if err != nil {
			t.Fatal(err)
		}
		enough, done := make(chan bool), make(chan bool)
		go func() {
			defer close(done)
			for {
				select {
				case <-enough:
					return
				default:
					_ = s.Cast(c.Ref(), 1)
				}
			}
		}()
		stop(t, s)
		close(enough)
		<-done
	}
}
