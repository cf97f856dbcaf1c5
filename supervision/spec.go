package supervision

import (
	"context"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
)

// Restart says which ends of a child are followed by a new start.
type Restart uint8

// The restart types of OTP.
const (
	// Permanent children are always started again.
	Permanent Restart = iota
	// Transient children are started again after a crash only.
	Transient
	// Temporary children are never started again.
	Temporary
)

// String writes OTP's word.
func (r Restart) String() string { return [...]string{"permanent", "transient", "temporary"}[r] }

// Strategy says which siblings go along with a crashed child.
type Strategy uint8

// The strategies of OTP.
const (
	// OneForOne restarts the child alone.
	OneForOne Strategy = iota
	// OneForAll stops all children and starts them again.
	OneForAll
	// RestForOne does so with the child and those started after it.
	RestForOne
)

// String writes OTP's word.
func (s Strategy) String() string {
	return [...]string{"one_for_one", "one_for_all", "rest_for_one"}[s]
}

// Type says what a child is, for listings.
type Type uint8

// The types of children.
const (
	Worker Type = iota
	SupervisorType
	dynamicType // a partition of a dynamic supervisor: stops by itself, starts like a worker
)

// Values of ChildSpec.Shutdown besides a time.
const (
	// Infinity waits as long as it takes.
	Infinity time.Duration = 1<<63 - 1
	// Brutal doesn't wait at all.
	Brutal time.Duration = -1
)

// Defaults.
const (
	DefaultShutdown  = 5 * time.Second
	DefaultIntensity = 3
	DefaultPeriod    = 5 * time.Second
)

// ChildSpec is one child of a supervisor. Make it with Actor, Service, Sup or Dynamic.Child and change the fields after.
type ChildSpec struct {
	// ID names the child among its siblings.
	ID string
	// Spec and Args make the actor; its Ref is {Spec.Kind, ID}.
	Spec actors.Spec
	Args any
	// Restart is Permanent by default.
	Restart Restart
	// Shutdown is how long the child may take to stop: a time, Brutal or Infinity; 0 is DefaultShutdown.
	Shutdown time.Duration
	// Type is for listings, and says how the child is told to stop.
	Type Type
}

// Actor is the spec of an actor as a child.
func Actor(id string, spec actors.Spec, args any) ChildSpec {
	return ChildSpec{ID: id, Spec: spec, Args: args}
}

// SupervisorSpec says what a supervisor does.
type SupervisorSpec struct {
	ID       string
	Strategy Strategy
	// Intensity restarts within Period are borne; one more ends the supervisor. 0 is DefaultIntensity, below 0 none.
	Intensity int
	Period    time.Duration
	Children  []ChildSpec
}

// Sup is the spec of a supervisor as a child. It may take as long as it needs to stop.
func Sup(spec SupervisorSpec) ChildSpec {
	return ChildSpec{
		ID: spec.ID, Type: SupervisorType, Shutdown: Infinity, Args: &supArgs{spec: spec},
		Spec: actors.Spec{Kind: "supervisor", New: func() actors.Behaviour { return &supervisor{} }},
	}
}

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
		ctx.Log().Warn("a service did not stop in order", refField(ctx.Self()), errField(err))
	}
}
