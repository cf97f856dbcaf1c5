package admin

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/jackdaw-im/jackdaw/proto/adminpb"
	"github.com/jackdaw-im/jackdaw/store"
)

// backedUp is a server's Backups.
type backedUp struct{ err error }

func (b backedUp) Checkpoint(context.Context) (*adminpb.Checkpoint, error) {
	if b.err != nil {
		return nil, b.err
	}
	return &adminpb.Checkpoint{Folder: "/data/checkpoint", Store: "pebble /data/store", Schema: 7}, nil
}

// TestCheckpoint: the request reaches the server's Backups, and its answer and its refusals come back.
func TestCheckpoint(t *testing.T) {
	for name, c := range map[string]struct {
		backups Backups
		want    error
	}{
		"made":              {backedUp{}, nil},
		"a full disk":       {backedUp{fmt.Errorf("node: %w: 3 MB are free", store.ErrFull)}, ErrFull},
		"no such ability":   {nil, ErrInvalid},
		"something unheard": {backedUp{errors.New("the disk sings")}, errors.ErrUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			users, _ := inMemory()
			s := NewSocket(SocketConfig{Path: filepath.Join(t.TempDir(), "s.sock"), Users: users, Backups: c.backups,
				Status: func() Status { return Status{Domain: "localhost"} }})
			if err := s.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := s.Stop(context.Background()); err != nil {
					t.Error(err)
				}
			})
			got, err := dial(t, s.cfg.Path).Checkpoint(t.Context())
			switch {
			case errors.Is(c.want, errors.ErrUnsupported):
				if err == nil || err.Error() != "admin: the disk sings" {
					t.Errorf("error %v", err)
				}
			case !errors.Is(err, c.want):
				t.Errorf("error %v, want %v", err, c.want)
			case err == nil && (got.GetFolder() != "/data/checkpoint" || got.GetStore() != "pebble /data/store" || got.GetSchema() != 7):
				t.Errorf("checkpoint %v", got)
			}
		})
	}
}
