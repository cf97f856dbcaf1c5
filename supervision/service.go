package supervision

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/actors"
)

// Runner is something that runs and is no actor: a listener, say. Start launches it and returns; Stop waits for its end.
type Runner interface {
	// Start launches it. After an error nothing runs.
	Start() error
	// Stop ends it and waits until nothing of it runs, or ctx is over.
	Stop(ctx context.Context) error
}

// Service is the spec of a Runner as a child. make is called at each start. Stop gets shutdown as its deadline.
func Service(id string, shutdown time.Duration, make func() (Runner, error)) ChildSpec {
	return ChildSpec{
		ID: id, Shutdown: shutdown + time.Second, Args: &serviceArgs{make, shutdown},
		Spec: actors.Spec{Kind: "service", Blocking: true, New: func() actors.Behaviour { return &service{} }},
	}
}

type serviceArgs struct {
	make     func() (Runner, error)
	shutdown time.Duration
}

// service keeps a Runner running as long as it lives.
type service struct {
	args   *serviceArgs
	runner Runner
}

// Init implements actors.Behaviour.
func (s *service) Init(_ *actors.Context, args any) error {
	s.args = args.(*serviceArgs)
	r, err := s.args.make()
	if err != nil {
		return err
	}
	if err := r.Start(); err != nil {
		return err
	}
	s.runner = r
	return nil
}

// Handle implements actors.Behaviour; nobody casts to a service.
func (s *service) Handle(*actors.Context, any) error { return nil }

// Terminate implements actors.Terminator.
func (s *service) Terminate(ctx *actors.Context, _ actors.Reason) {
	if s.runner == nil {
		return
	}
	c, cancel := context.WithTimeout(context.Background(), s.args.shutdown)
	defer cancel()
	if err := s.runner.Stop(c); err != nil {
		ctx.Log().Warn("a service did not stop in order", refField(ctx.Self()), zap.Error(err))
	}
}
