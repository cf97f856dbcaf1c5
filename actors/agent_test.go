package actors_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
)

// agent is an actor that does what it is sent: functions run on its turn, everything else is noted in got.
type agent struct {
	s     *actors.System
	child *actors.Child
	got   []any
	lives int
	ends  []actors.Reason
}

var errOnPurpose = errors.New("on purpose")

// Requests to an agent.
type (
	do  func(*actors.Context) error
	ask func(*actors.Context, actors.From) (any, error)
)

func crash(*actors.Context) error { return errOnPurpose }

// stage orders what a test does before it lets time pass before the turns that timers begin then: time alone doesn't.
var stage sync.Mutex

func onStage() {
	stage.Lock()
	defer stage.Unlock()
}

func (a *agent) Init(*actors.Context, any) error { onStage(); a.lives++; return nil }

func (a *agent) Handle(ctx *actors.Context, msg any) error {
	onStage()
	if f, ok := msg.(do); ok {
		return f(ctx)
	}
	switch m := msg.(type) {
	case actors.Down:
		a.got = append(a.got, fmt.Sprintf("down %s %v", m.Target.ID, m.Reason))
	case actors.Exit:
		a.got = append(a.got, fmt.Sprintf("exit %s %v", m.From.ID, m.Reason))
	case *actors.Reply:
		a.got = append(a.got, fmt.Sprintf("reply %d %v %v", m.ID, m.Value, m.Err))
	default:
		a.got = append(a.got, msg)
	}
	return nil
}

func (a *agent) HandleCall(ctx *actors.Context, from actors.From, req any) (any, error) {
	onStage()
	if f, ok := req.(ask); ok {
		return f(ctx, from)
	}
	return req, nil
}

func (a *agent) Terminate(_ *actors.Context, r actors.Reason) { onStage(); a.ends = append(a.ends, r) }

// newAgent starts one; change, if given, alters its spec.
func newAgent(t testing.TB, s *actors.System, id string, own actors.Owner, change ...func(*actors.Spec)) *agent {
	t.Helper()
	a := &agent{s: s}
	spec := actors.Spec{Kind: "agent " + id, New: func() actors.Behaviour { return a }}
	for _, f := range change {
		f(&spec)
	}
	var err error
	if a.child, err = s.Spawn(spec, actors.Ref{Kind: "agent", ID: id}, nil, own); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *agent) ref() actors.Ref { return a.child.Ref() }

// do runs f on the agent's turn and waits until everything has settled.
func (a *agent) do(f func(*actors.Context)) {
	_ = a.s.Cast(a.ref(), do(func(ctx *actors.Context) error { f(ctx); return nil }))
	synctest.Wait()
}

// cast sends m and waits until everything has settled.
func (a *agent) cast(m any) error {
	if f, ok := m.(func(*actors.Context) error); ok {
		m = do(f)
	}
	err := a.s.Cast(a.ref(), m)
	synctest.Wait()
	return err
}

// wants compares what the agent has noted since the last time.
func (a *agent) wants(t testing.TB, want string) {
	t.Helper()
	synctest.Wait()
	if got := fmt.Sprint(a.got); got != want {
		t.Fatalf("heard %s, want %s", got, want)
	}
	a.got = nil
}

// bubble runs a test with a system in fake time.
func bubble(t *testing.T, cfg actors.Config, f func(t *testing.T, s *actors.System)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		if cfg.Workers == 0 {
			cfg.Workers = 2
		}
		s := system(t, cfg)
		defer stop(t, s)
		f(t, s)
	})
}

// plain is a behaviour without abilities.
type plain struct{}

func (plain) Init(*actors.Context, any) error   { return nil }
func (plain) Handle(*actors.Context, any) error { return nil }

// gate holds an actor's handler until it is opened.
type gate chan struct{}

func (g gate) wait(*actors.Context) error { <-g; return nil }

// since tells how long ago a bubble's clock showed begin, in whole milliseconds.
func since(begin time.Time) time.Duration { return time.Since(begin).Truncate(time.Millisecond) }
