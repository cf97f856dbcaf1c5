package supervision

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
)

// Node is one line of a tree.
type Node struct {
	ChildInfo
	// Silent is a supervisor that is there and didn't answer: it is suspended, say, or its queue is full. What is below it isn't known.
	Silent bool `json:"silent,omitempty"`
	// Flags are those of a supervisor that runs and has answered, nil for others.
	Flags *Flags `json:"supervisor,omitempty"`
	// Children are those of a supervisor.
	Children []Node `json:"children,omitempty"`
}

// answerTime is how long a tree waits for one supervisor.
const answerTime = time.Second

// Tree asks the live supervisors for their children. One that doesn't answer within a second is marked as Silent, and the others are
// asked all the same. An error means that ctx was over before all had been asked, or that the root has ended.
func (r *Root) Tree(ctx context.Context) (Node, error) {
	n := Node{ChildInfo: ChildInfo{ID: r.ref.ID, Ref: r.ref, Type: SupervisorType, State: Running, Up: true, Shutdown: ShutdownTime(Infinity)}}
	return n, n.look(ctx, r.sys)
}

// look fills in what a supervisor says of itself and those below it.
func (n *Node) look(ctx context.Context, sys *actors.System) error {
	d, err := n.describe(ctx, sys)
	switch {
	case err == nil:
	case ctx.Err() != nil, errors.Is(err, actors.ErrNoProc):
		return fmt.Errorf("supervision: children of %v: %w", n.Ref, err)
	default:
		n.Silent = true
		return nil
	}
	n.Flags = &d.flags
	for _, c := range d.children {
		child := Node{ChildInfo: c}
		if c.Type == SupervisorType && (c.State == Running || c.State == Starting) { // others have no actor that answers
			err := child.look(ctx, sys)
			if err != nil && (ctx.Err() != nil || !errors.Is(err, actors.ErrNoProc)) { // it may just have ended, or be still to come
				return err
			}
		}
		n.Children = append(n.Children, child)
	}
	return nil
}

// describe asks a supervisor that is there: a question to nobody would count as a dead letter.
func (n *Node) describe(ctx context.Context, sys *actors.System) (description, error) {
	if _, err := sys.Facts(n.Ref); err != nil {
		return description{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	return ask[description](ctx, sys, n.Ref, describeReq{})
}

// Dynamic sums up the partitions of a dynamic supervisor: how many there are, how many actors they have, and how often one of those has
// been started again. parts is 0 for other children.
func (n Node) Dynamic() (parts int, live, restarted int64) {
	for _, c := range n.Children {
		if c.Type == dynamicType {
			parts++
			live += c.Live
			restarted += c.Restarted
		}
	}
	return parts, live, restarted
}

// String draws the tree, one child a line; partitions of a dynamic supervisor are summed up on one.
func (n Node) String() string {
	var sb strings.Builder
	n.draw(&sb, "")
	return sb.String()
}

func (n Node) draw(sb *strings.Builder, indent string) {
	fmt.Fprintf(sb, "%s%s", indent, n.ID)
	parts, live, _ := n.Dynamic()
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
	switch n.State {
	case Running:
	case Stopped:
		sb.WriteString(" down")
	default:
		fmt.Fprintf(sb, " %s", n.State)
	}
	if n.Silent {
		sb.WriteString(" doesn't answer")
	}
	sb.WriteByte('\n')
	for _, c := range n.Children {
		c.draw(sb, indent+"  ")
	}
}
