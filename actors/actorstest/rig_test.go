package actorstest_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/actorstest"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// fake is the testing.TB of a test that is to fail.
type fake struct {
	testing.TB
	mu       sync.Mutex
	failures []string
	cleanups []func()
}

func (f *fake) Helper() {}

func (f *fake) Cleanup(c func()) { f.cleanups = append(f.cleanups, c) }

func (f *fake) Errorf(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failures = append(f.failures, fmt.Sprintf(format, args...))
}

func (f *fake) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	runtime.Goexit()
}

// failuresOf runs a test that is to fail, to its end, and returns how it fails.
func failuresOf(t *testing.T, cfg actorstest.Config, test func(k *actorstest.Kit)) string {
	t.Helper()
	f := &fake{TB: t}
	synctest.Test(t, func(*testing.T) {
		var wg sync.WaitGroup
		wg.Go(func() {
			defer func() {
				for _, c := range f.cleanups {
					c()
				}
			}()
			test(actorstest.New(f, cfg))
		})
		wg.Wait()
		time.Sleep(3 * actorstest.StopTime) // what the test has left ends by itself: a bubble waits for its goroutines
	})
	return strings.Join(f.failures, "\n")
}

// fails runs a test that is to fail with exactly this text.
func fails(t *testing.T, name, want string, test func(k *actorstest.Kit)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Helper()
		want = strings.TrimPrefix(want, "\n")
		if got := failuresOf(t, actorstest.Config{}, test); got != want {
			t.Errorf("the failure reads\n%s\n\nwant\n%s", got, want)
		}
	})
}

var errOnPurpose = errors.New("on purpose")

// Messages of the tally.
type (
	add  struct{ N int }
	tell struct{ To actors.Ref }
	wake struct{ After time.Duration }
	sum  struct{ N int }
	stay struct{ Until chan struct{} }
)

// tally is a behaviour to test the kit with: it adds numbers up, tells, is late, crashes and hangs.
type tally struct {
	sum   int
	wakes actors.Ref
}

func (b *tally) Init(_ *actors.Context, args any) error {
	if err, ok := args.(error); ok {
		return err
	}
	return nil
}

func (b *tally) Handle(ctx *actors.Context, msg any) error {
	switch m := msg.(type) {
	case add:
		b.sum += m.N
	case tell:
		return ctx.Cast(m.To, sum{b.sum})
	case wake:
		ctx.SendAfter(m.After, tell{b.wakes})
	case actors.Ref:
		b.wakes = m
	case stay:
		<-m.Until
	case error:
		return m
	}
	return nil
}

func (b *tally) HandleCall(_ *actors.Context, _ actors.From, req any) (any, error) {
	if err, ok := req.(error); ok {
		return nil, err
	}
	return sum{b.sum}, nil
}

var tallySpec = actors.Spec{Kind: "tally", New: func() actors.Behaviour { return new(tally) }}

func tallyChild(id string) supervision.ChildSpec { return supervision.Actor(id, tallySpec, nil) }

func tallyRef(id string) actors.Ref { return actors.Ref{Kind: "tally", ID: id} }
