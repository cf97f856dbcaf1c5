package sys_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/supervision"
	"github.com/jackdaw-im/jackdaw/telemetry"
)

// canary is in all that must not be seen.
const canary = "canary"

// tally is a behaviour without any ability: it counts, and does what some words say.
type tally struct {
	n     int
	words map[string]string
	stop  chan struct{} // what a stuck one waits for
}

type (
	crash struct{ why error }
	stick struct{}
	send  struct{ to actors.Ref }
	later struct{ after time.Duration }
)

func (c *tally) Init(_ *actors.Context, args any) error {
	c.words, c.stop = map[string]string{canary: canary}, args.(chan struct{})
	return nil
}

func (c *tally) Handle(ctx *actors.Context, msg any) error {
	switch m := msg.(type) {
	case int:
		c.n += m
	case crash:
		return m.why
	case stick:
		<-c.stop
	case send:
		return ctx.Cast(m.to, canary)
	case later:
		ctx.SendAfter(m.after, 1)
		ctx.Monitor(ctx.Self())
	}
	return nil
}

func (c *tally) HandleCall(*actors.Context, actors.From, any) (any, error) { return c.n, nil }

// polite is a tally with the abilities.
type polite struct {
	tally
	status func() any
}

func (p *polite) FormatStatus() any {
	if p.status != nil {
		return p.status()
	}
	return map[string]any{"n": p.n, "words": len(p.words)}
}

func (p *polite) ReplaceState(ctx *actors.Context, doc []byte) error {
	var to struct{ N *int }
	if err := json.Unmarshal(doc, &to); err != nil {
		return err
	}
	if *to.N < 0 { // a document without N is a fault that the behaviour doesn't expect
		return errors.New("less than nothing")
	}
	p.n = *to.N
	ctx.SendAfter(time.Second, 1)
	return nil
}

// rig is a system with one actor of each kind below a supervisor.
type rig struct {
	*testing.T
	sys  *actors.System
	some *supervision.Dynamic // temporary ones
	logs *observer.ObservedLogs
	stop chan struct{}
	ctx  context.Context
}

var (
	plain     = actors.Ref{Kind: "tally", ID: "romeo@example.org"}
	formatted = actors.Ref{Kind: "polite", ID: "polite"}
	nobody    = actors.Ref{Kind: "tally", ID: "nobody"}
)

const operator = "the tests"

func run(t *testing.T, f func(r *rig)) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.InfoLevel)
		r := &rig{T: t, sys: actors.NewSystem(actors.Config{Workers: 2, Logger: zap.New(core)}), logs: logs, stop: make(chan struct{}), ctx: t.Context()}
		if err := r.sys.Start(); err != nil {
			t.Fatal(err)
		}
		child := func(ref actors.Ref, make func() actors.Behaviour) supervision.ChildSpec {
			return supervision.Actor(ref.ID, actors.Spec{Kind: ref.Kind, New: make, QueueLen: 100}, r.stop)
		}
		r.some = supervision.NewDynamic(r.sys, supervision.DynamicSpec{ID: "some", Partitions: 1, Restart: supervision.Temporary,
			Child: actors.Spec{Kind: plain.Kind, New: func() actors.Behaviour { return &tally{} }, QueueLen: 100}})
		root, err := supervision.StartRoot(r.sys, supervision.SupervisorSpec{ID: "root", Intensity: 100, Period: time.Second,
			Children: []supervision.ChildSpec{
				child(plain, func() actors.Behaviour { return &tally{} }),
				r.some.Child(),
				child(formatted, func() actors.Behaviour { return &polite{} }),
			}})
		if err != nil {
			t.Fatal(err)
		}
		f(r)
		close(r.stop)
		if err := errors.Join(root.Stop(context.Background()), r.sys.Stop(context.Background())); err != nil {
			t.Error(err)
		}
	})
}

// cast gives an actor messages, and waits until it has handled what it can: sys doesn't queue up behind them.
func (r *rig) cast(ref actors.Ref, msgs ...any) {
	r.Helper()
	for _, m := range msgs {
		if err := r.sys.Cast(ref, m); err != nil {
			r.Fatal(err)
		}
	}
	synctest.Wait()
}

// count asks an actor for its number.
func (r *rig) count(ref actors.Ref) int {
	r.Helper()
	n, err := r.sys.Call(r.ctx, ref, "n")
	if err != nil {
		r.Fatal(err)
	}
	return n.(int)
}

// uses are the entries of the log about an actor, since the last time.
func (r *rig) uses(ref actors.Ref) []string {
	var all []string
	for _, e := range r.logs.TakeAll() {
		if m := e.ContextMap(); m[telemetry.KeyActor] == ref.String() && m[telemetry.KeyOperator] == operator {
			all = append(all, e.Message)
		}
	}
	return all
}
