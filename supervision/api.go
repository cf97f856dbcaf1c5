package supervision

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
)

// Errors of the run-time operations, in OTP's words.
var (
	// ErrAlreadyPresent: there is a child of that id, and it doesn't run.
	ErrAlreadyPresent = errors.New("supervision: already_present: there is a child of that id, which doesn't run")
	// ErrAlreadyStarted: there is a child of that id, and it runs; see AlreadyStartedError for its Ref.
	ErrAlreadyStarted = errors.New("supervision: already_started")
	// ErrRunning: the child runs, and so it can't be started or deleted.
	ErrRunning = errors.New("supervision: running: the child runs")
	// ErrRestarting: the child is about to be started again.
	ErrRestarting = errors.New("supervision: restarting: the child is about to be started again")
	// ErrNotFound: there is no such child.
	ErrNotFound = errors.New("supervision: not_found: no such child")
	// ErrIgnore is what the Init of a child returns to say that it isn't needed: it is no failure, and the child's spec stays
	// without an actor, unless it is temporary.
	ErrIgnore = errors.New("supervision: ignore: the child declines to run")
)

// AlreadyStartedError says who runs under the id of a child that was to be started. It is an ErrAlreadyStarted.
type AlreadyStartedError struct{ Ref actors.Ref }

// Error implements error.
func (e *AlreadyStartedError) Error() string {
	return fmt.Sprintf("supervision: already_started: %v", e.Ref)
}

// Is reports that it is an ErrAlreadyStarted.
func (e *AlreadyStartedError) Is(target error) bool { return target == ErrAlreadyStarted }

// StartError says which child could not be started, and why. The reason may be another StartError, of a supervisor below.
type StartError struct {
	Supervisor, Child string
	Err               error
}

// Error implements error.
func (e *StartError) Error() string {
	return fmt.Sprintf("supervision: %s: child %s can't be started: %v", e.Supervisor, e.Child, e.Err)
}

// Unwrap returns the reason.
func (e *StartError) Unwrap() error { return e.Err }

// Requests to a static supervisor, for Context.Call in an actor: their answer comes when they have been carried out. Outside of
// actors the functions of these names wait for it. A supervisor answers what changes nothing at once, and the others one after the
// other; it never blocks.
type (
	// StartChildReq adds a child and starts it; it answers the actors.Ref.
	StartChildReq struct{ Spec ChildSpec }
	// TerminateChildReq stops a child; it answers nil.
	TerminateChildReq struct{ ID string }
	// RestartChildReq starts a child that doesn't run; it answers the actors.Ref.
	RestartChildReq struct{ ID string }
	// DeleteChildReq forgets a child that doesn't run; it answers nil.
	DeleteChildReq struct{ ID string }
	// GetChildSpecReq answers the ChildSpec.
	GetChildSpecReq struct{ ID string }
	// WhichChildrenReq answers []ChildInfo.
	WhichChildrenReq struct{}
	// CountChildrenReq answers Counts.
	CountChildrenReq struct{}
	// describeReq answers a Node.
	describeReq struct{}
)

// Counts is what CountChildren says. Children count whether they run or not, but for Active.
type Counts struct {
	Specs       int64 `json:"specs"`
	Active      int64 `json:"active"`
	Supervisors int64 `json:"supervisors"`
	Workers     int64 `json:"workers"`
}

// ChildInfo is one child in a listing.
type ChildInfo struct {
	ID          string       `json:"id"`
	Ref         actors.Ref   `json:"ref"`
	Type        Type         `json:"type"`
	State       State        `json:"state"`
	Restart     Restart      `json:"restart"`
	Significant bool         `json:"significant,omitempty"`
	Shutdown    ShutdownTime `json:"shutdown"`
	// Up says that it runs.
	Up bool `json:"up"`
	// Restarts is how often it has been started again for a fault of its own, since its supervisor's start; attempts count.
	Restarts int `json:"restarts"`
	// Live is how many actors a partition of a dynamic supervisor has, and Restarted how often one of them has been started again.
	Live      int64 `json:"live,omitempty"`
	Restarted int64 `json:"restarted,omitempty"`
}

// Flags is what a supervisor does, in a listing.
type Flags struct {
	Strategy     Strategy      `json:"strategy"`
	Intensity    int           `json:"intensity"`
	Period       time.Duration `json:"period_ns"`
	AutoShutdown AutoShutdown  `json:"auto_shutdown"`
	// Recent is how many restarts there have been in the last Period: one more than Intensity ends the supervisor.
	Recent int `json:"recent_restarts"`
}

// StartChild adds a child to a supervisor at run time, starts it and returns its Ref, which is zero if it declines with ErrIgnore.
// A child that can't be started isn't added; the error is a StartError then. ErrBadSpec, ErrAlreadyPresent and ErrAlreadyStarted
// are the other reasons. What was added is lost when the supervisor itself is started again.
func StartChild(ctx context.Context, sys *actors.System, sup actors.Ref, spec ChildSpec) (actors.Ref, error) {
	return ask[actors.Ref](ctx, sys, sup, StartChildReq{spec})
}

// TerminateChild stops a child as its spec says, and waits for its end. The spec stays, for RestartChild, unless the child is
// temporary. Significant children ended so don't end their supervisor. A child must not ask so for itself: it would wait for
// its own end.
func TerminateChild(ctx context.Context, sys *actors.System, sup actors.Ref, id string) error {
	_, err := ask[any](ctx, sys, sup, TerminateChildReq{id})
	return err
}

// RestartChild starts a child that doesn't run and returns its Ref. One that can't be started stays as it is.
func RestartChild(ctx context.Context, sys *actors.System, sup actors.Ref, id string) (actors.Ref, error) {
	return ask[actors.Ref](ctx, sys, sup, RestartChildReq{id})
}

// DeleteChild makes a supervisor forget a child that doesn't run.
func DeleteChild(ctx context.Context, sys *actors.System, sup actors.Ref, id string) error {
	_, err := ask[any](ctx, sys, sup, DeleteChildReq{id})
	return err
}

// GetChildSpec returns a child's spec, with its defaults.
func GetChildSpec(ctx context.Context, sys *actors.System, sup actors.Ref, id string) (ChildSpec, error) {
	return ask[ChildSpec](ctx, sys, sup, GetChildSpecReq{id})
}

// WhichChildren lists a supervisor's children, in the order in which they are started.
func WhichChildren(ctx context.Context, sys *actors.System, sup actors.Ref) ([]ChildInfo, error) {
	return ask[[]ChildInfo](ctx, sys, sup, WhichChildrenReq{})
}

// CountChildren counts a supervisor's children.
func CountChildren(ctx context.Context, sys *actors.System, sup actors.Ref) (Counts, error) {
	return ask[Counts](ctx, sys, sup, CountChildrenReq{})
}

// ask calls a supervisor; the answer is a T.
func ask[T any](ctx context.Context, sys *actors.System, sup actors.Ref, req any) (T, error) {
	v, err := sys.Call(ctx, sup, req)
	answer, _ := v.(T)
	return answer, err
}
