package admin

import (
	"context"
	"fmt"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/proto/adminpb"
	"github.com/jackdaw-im/jackdaw/telemetry"
)

// Backups is what a backup needs of a running server. A server implements it, and [Client].
type Backups interface {
	// Checkpoint makes a folder with the store as it is now, in the data folder, in place of the one before. Who has copied
	// it removes it. ErrFull while the disk is nearly full.
	Checkpoint(ctx context.Context) (*adminpb.Checkpoint, error)
}

// checkpoint answers MakeCheckpoint. It may take longer than lookTime, for it waits for the disk.
func (s *Socket) checkpoint() *adminpb.Response {
	if s.cfg.Backups == nil {
		return failure(fmt.Errorf("%w: this server can't be backed up while it runs", ErrInvalid))
	}
	c, err := s.cfg.Backups.Checkpoint(s.ctx)
	s.log.Info("admin: checkpoint", zap.String(telemetry.KeyFolder, c.GetFolder()), zap.Error(err))
	if err != nil {
		return failure(fromStore(err))
	}
	return &adminpb.Response{Kind: &adminpb.Response_Checkpoint{Checkpoint: c}}
}

// Checkpoint implements Backups.
func (c *Client) Checkpoint(ctx context.Context) (*adminpb.Checkpoint, error) {
	resp, err := c.ask(ctx, &adminpb.Request{Kind: &adminpb.Request_MakeCheckpoint{MakeCheckpoint: &adminpb.MakeCheckpoint{}}})
	return resp.GetCheckpoint(), err
}
