package supervision

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackdaw-im/jackdaw/actors"
)

// Root is the top of a running tree.
type Root struct {
	sys   *actors.System
	ref   actors.Ref
	child *actors.Child
	up    chan struct{}
	down  chan actors.Reason // the reason of the end, once
	over  chan struct{}      // closed at the end
}

// Exited implements actors.Owner.
func (r *Root) Exited(c *actors.Child, reason actors.Reason) {
	if !reason.Ended() {
		c.End(reason)
	}
	r.down <- reason
	close(r.over)
}

// rootKind says when the root's children are up.
type rootKind struct{ supervisor }

type rootArgs struct {
	root *Root
	spec SupervisorSpec
}

// Init implements actors.Behaviour.
func (k *rootKind) Init(ctx *actors.Context, args any) error {
	a := args.(*rootArgs)
	k.onStarted = func() { close(a.root.up) }
	return k.supervisor.Init(ctx, &supArgs{spec: a.spec})
}

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

// StartRoot starts a tree and waits until all of it is up. An error is that of the child that can't be started; what had
// been started before it is stopped.
func StartRoot(sys *actors.System, spec SupervisorSpec) (*Root, error) {
	r := &Root{sys: sys, ref: actors.Ref{Kind: "root", ID: spec.ID}, up: make(chan struct{}), down: make(chan actors.Reason, 1), over: make(chan struct{})}
	child, err := sys.Spawn(actors.Spec{Kind: "root", New: func() actors.Behaviour { return &rootKind{} }}, r.ref, &rootArgs{r, spec}, r)
	if err != nil {
		return nil, fmt.Errorf("supervision: %w", err)
	}
	r.child = child
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

// Done tells once why the root has ended: too many restarts reached the top, or Stop was called.
func (r *Root) Done() <-chan actors.Reason { return r.down }

// Stop stops the tree in reverse order and waits for it until ctx is over.
func (r *Root) Stop(ctx context.Context) error {
	_ = r.sys.Answer(r.ref, stopSelf{actors.Shutdown})
	select {
	case <-r.over:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("supervision: %s did not stop in time: %w", r.ref, ctx.Err())
	}
}

// Node is one line of a tree.
type Node struct {
	ChildInfo
	Children []Node
}

// Tree asks the live supervisors for their children.
func (r *Root) Tree(ctx context.Context) (Node, error) {
	n := Node{ChildInfo: ChildInfo{ID: r.ref.ID, Ref: r.ref, Type: SupervisorType, Up: true}}
	var err error
	n.Children, err = children(ctx, r.sys, r.ref)
	return n, err
}

func children(ctx context.Context, sys *actors.System, sup actors.Ref) ([]Node, error) {
	v, err := sys.Call(ctx, sup, WhichChildren{})
	if err != nil {
		return nil, fmt.Errorf("supervision: children of %v: %w", sup, err)
	}
	var nodes []Node
	for _, c := range v.([]ChildInfo) {
		n := Node{ChildInfo: c}
		if c.Type == SupervisorType && c.Up {
			if n.Children, err = children(ctx, sys, c.Ref); err != nil {
				return nil, err
			}
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

// String draws the tree, one child a line; partitions of a dynamic supervisor are summed up on one.
func (n Node) String() string {
	var sb strings.Builder
	n.draw(&sb, "")
	return sb.String()
}

func (n Node) draw(sb *strings.Builder, indent string) {
	fmt.Fprintf(sb, "%s%s", indent, n.ID)
	live, parts := int64(0), 0
	for _, c := range n.Children {
		if c.Type == dynamicType {
			live += c.Live
			parts++
		}
	}
	switch {
	case parts > 0:
		fmt.Fprintf(sb, " (dynamic, %d partitions, %d children)\n", parts, live)
		return
	case n.Type == SupervisorType:
		sb.WriteString(" (supervisor)")
	default:
		fmt.Fprintf(sb, " (%s)", n.Restart)
	}
	if n.Restarts > 0 {
		fmt.Fprintf(sb, " restarts=%d", n.Restarts)
	}
	if !n.Up {
		sb.WriteString(" down")
	}
	sb.WriteByte('\n')
	for _, c := range n.Children {
		c.draw(sb, indent+"  ")
	}
}
