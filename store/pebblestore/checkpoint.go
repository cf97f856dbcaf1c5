package pebblestore

import (
	"context"

	"github.com/cockroachdb/pebble/v2"
)

// Checkpoint implements store.Checkpointer. Tables are linked, the log is copied. It is refused with store.ErrFull while the
// disk is nearly full, for what is linked can't be freed.
func (e *Engine) Checkpoint(ctx context.Context, dir string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := e.enter(large); err != nil {
		return err
	}
	defer e.leave()
	return e.wrap(e.db.Checkpoint(dir, pebble.WithFlushedWAL()))
}
