package supervision

import (
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
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

// Grace is how long those below a supervisor that is ended brutally, or left behind, may take to end: all at the same time.
const Grace = time.Second

// ChildSpec is one child of a supervisor. Make it with Actor, Service, Sup or Dynamic.Child and change the fields after.
type ChildSpec struct {
	// ID names the child among its siblings.
	ID string
	// Spec and Args make the actor; its Ref is {Spec.Kind, ID}.
	Spec actors.Spec
	Args any
	// Restart is Permanent by default.
	Restart Restart
	// Significant children end their supervisor when they end by themselves and aren't started again, as its AutoShutdown says.
	// A permanent child can't be significant.
	Significant bool
	// Shutdown is how long the child may take to stop: a time, Brutal or Infinity; 0 is Infinity for a supervisor and
	// DefaultShutdown for a worker.
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
	// ID names it among its siblings.
	ID string
	// Strategy is OneForOne by default.
	Strategy Strategy
	// Intensity restarts within Period are borne; one more ends the supervisor. 0 is DefaultIntensity, below 0 none.
	Intensity int
	// Period is that of Intensity; 0 is DefaultPeriod.
	Period time.Duration
	// AutoShutdown says whether the ends of significant children end the supervisor. It is Never by default. A supervisor that
	// ends so is best not a permanent child of its own.
	AutoShutdown AutoShutdown
	// Backoff delays restarts; its zero value doesn't.
	Backoff Backoff
	// Children are started in this order.
	Children []ChildSpec
}

// Sup is the spec of a supervisor as a child. It may take as long as it needs to stop.
func Sup(spec SupervisorSpec) ChildSpec {
	return ChildSpec{
		ID: spec.ID, Type: SupervisorType, Shutdown: Infinity, Args: &supArgs{spec: spec},
		Spec: actors.Spec{Kind: "supervisor", New: func() actors.Behaviour { return &supervisor{} }},
	}
}

// withDefaults fills in what is left to them.
func (s SupervisorSpec) withDefaults() SupervisorSpec {
	if s.Intensity == 0 {
		s.Intensity = DefaultIntensity
	}
	if s.Period == 0 {
		s.Period = DefaultPeriod
	}
	return s
}

// shutdown is the time that the child has to stop.
func (c *ChildSpec) shutdown() time.Duration {
	switch {
	case c.Shutdown != 0:
		return c.Shutdown
	case c.Type == SupervisorType:
		return Infinity
	}
	return DefaultShutdown
}

// again reports whether such an end of the child is followed by a new start.
func (c *ChildSpec) again(reason actors.Reason) bool { return c.Restart.again(reason) }
