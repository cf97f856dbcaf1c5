package pebblestore_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/store/pebblestore"
	"github.com/jackdaw-im/jackdaw/store/storetest"
)

// TestCheckpoint: a checkpoint is a store of its own that holds what the other held, and stays as it is.
func TestCheckpoint(t *testing.T) {
	r := newRig(t, nil)
	storetest.Fill(t, r.Engine, 20)
	before := storetest.Contents(t, r.Engine)
	must(t, r.Checkpoint(t.Context(), "/copy"))
	if err := r.Checkpoint(t.Context(), "/copy"); err == nil {
		t.Error("a checkpoint over another")
	}
	must(t, r.Directory().Accounts().Remove("user3@test.example"))
	o := r.o
	copied, err := pebblestore.Open("pebble:/copy", o)
	must(t, err)
	if got := storetest.Contents(t, copied); !slices.Equal(got, before) {
		t.Errorf("%d entries, want %d", len(got), len(before))
	}
	must(t, copied.Directory().Accounts().Remove("user6@test.example"))
	must(t, copied.Close())
	if _, err := r.Directory().Accounts().Account(t.Context(), "user6@test.example"); err != nil {
		t.Errorf("the store has changed with its copy: %v", err)
	}
	must(t, r.Close())
	r.open(t)
}

func TestCheckpointRefusals(t *testing.T) {
	r := newRig(t, nil)
	r.setFree(100 << 20)
	if err := r.Checkpoint(t.Context(), "/copy"); !errors.Is(err, store.ErrFull) {
		t.Errorf("on a full disk: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r.setFree(100 << 30)
	if err := r.Checkpoint(ctx, "/copy"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	must(t, r.Close())
	if err := r.Checkpoint(t.Context(), "/copy"); !errors.Is(err, store.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

// TestCheckpointThatFails: no room for the copy of the log is an error of the checkpoint, not the end of the process.
func TestCheckpointThatFails(t *testing.T) {
	broken := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if strings.HasPrefix(op.Path, "/copy/") && strings.HasSuffix(op.Path, ".log") {
			return errors.New("no room")
		}
		return nil
	})
	r := newRig(t, func(o *pebblestore.Options) { o.FS = errorfs.Wrap(vfs.NewMem(), broken) }) // its Exit fails the test
	storetest.Fill(t, r.Engine, 10)
	if err := r.Checkpoint(t.Context(), "/copy"); err == nil || !strings.Contains(err.Error(), "no room") {
		t.Errorf("error %v", err)
	}
	must(t, r.Directory().Accounts().Create(&store.Account{User: "more@x"}))
}
