package sys

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/telemetry"
)

// turnTime is how long an actor's turn is awaited where the context has no deadline.
const turnTime = 5 * time.Second

// onTurn runs f on the actor's own turn and returns its error. After actors.ErrTimeout f has not run and never will.
func onTurn(ctx context.Context, s *actors.System, ref actors.Ref, f func(*actors.Inspection) error) error {
	if _, limited := ctx.Deadline(); !limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, turnTime)
		defer cancel()
	}
	var failed error
	if err := s.Inspect(ctx, ref, func(i *actors.Inspection) { failed = f(i) }); err != nil {
		return fmt.Errorf("sys: %v: %w", ref, err)
	}
	return failed
}

// panicked is a panic as an error. What it panicked with is not part of the text, since that could be anything.
type panicked struct {
	value any
	stack []byte
}

// Error implements error.
func (*panicked) Error() string { return "sys: it panicked" }

// guarded runs a behaviour's or a caller's function.
func guarded(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicked{v, debug.Stack()}
		}
	}()
	return f()
}

// crashing runs a function that changes the state: a panic of it crashes the actor, with a reason that says all.
func crashing(i *actors.Inspection, f func() error) error {
	err := guarded(f)
	if p, ok := err.(*panicked); ok {
		i.Context().Stop(actors.Crashed(fmt.Errorf("panic: %v\n%s", p.value, p.stack)))
	}
	return err
}

// log notes a use, before it is made.
func log(s *actors.System, ref actors.Ref, by, what string) {
	s.Log().Info(what, zap.Stringer(telemetry.KeyActor, ref), zap.String(telemetry.KeyOperator, by))
}
