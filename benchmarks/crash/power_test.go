package main

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/jackdaw-im/jackdaw/store"
)

func TestPowerCut(t *testing.T) {
	cfg := defaults()
	cfg.power, cfg.rounds, cfg.acked, cfg.rate, cfg.senders, cfg.online, cfg.offline = true, 5, 2000, 0, 8, 8, 8
	var out strings.Builder
	all, err := crash(t.Context(), cfg, t.TempDir(), &out)
	if err == nil {
		err = verdict(cfg, all, &out)
	}
	if err != nil {
		t.Fatalf("%s\nseed %d: %v", out.String(), cfg.seed, err)
	}
}

// liar is a disk that doesn't flush the store's log when it is asked to.
type liar struct{ vfs.FS }

type unflushed struct{ vfs.File }

func (unflushed) Sync() error                         { return nil }
func (unflushed) SyncData() error                     { return nil }
func (unflushed) SyncTo(int64) (full bool, err error) { return false, nil }

func (l liar) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return lied(name)(l.FS.Create(name, category))
}

func (l liar) ReuseForWrite(old, name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return lied(name)(l.FS.ReuseForWrite(old, name, category))
}

func lied(name string) func(vfs.File, error) (vfs.File, error) {
	return func(f vfs.File, err error) (vfs.File, error) {
		if err == nil && strings.HasSuffix(name, ".log") {
			f = unflushed{f}
		}
		return f, err
	}
}

// TestLyingDiskIsFound: the test above would see a server that acknowledges before it has flushed.
func TestLyingDiskIsFound(t *testing.T) {
	cfg := defaults()
	cfg.power, cfg.acked, cfg.grace, cfg.senders, cfg.online, cfg.offline = true, 1000, 300*time.Millisecond, 8, 8, 8
	server, accounts, err := openPowered(t.Context(), cfg, t.TempDir(), honest)
	if err != nil {
		t.Fatal(err)
	}
	server.disk = func(fs vfs.FS) vfs.FS { return liar{fs} }
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer server.Kill()
	w := newWorld(cfg, accounts)
	for i := range 20 {
		r, err := w.runRound(t.Context(), server, i+1, rand.New(rand.NewPCG(cfg.seed, uint64(i))))
		switch {
		case errors.Is(err, store.ErrCorrupt):
			return // the store sees that what it had flushed is gone
		case err != nil:
			t.Fatalf("seed %d: %v", cfg.seed, err)
		case r.lost > 0:
			return
		}
	}
	t.Fatal("a disk that lies loses nothing in twenty cuts")
}
