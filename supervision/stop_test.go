package supervision_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// observed is run with a system whose log can be read.
func observed(t *testing.T, f func(r *rig, logs *observer.ObservedLogs)) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zapcore.InfoLevel)
		within(t, actors.Config{Logger: zap.New(core)}, func(r *rig) { f(r, logs) })
	})
}

// slow is a worker whose end takes as long as its arguments say.
func (r *rig) slow(id string, takes time.Duration) supervision.ChildSpec {
	c := r.worker(id)
	c.Spec.Blocking = true
	c.Spec.New = func() actors.Behaviour {
		return &slow{child{id: id, j: r.j, hang: r.hang}, takes}
	}
	return c
}

type slow struct {
	child
	takes time.Duration
}

func (s *slow) Terminate(ctx *actors.Context, reason actors.Reason) {
	<-time.After(s.takes)
	s.child.Terminate(ctx, reason)
}

// stop stops the tree and returns how long that took.
func (r *rig) stop() time.Duration {
	r.t.Helper()
	begin := time.Now()
	if err := r.root.Stop(context.Background()); err != nil {
		r.t.Fatal(err)
	}
	r.root = nil
	return time.Since(begin)
}

// TestStopOneAfterTheOther: in reverse order, and none before the one after it has ended.
func TestStopOneAfterTheOther(t *testing.T) {
	run(t, func(r *rig) {
		r.start(supervision.SupervisorSpec{ID: "sup", Children: []supervision.ChildSpec{
			r.slow("a", 3*time.Second), r.slow("b", 0), r.slow("c", time.Second),
			supervision.Sup(supervision.SupervisorSpec{ID: "below", Children: []supervision.ChildSpec{r.worker("d"), r.slow("e", 2*time.Second)}}),
			r.worker("f"),
		}})
		r.want("+a +b +c +d +e +f")
		if took := r.stop(); took < 6*time.Second || took > 6100*time.Millisecond {
			t.Errorf("the stop took %v", took)
		}
		r.want("-f -e -d -c -b -a")
	})
}

// TestHungChildInTheMiddle: each waits for its own time and no more; what hangs is named in the log, and the rest stops in order.
func TestHungChildInTheMiddle(t *testing.T) {
	for name, c := range map[string]struct {
		shutdown   time.Duration
		took       time.Duration
		leftBehind int
	}{
		"a time":      {2 * time.Second, 2 * time.Second, 1},
		"the default": {0, supervision.DefaultShutdown, 1},
		"brutal":      {supervision.Brutal, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			observed(t, func(r *rig, logs *observer.ObservedLogs) {
				b := r.worker("b")
				b.Shutdown = c.shutdown
				r.start(supervision.SupervisorSpec{ID: "sup", Children: []supervision.ChildSpec{r.worker("a"), b, r.worker("c")}})
				r.cast("b", "hang")
				r.cast("b", "lost")
				r.want("+a +b +c")
				if took := r.stop(); took < c.took || took > c.took+100*time.Millisecond {
					t.Errorf("the stop took %v, want %v", took, c.took)
				}
				r.want("-c -a")
				left := logs.FilterMessageSnippet("left behind").All()
				if len(left) != c.leftBehind {
					t.Fatalf("%d left behind in the log", len(left))
				}
				for _, l := range left {
					if m := l.ContextMap(); l.Level != zapcore.ErrorLevel || m["supervisor"] != "root.sup" || m["child"] != "b" || m["actor"] != "wb/b" {
						t.Errorf("the log says %v: %v", l.Level, m)
					}
				}
				if n := r.sys.Snapshot().DeadLetters["wb"]; n != 1 {
					t.Errorf("%d dead letters of its queue", n)
				}
			})
		})
	}
}

// TestInfinityWaits: longer than any default, and the tree's own stop gives up by its context only; a second one takes over.
func TestInfinityWaits(t *testing.T) {
	run(t, func(r *rig) {
		b := r.worker("b")
		b.Shutdown = supervision.Infinity
		r.start(supervision.SupervisorSpec{ID: "sup", Children: []supervision.ChildSpec{r.worker("a"), b}})
		hang := r.hang
		r.hang = make(chan struct{}) // the rig closes another one
		r.cast("b", "hang")
		r.want("+a +b")
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := r.root.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "root") {
			t.Errorf("got %v", err)
		}
		select {
		case reason := <-r.root.Done():
			t.Errorf("it is done (%v) while a child hangs", reason)
		default:
		}
		r.want("")
		close(hang)
		r.stop()
		r.want("-b -a")
	})
}

