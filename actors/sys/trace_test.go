package sys_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/sys"
)

// tracing is a trace that runs beside the test.
type tracing struct {
	lines  []string
	events []actors.TraceEvent
	done   chan error
	fail   error // what f returns
}

// trace starts one, and waits until it is on.
func (r *rig) trace(ctx context.Context, ref actors.Ref, n int, fail error) *tracing {
	t := &tracing{done: make(chan error, 1), fail: fail}
	go func() {
		t.done <- sys.Trace(ctx, r.sys, ref, operator, n, func(e actors.TraceEvent) error {
			t.events = append(t.events, e)
			t.lines = append(t.lines, strings.TrimSpace(fmt.Sprintf("%s %s %v", e.How, e.Kind, e.Sent)))
			return t.fail
		})
	}()
	synctest.Wait()
	return t
}

func (r *rig) ended(t *tracing, want error, lines ...string) {
	r.Helper()
	if err := <-t.done; !errors.Is(err, want) {
		r.Errorf("the trace ended with %v, want %v", err, want)
	}
	if !slices.Equal(t.lines, lines) {
		r.Errorf("it saw %q, want %q", t.lines, lines)
	}
}

func TestTrace(t *testing.T) {
	run(t, func(r *rig) {
		trace := r.trace(r.ctx, plain, 5, nil)
		r.cast(plain, 1, canary, send{formatted})
		r.count(plain)
		r.cast(plain, later{time.Second})
		r.ended(trace, nil, "cast int []", "cast string []", "cast sys_test.send [{polite/polite string}]", "call string []", "cast sys_test.later []")
		r.cast(plain, 1)
		time.Sleep(time.Minute)
		trace = r.trace(r.ctx, plain, 1, nil)
		r.cast(plain, later{time.Second})
		r.ended(trace, nil, "cast sys_test.later []")
		trace = r.trace(r.ctx, plain, 1, nil)
		time.Sleep(time.Minute)
		r.ended(trace, nil, "timer int []")
		for _, n := range []int{0, -1, sys.MaxTrace + 1} {
			if err := sys.Trace(r.ctx, r.sys, plain, operator, n, nil); err == nil {
				t.Errorf("%d messages are traced", n)
			}
		}
		if err := sys.Trace(r.ctx, r.sys, nobody, operator, 1, nil); !errors.Is(err, actors.ErrNoProc) {
			t.Errorf("nobody is traced: %v", err)
		}
	})
}

func TestTraceOfACrash(t *testing.T) {
	run(t, func(r *rig) {
		trace := r.trace(r.ctx, plain, 3, nil)
		juliet := actors.Ref{Kind: "tally", ID: "juliet@example.org"}
		r.cast(plain, crash{fmt.Errorf("tally: %w", errors.New(canary))}, send{plain}, 1)
		if err := <-trace.done; err != nil {
			t.Fatal(err)
		}
		if text := fmt.Sprintf("%+v", trace.events); strings.Contains(text, canary) {
			t.Errorf("it shows content: %s", text)
		}
		if err := trace.events[0].Err; err == nil || !strings.Contains(err.Error(), "errorString") {
			t.Errorf("the crash is %v", err)
		}
		if got := fmt.Sprint(trace.events[1].Sent); got != "[{tally/romeo@example.org string}]" {
			t.Errorf("its own address is %s", got)
		}
		trace = r.trace(r.ctx, plain, 1, nil)
		r.cast(plain, send{juliet}) // who isn't there: a crash
		r.ended(trace, nil, "cast sys_test.send [{tally/... string}]")
	})
}

func TestTraceEnds(t *testing.T) {
	run(t, func(r *rig) {
		ctx, cancel := context.WithCancel(r.ctx)
		trace := r.trace(ctx, plain, 100, nil)
		r.cast(plain, 1)
		cancel()
		r.ended(trace, context.Canceled, "cast int []")
		enough := errors.New("enough")
		trace = r.trace(r.ctx, plain, 100, enough)
		r.cast(plain, 1)
		r.ended(trace, enough, "cast int []")

		first, second := r.trace(r.ctx, plain, 100, nil), r.trace(r.ctx, plain, 2, nil)
		r.ended(first, sys.ErrTraced)
		r.cast(plain, 1, 2)
		r.ended(second, nil, "cast int []", "cast int []")
	})
}

// An actor that ends for good ends its trace.
func TestTraceOfAnEnd(t *testing.T) {
	run(t, func(r *rig) {
		ref := actors.Ref{Kind: "tally", ID: "short-lived"}
		if _, err := r.some.StartChild(ref.ID, r.stop); err != nil {
			t.Fatal(err)
		}
		trace := r.trace(r.ctx, ref, 100, nil)
		r.cast(ref, 1, crash{errors.New("on purpose")})
		r.ended(trace, actors.ErrNoProc, "cast int []", "cast sys_test.crash []")
	})
}

// What waits for Resume is seen when it is handled, once.
func TestTraceOfASuspendedOne(t *testing.T) {
	run(t, func(r *rig) {
		r.cast(plain, later{time.Second})
		if err := sys.Suspend(r.ctx, r.sys, plain, operator); err != nil {
			t.Fatal(err)
		}
		trace := r.trace(r.ctx, plain, 2, nil)
		r.cast(plain, "x")
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(trace.events) > 0 {
			t.Errorf("suspended, it has seen %q", trace.lines)
		}
		if err := sys.Resume(r.ctx, r.sys, plain, operator); err != nil {
			t.Fatal(err)
		}
		err := <-trace.done
		slices.Sort(trace.lines)
		if want := []string{"cast string []", "timer int []"}; err != nil || !slices.Equal(trace.lines, want) {
			t.Errorf("resumed, it saw %q, %v", trace.lines, err)
		}
	})
}

// The trace of a stuck actor ends without it.
func TestTraceOfAStuckOne(t *testing.T) {
	run(t, func(r *rig) {
		ctx, cancel := context.WithCancel(r.ctx)
		trace := r.trace(ctx, plain, 100, nil)
		r.cast(plain, 1, stick{})
		began := time.Now()
		cancel()
		r.ended(trace, context.Canceled, "cast int []")
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("it took %v", took)
		}
		r.stop <- struct{}{}
		r.cast(plain, 2)
		if n := r.count(plain); n != 3 || len(trace.events) != 1 {
			t.Errorf("it goes on with %d, and the trace with %q", n, trace.lines)
		}
	})
}
