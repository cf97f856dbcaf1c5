package actors

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"weak"
)

// chore is a behaviour of one function.
type chore func(*Context, any) error

func (chore) Init(*Context, any) error                      { return nil }
func (f chore) Handle(ctx *Context, msg any) error          { return f(ctx, msg) }
func (f chore) HandleCall(*Context, From, any) (any, error) { return NoReply, nil }

// ender ends each child that crashes.
type ender struct{}

func (ender) Exited(c *Child, reason Reason) {
	if !reason.Ended() {
		c.End(reason)
	}
}

func newSystem(t *testing.T) *System {
	s := NewSystem(Config{Workers: 2})
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	return s
}

func start(t *testing.T, s *System, kind, id string, blocking bool, f chore) *Child {
	t.Helper()
	c, err := s.Spawn(Spec{Kind: kind, Blocking: blocking, New: func() Behaviour { return f }}, Ref{Kind: kind, ID: id}, nil, ender{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestNothingOfTheEndedIsLeft: neither names nor monitors nor timers, however an actor ends, be it within a handler that hangs.
func TestNothingOfTheEndedIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSystem(t)
		release := make(chan struct{})
		open := sync.OnceFunc(func() { close(release) })
		defer func() {
			open()
			if err := s.Stop(context.Background()); err != nil {
				t.Error(err)
			}
		}()
		watched := start(t, s, "watched", "a", false, func(*Context, any) error { return nil })
		busy := func(ctx *Context, msg any) error {
			switch msg {
			case "work":
				for range 20 {
					ctx.Monitor(watched.Ref())
					ctx.SendAfter(100*time.Hour, "never")
					ctx.Call(watched.Ref(), "?", 100*time.Hour)
				}
			case "crash":
				return errors.New("on purpose")
			case "stop":
				ctx.Stop(Normal)
			case "hang":
				<-release
			}
			return nil
		}
		var hung *Child
		for i, end := range []func(c *Child){
			func(c *Child) { _ = s.Cast(c.Ref(), "crash") },
			func(c *Child) { _ = s.Cast(c.Ref(), "stop") },
			func(c *Child) { synctest.Wait(); c.Stop(Shutdown) },
			func(c *Child) { synctest.Wait(); c.End(Killed) },
			func(c *Child) { _ = s.Cast(c.Ref(), "hang"); synctest.Wait(); hung = c; c.End(Killed) },
		} {
			c := start(t, s, "busy", fmt.Sprint(i), false, busy)
			_ = s.Cast(c.Ref(), "work")
			end(c)
		}
		synctest.Wait()
		left := func(want int) {
			t.Helper()
			names, monitors := 0, 0
			s.registry.each(func(*process) bool { names++; return true })
			for i := range s.watches.shards {
				for _, list := range s.watches.shards[i].m {
					monitors += len(list)
				}
			}
			s.wheel.mu.Lock()
			timers := s.wheel.live
			s.wheel.mu.Unlock()
			if want == 1 {
				timers /= 2 // a deadline for each call, too
			}
			if names != 1 || monitors != 20*want || timers != 20*want {
				t.Fatalf("%d names, %d monitors, %d timers are left; want those of %d", names, monitors, timers, want)
			}
		}
		left(1) // the one that hangs: its turn has them
		if s.registry.find(hung.Ref()) != nil {
			t.Fatal("what hangs keeps its name")
		}
		open()
		synctest.Wait()
		left(0)
	})
}