// TestBrutalEndsWithoutTerminate: and the name is free for the next.
func TestBrutalEndsWithoutTerminate(t *testing.T) {
	run(t, func(r *rig) {
		b := r.worker("b")
		b.Shutdown = supervision.Brutal
		r.start(supervision.SupervisorSpec{ID: "sup", Strategy: supervision.OneForAll, Children: []supervision.ChildSpec{r.worker("a"), b, r.worker("c")}})
		r.want("+a +b +c")
		r.cast("a", "crash")
		r.want("-a -c +a +b +c")
		r.cast("b", "hello")
		r.want("b:hello")
		r.stop()
		r.want("-c -a")
	})
}

// TestCrashWhileItStops: a child that crashes as it is told to stop has stopped, at once.
func TestCrashWhileItStops(t *testing.T) {
	run(t, func(r *rig) {
		c := r.worker("c")
		c.Spec.New = func() actors.Behaviour { return &dying{child{id: "c", j: r.j}} }
		r.start(supervision.SupervisorSpec{ID: "sup", Children: []supervision.ChildSpec{r.worker("a"), c}})
		r.want("+a +c")
		if took := r.stop(); took > time.Second {
			t.Errorf("the stop took %v", took)
		}
		r.want("-c -a")
	})
}

// dying panics in Terminate.
type dying struct{ child }

func (d *dying) Terminate(ctx *actors.Context, reason actors.Reason) {
	d.child.Terminate(ctx, reason)
	panic("on purpose")
}

// TestEndsWhileAnotherStops: one that ends by itself, or crashes, while it waits for its turn to be stopped isn't waited for; be it
// a supervisor, which would be for ever.
func TestEndsWhileAnotherStops(t *testing.T) {
	for _, msg := range []string{"stop", "crash"} {
		t.Run(msg, func(t *testing.T) {
			observed(t, func(r *rig, logs *observer.ObservedLogs) {
				below := supervision.Sup(supervision.SupervisorSpec{ID: "below", Intensity: -1, Children: []supervision.ChildSpec{r.worker("a")}})
				r.start(supervision.SupervisorSpec{ID: "sup", Children: []supervision.ChildSpec{below, r.worker("b"), r.slow("c", 2*time.Second)}})
				r.want("+a +b +c")
				done := make(chan time.Duration)
				go func() { done <- r.stop() }()
				synctest.Wait() // c is about to stop
				r.cast("b", msg)
				r.cast("a", "crash") // and so its supervisor ends
				if took := <-done; took > 2500*time.Millisecond {
					t.Errorf("the stop took %v", took)
				}
				r.want("-b -a -c")
				if n := logs.FilterMessageSnippet("left behind").Len(); n != 0 {
					t.Errorf("%d left behind in the log", n)
				}
			})
		})
	}
}

// TestCrashWhileAnotherStops: in a group that is started again anyway, that was its restart.
func TestCrashWhileAnotherStops(t *testing.T) {
	run(t, func(r *rig) {
		r.start(supervision.SupervisorSpec{ID: "sup", Strategy: supervision.OneForAll, Children: []supervision.ChildSpec{r.worker("a"), r.worker("b"), r.slow("c", time.Second)}})
		r.want("+a +b +c")
		r.cast("b", "crash")
		r.cast("a", "crash")
		r.want("-b -a")
		time.Sleep(5 * time.Second)
		r.want("-c +a +b +c")
	})
}

// TestTimeoutOfAnEarlierStop: a child that is being stopped has its own time, though that of its predecessor's stop ends meanwhile.
func TestTimeoutOfAnEarlierStop(t *testing.T) {
	run(t, func(r *rig) {
		takes := time.Second
		b := r.slow("b", 0)
		b.Shutdown = 3 * time.Second
		b.Spec.New = func() actors.Behaviour { return &slow{child{id: "b", j: r.j}, takes} }
		r.start(supervision.SupervisorSpec{ID: "sup", Strategy: supervision.OneForAll, Children: []supervision.ChildSpec{r.worker("a"), b}})
		r.want("+a +b")
		takes = 2500 * time.Millisecond // the second's
		r.cast("a", "crash")
		time.Sleep(2 * time.Second)
		r.want("-a -b +a +b")
		r.cast("a", "crash")
		time.Sleep(1500 * time.Millisecond) // the first one's time is over
		r.want("-a")
		time.Sleep(1100 * time.Millisecond)
		r.want("-b +a +b")
	})
}

