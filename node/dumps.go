package node

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/sys"
	"github.com/jackdaw-im/jackdaw/dump"
	"github.com/jackdaw-im/jackdaw/supervision"
	"github.com/jackdaw-im/jackdaw/telemetry"
)

// Dumps are the crash dumps of this node. One can be made between Start and Stop.
func (n *Node) Dumps() *dump.Folder { return n.dumps }

// newDumps is the folder of a node's dumps.
func (n *Node) newDumps() *dump.Folder {
	return dump.NewFolder(dump.Config{
		Dir: n.cfg.DumpFolder(), Keep: n.cfg.Dump.Keep, Source: dumpSource{n.sys, n}, Logger: n.log,
		About: dump.About{
			Node: string(n.sys.Node()), Domain: n.cfg.Domain, Program: n.version.Version, Revision: n.version.Revision, Go: n.version.Go,
			PID: os.Getpid(), Started: n.started, Config: n.cfg.Print(),
		},
	})
}

// dumpSource is the running node as its dumps see it.
type dumpSource struct {
	*actors.System
	n *Node
}

// Children implements dump.Source.
func (s dumpSource) Children(ctx context.Context, of actors.Ref) ([]supervision.ChildInfo, error) {
	if of.IsZero() {
		return []supervision.ChildInfo{{ID: s.n.tree.ID, Ref: s.n.top(), Type: supervision.SupervisorType, State: supervision.Running, Up: true}}, nil
	}
	if _, err := s.Facts(of); err != nil { // one that is still to come: asking it would count as a dead letter
		return nil, fmt.Errorf("node: children of %v: %w", of, err)
	}
	return supervision.WhichChildren(ctx, s.System, of)
}

// top is the root of the tree.
func (n *Node) top() actors.Ref { return actors.Ref{Kind: "root", ID: n.tree.ID} }

// State implements dump.Source: what the behaviour's FormatStatus gives, or else types and sizes.
func (s dumpSource) State(ctx context.Context, ref actors.Ref) (any, error) {
	var doc json.RawMessage
	if err := s.Inspect(ctx, ref, func(i *actors.Inspection) { doc = sys.Format(i.Behaviour()) }); err != nil {
		return nil, fmt.Errorf("node: state of %v: %w", ref, err)
	}
	return doc, nil
}

// Metrics implements dump.Source.
func (s dumpSource) Metrics() (string, error) {
	return telemetry.NewRegistry(s.n.sources()).Text()
}

// dumpCounts are the dumps written, for telemetry.
func (n *Node) dumpCounts() map[string]int64 {
	counts := map[string]int64{}
	for reason, c := range n.dumps.Written() {
		counts[string(reason)] = c
	}
	return counts
}
