package session

import (
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// KeeperKind is the kind of the actor that starts sessions for streams whose node ends, and tells the node's own of reunions; there is one on
// each node, pinned to it.
const KeeperKind = "keeper"

// keeperID is the keeper's id on every node.
const keeperID = "node"

// KeeperRef names the keeper of a node.
func KeeperRef(node ident.NodeID) actors.Ref {
	return actors.Ref{Kind: KeeperKind, ID: keeperID, Node: node}
}

// Keepers returns a supervisor for the one keeper of a node, which StartKeeper starts below it.
func Keepers(sys *actors.System) *supervision.Dynamic {
	return supervision.NewDynamic(sys, supervision.DynamicSpec{
		ID: "keepers", Partitions: 1, Intensity: 10,
		Child: actors.Spec{Kind: KeeperKind, New: func() actors.Behaviour { return new(keeper) }, QueueLen: queueLen},
	})
}

// StartKeeper starts the keeper of a node, whose sessions are children of that supervisor. One that runs already is left alone.
func StartKeeper(keepers, sessions *supervision.Dynamic) error {
	_, err := keepers.StartChild(keeperID, sessions)
	if errors.Is(err, actors.ErrExists) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("session: %w", err)
	}
	return nil
}

// keeper starts sessions for other nodes' streams, and tells the node's own what concerns all of them.
type keeper struct {
	sessions  *supervision.Dynamic
	reuniting bool // they are about to be told of a reunion
}

// Init implements actors.Behaviour; args are the sessions' supervisor.
func (k *keeper) Init(_ *actors.Context, args any) error {
	in, ok := args.(*supervision.Dynamic)
	if !ok {
		return fmt.Errorf("session: a keeper was started with %T", args)
	}
	k.sessions = in
	return nil
}

// Handle implements actors.Behaviour. Where no session can be started, the stream stays where it is, and another node may be asked.
func (k *keeper) Handle(ctx *actors.Context, msg any) error {
	switch m := msg.(type) {
	case *nodepb.KeepStream:
		if _, err := k.sessions.StartChild(random(), Args{keep: m}); err != nil {
			ctx.Log().Warn("another node's stream can't be kept here", zap.Error(err))
		}
	case Reunion:
		k.reunion(ctx)
	case reunionDue:
		k.reunite(ctx)
	}
	return nil
}
