package node

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/jackdaw-im/jackdaw/proto/adminpb"
	"github.com/jackdaw-im/jackdaw/store"
)

// backups is this node as who backs it up sees it. It implements admin.Backups.
type backups struct{ n *Node }

// Checkpoint implements admin.Backups. Of a store that isn't in the data folder there is none, and only its name is told.
func (b backups) Checkpoint(ctx context.Context) (*adminpb.Checkpoint, error) {
	info := b.n.engine.Info()
	c := &adminpb.Checkpoint{Store: info.Name, Schema: uint32(info.SchemaVersion)}
	engine, ok := b.n.engine.(store.Checkpointer)
	if !ok {
		return c, nil
	}
	folder, err := filepath.Abs(b.n.cfg.CheckpointFolder()) // who asks may work in another folder
	if err == nil {
		err = os.RemoveAll(folder) // of a backup that was interrupted
	}
	if err == nil {
		err = engine.Checkpoint(ctx, folder)
	}
	if err != nil {
		return nil, fmt.Errorf("node: making a checkpoint: %w", err)
	}
	c.Folder = folder
	return c, nil
}
