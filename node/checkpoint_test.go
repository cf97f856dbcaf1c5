package node

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/jackdaw-im/jackdaw/admin"
	"github.com/jackdaw-im/jackdaw/store/memstore"
	"github.com/jackdaw-im/jackdaw/store/pebblestore"
)

// TestCheckpoint: a running node's checkpoint is a store with its users; the next one takes its place.
func TestCheckpoint(t *testing.T) {
	cfg := testConfig(t)
	engine, err := pebblestore.Open(cfg.StoreURL(), pebblestore.Options{Ballast: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = engine.Close() }() // it was only read
	b := backups{&Node{cfg: cfg, engine: engine}}
	for range 2 {
		c, err := b.Checkpoint(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !filepath.IsAbs(c.GetFolder()) || filepath.Base(c.GetFolder()) != "checkpoint" || c.GetSchema() == 0 || c.GetStore() == "" {
			t.Fatalf("%v", c)
		}
		e, err := pebblestore.Open("pebble:"+c.GetFolder(), pebblestore.Options{Ballast: -1})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	shared := backups{&Node{cfg: cfg, engine: memstore.New(memstore.Options{})}}
	if c, err := shared.Checkpoint(t.Context()); err != nil || c.GetFolder() != "" || c.GetStore() != "memory" {
		t.Errorf("a store without a folder: %v, %v", c, err)
	}
	if _, err := os.Stat(cfg.CheckpointFolder()); err != nil {
		t.Errorf("the last one belongs to who asked for it: %v", err)
	}
}

var _ admin.Backups = backups{}