// TestStopNamesWhatHangs: it returns when its time is over, and says which handlers it leaves behind: those on a worker, on a
// replaced one, and on a goroutine of their own.
func TestStopNamesWhatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSystem(t)
		release := make(chan struct{})
		hang := chore(func(*Context, any) error { <-release; return nil })
		for i := range 5 {
			_ = s.Cast(start(t, s, "stuck", fmt.Sprint(i), false, hang).Ref(), "hang")
		}
		_ = s.Cast(start(t, s, "alone", "a", true, hang).Ref(), "hang")
		_ = s.Cast(start(t, s, "fine", "a", false, func(*Context, any) error { return nil }).Ref(), "work")
		time.Sleep(time.Second)
		_ = s.Cast(start(t, s, "stuck", "last", false, hang).Ref(), "hang")
		synctest.Wait() // on a worker that isn't replaced yet
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begin := time.Now()
		err := s.Stop(ctx)
		close(release)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Minute {
			t.Fatalf("after %v: %v", time.Since(begin), err)
		}
		for _, ref := range []string{"stuck/0", "stuck/4", "alone/a", "stuck/last"} {
			if !strings.Contains(err.Error(), ref) {
				t.Errorf("%s is not named in: %v", ref, err)
			}
		}
		if strings.Contains(err.Error(), "fine/") {
			t.Errorf("one that has returned is named in: %v", err)
		}
	})
}

// TestStopNamesFew: of hundreds that hang an error names ten.
func TestStopNamesFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSystem(t)
		release := make(chan struct{})
		for i := range 37 {
			_ = s.Cast(start(t, s, "alone", fmt.Sprint(i), true, func(*Context, any) error { <-release; return nil }).Ref(), "hang")
		}
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.Stop(ctx); err == nil || strings.Count(err.Error(), "alone/") != maxNamed || !strings.Contains(err.Error(), "27 more") {
			t.Errorf("got %v", err)
		}
		close(release)
	})
}

// large is a behaviour with something to lose.
type large struct{ _ [1 << 16]byte }

func (*large) Init(*Context, any) error   { return nil }
func (*large) Handle(*Context, any) error { return nil }

// TestStateOfTheEnded isn't held by the timer that would have looked whether it is idle.
func TestStateOfTheEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSystem(t)
		defer func() { _ = s.Stop(context.Background()) }()
		var state weak.Pointer[large]
		c, err := s.Spawn(Spec{Kind: "large", IdleTimeout: 100 * time.Hour, New: func() Behaviour {
			l := &large{}
			state = weak.Make(l)
			return l
		}}, Ref{Kind: "large", ID: "a"}, nil, ender{})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if runtime.GC(); state.Value() == nil {
			t.Fatal("the state is gone too soon")
		}
		c.Stop(Shutdown)
		synctest.Wait()
		if runtime.GC(); state.Value() != nil {
			t.Error("the state is still held")
		}
	})
}

// debtor answers calls when it is told to.
type debtor struct{ froms []From }

func (*debtor) Init(*Context, any) error { return nil }

func (d *debtor) Handle(ctx *Context, _ any) error {
	for _, f := range d.froms[1:] {
		ctx.Reply(f, "late", nil)
	}
	d.froms = d.froms[:1]
	return nil
}

func (d *debtor) HandleCall(_ *Context, from From, _ any) (any, error) {
	d.froms = append(d.froms, from)
	return NoReply, nil
}

// TestAnsweredIsForgotten: an actor that hibernates keeps only the calls that it still owes an answer.
func TestAnsweredIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSystem(t)
		defer func() { _ = s.Stop(context.Background()) }()
		d, err := s.Spawn(Spec{Kind: "debtor", HibernateAfter: time.Second, New: func() Behaviour { return &debtor{} }}, Ref{Kind: "debtor", ID: "a"}, nil, ender{})
		if err != nil {
			t.Fatal(err)
		}
		asker := start(t, s, "asker", "a", false, func(ctx *Context, msg any) error {
			for i := 0; i < 100 && msg == "ask"; i++ {
				ctx.Call(d.Ref(), "?", time.Hour)
			}
			return nil
		})
		_ = s.Cast(asker.Ref(), "ask")
		synctest.Wait()
		_ = s.Cast(d.Ref(), "answer")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if owed := d.p.ext.owed; len(owed) != 1 || cap(owed) > 2 {
			t.Errorf("it holds %d calls, with room for %d", len(owed), cap(owed))
		}
	})
}
