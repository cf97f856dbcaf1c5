package node

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/jackdaw-im/jackdaw/admin"
	"github.com/jackdaw-im/jackdaw/dump"
	"github.com/jackdaw-im/jackdaw/proto/adminpb"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// overview is this node as its administration sees it. It implements admin.Overview.
type overview struct{ n *Node }

// Tree implements admin.Overview.
func (o overview) Tree(ctx context.Context) (*adminpb.TreeNode, error) {
	if o.n.phase.Load() == starting { // the root is known once all of it is up
		return nil, admin.Refuse(admin.ErrBusy, "the server is starting: its tree isn't complete yet")
	}
	tree, err := o.n.root.Tree(ctx)
	if err != nil {
		return nil, fmt.Errorf("node: %w", err)
	}
	return treeNode(tree), nil
}

func treeNode(n supervision.Node) *adminpb.TreeNode {
	t := &adminpb.TreeNode{
		Id: n.ID, Ref: n.Ref.String(), State: n.State.String(), Restart: n.Restart.String(), Significant: n.Significant,
		Restarts: int64(n.Restarts), Live: n.Live, Restarted: n.Restarted, Silent: n.Silent,
	}
	switch n.Type {
	case supervision.Worker:
		t.Type = "worker"
	case supervision.SupervisorType:
		t.Type = "supervisor"
	default:
		t.Type = "partition"
	}
	if f := n.Flags; f != nil {
		t.Strategy, t.Intensity, t.RecentRestarts, t.PeriodMs = f.Strategy.String(), int64(f.Intensity), int64(f.Recent), f.Period.Milliseconds()
	}
	for _, c := range n.Children {
		t.Children = append(t.Children, treeNode(c))
	}
	return t
}

// Top implements admin.Overview.
func (o overview) Top(context.Context) (*adminpb.Top, error) {
	n, now := o.n, time.Now()
	s := n.sys.Snapshot()
	t := &adminpb.Top{
		Node: string(n.sys.Node()), Domain: n.cfg.Domain, Version: n.version.Version, Started: n.started.UnixMicro(), Time: now.UnixMicro(),
		Actors: n.busy.look(n.sys, now), Restarts: s.Restarts, Overloads: s.Overloads, Spares: s.Spares, Stuck: s.Stuck,
		Workers: s.Workers, Cores: int64(runtime.GOMAXPROCS(0)), RunQueue: s.Runnable,
	}
	for kind, live := range s.Live {
		t.Kinds = append(t.Kinds, &adminpb.KindLoad{Kind: kind, Live: live, Handled: s.Handled[kind]})
	}
	for _, dead := range s.DeadLetters {
		t.DeadLetters += dead
	}
	measure(t)
	return t, nil
}

// Dump implements admin.Overview.
func (o overview) Dump(ctx context.Context) (*adminpb.Dumped, error) {
	path, err := o.n.dumps.Write(ctx, dump.Request)
	if err != nil {
		return nil, fmt.Errorf("node: %w", err)
	}
	d := &adminpb.Dumped{File: path}
	if abs, err := filepath.Abs(path); err == nil { // who asks may work in another folder
		d.File = abs
	}
	if info, err := os.Stat(path); err == nil {
		d.Bytes = info.Size()
	}
	return d, nil
}

// DumpTo implements admin.Overview.
func (o overview) DumpTo(ctx context.Context, w io.Writer) error {
	if err := o.n.dumps.Send(ctx, w, dump.Request); err != nil {
		return fmt.Errorf("node: %w", err)
	}
	return nil
}
