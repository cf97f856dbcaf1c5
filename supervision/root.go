package supervision

import (
	"context"
	"fmt"

	"github.com/jackdaw-im/jackdaw/actors"
)

// Root is the top of a running tree.
type Root struct {
	sys   *actors.System
	ref   actors.Ref
	args  *supArgs
	up    chan struct{}
	down  chan actors.Reason // the reason of the end, once
	over  chan struct{}      // closed at the end
	cause *actors.Reason     // of the end, while what the root has left below it ends; owned by who runs Exited
}

// Exited implements actors.Owner.
func (r *Root) Exited(c *actors.Child, reason actors.Reason) {
	if !reason.Ended() {
		c.End(reason)
	}
	if r.cause == nil {
		r.cause = &reason
		if !r.args.below.empty() { // a fault of its own, or one that ended it from outside
			reap := *r.args
			reap.reap = true
			if _, err := r.sys.Spawn(rootSpec, r.ref, &reap, r); err == nil {
				return
			}
			r.args.below.kill()
		}
	}
	r.down <- *r.cause
	close(r.over)
}

// rootSpec makes the supervisor at the top.
var rootSpec = actors.Spec{Kind: "root", New: func() actors.Behaviour { return &supervisor{} }}

// StartRoot starts a tree and waits until all of it is up. An error is that of the child that can't be started; what had
// been started before it is stopped.
func StartRoot(sys *actors.System, spec SupervisorSpec) (*Root, error) {
	if err := spec.check(); err != nil {
		return nil, err
	}
	r := &Root{sys: sys, ref: actors.Ref{Kind: "root", ID: spec.ID}, up: make(chan struct{}), down: make(chan actors.Reason, 1), over: make(chan struct{})}
	r.args = &supArgs{spec: spec, below: new(brood), tree: new(tree), up: func() { close(r.up) }}
	if _, err := sys.Spawn(rootSpec, r.ref, r.args, r); err != nil {
		return nil, fmt.Errorf("supervision: %w", err)
	}
	select {
	case <-r.up:
		return r, nil
	case reason := <-r.down:
		if reason.Err != nil {
			return nil, reason.Err
		}
		return nil, fmt.Errorf("supervision: %s ended while it started (%v)", spec.ID, reason)
	}
}

// Ref returns the name of the supervisor at the top, for the run-time operations.
func (r *Root) Ref() actors.Ref { return r.ref }

// Done tells once why the root has ended: too many restarts reached the top, its significant children have ended, or Stop was called.
func (r *Root) Done() <-chan actors.Reason { return r.down }

// Abandoned is how many actors of the tree did not stop in time and have been left behind, each with a goroutine or worker that it
// may still occupy.
func (r *Root) Abandoned() int64 { return r.args.tree.abandoned.Load() }

// Stop stops the tree in reverse order and waits for it until ctx is over.
func (r *Root) Stop(ctx context.Context) error {
	_ = r.sys.Answer(r.ref, stopSelf{reason: actors.Shutdown})
	select {
	case <-r.over:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("supervision: %s did not stop in time: %w", r.ref, ctx.Err())
	}
}