// TestStopWhileItStarts: what hangs in Init is left behind as one that hangs elsewhere; what has not been started isn't.
func TestStopWhileItStarts(t *testing.T) {
	run(t, func(r *rig) {
		b := supervision.Actor("b", actors.Spec{Kind: "wb", Blocking: true, New: func() actors.Behaviour {
			return &child{id: "b", j: r.j, fail: func() error { <-r.hang; return nil }}
		}}, nil)
		b.Shutdown = 3 * time.Second
		started := make(chan error)
		go func() {
			_, err := supervision.StartRoot(r.sys, supervision.SupervisorSpec{ID: "root", Children: []supervision.ChildSpec{r.worker("a"), b, r.worker("c")}})
			started <- err
		}()
		r.want("+a")
		begin := time.Now()
		r.endRoot("root")
		if err := <-started; err == nil || time.Since(begin) < 3*time.Second {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
		r.want("-a")
	})
}

// TestService: Stop of a Runner has the time that the spec gives it, and is left behind when it takes longer by a second.
func TestServiceStopDeadline(t *testing.T) {
	for name, c := range map[string]struct {
		obeys bool
		took  time.Duration
		said  string
	}{
		"obeys": {true, 2 * time.Second, "a service did not stop in order"},
		"hangs": {false, 3 * time.Second, "a child did not stop in time and is left behind"},
	} {
		t.Run(name, func(t *testing.T) {
			observed(t, func(r *rig, logs *observer.ObservedLogs) {
				svc := supervision.Service("svc", 2*time.Second, func() (supervision.Runner, error) { return &stubborn{r.hang, c.obeys}, nil })
				r.start(supervision.SupervisorSpec{ID: "sup", Children: []supervision.ChildSpec{r.worker("a"), svc}})
				r.want("+a")
				if took := r.stop(); took < c.took || took > c.took+100*time.Millisecond {
					t.Errorf("the stop took %v, want %v", took, c.took)
				}
				r.want("-a")
				if logs.FilterMessage(c.said).Len() != 1 || logs.Len() != 1 {
					t.Errorf("the log says %v", logs.All())
				}
			})
		})
	}
}

// stubborn doesn't stop before its deadline, if ever.
type stubborn struct {
	hang  chan struct{}
	obeys bool
}

func (*stubborn) Start() error { return nil }

func (s *stubborn) Stop(ctx context.Context) error {
	if !s.obeys {
		<-s.hang
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

// TestServiceThatCantBeMade: the error of make is that of the start; a service that fails at a restart uses up the intensity.
func TestServiceThatCantBeMade(t *testing.T) {
	run(t, func(r *rig) {
		var fail error
		starts := 0
		svc := supervision.Service("svc", time.Second, func() (supervision.Runner, error) {
			if starts++; fail != nil {
				return nil, fail
			}
			return &runner{r.j, false}, nil
		})
		root, err := supervision.StartRoot(r.sys, supervision.SupervisorSpec{ID: "root", Intensity: 2, Children: []supervision.ChildSpec{svc, r.worker("a")}, Strategy: supervision.OneForAll})
		if err != nil {
			t.Fatal(err)
		}
		r.want("start +a")
		fail = fmt.Errorf("no certificate")
		r.cast("a", "crash")
		if reason := <-root.Done(); reason != actors.Shutdown || starts != 1+2 {
			t.Fatalf("ended with %v after %d starts", reason, starts)
		}
		r.want("-a stop")
		if _, err = supervision.StartRoot(r.sys, supervision.SupervisorSpec{ID: "other", Children: []supervision.ChildSpec{svc}}); !errors.Is(err, fail) {
			t.Fatalf("got %v", err)
		}
	})
}

// endRoot tells a root to end, without waiting.
func (r *rig) endRoot(id string) {
	r.t.Helper()
	if err := r.sys.Answer(actors.Ref{Kind: "root", ID: id}, supervision.StopSelf(actors.Shutdown)); err != nil {
		r.t.Fatal(err)
	}
}
