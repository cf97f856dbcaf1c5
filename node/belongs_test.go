package node

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/cluster/trust"
	"github.com/jackdaw-im/jackdaw/config"
	"github.com/jackdaw-im/jackdaw/internal/testpg"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/store/pebblestore"
)

func TestFolderIsHeldOnce(t *testing.T) {
	cfg := testConfig(t)
	first, err := holdFolder(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := holdFolder(cfg); err == nil || !strings.Contains(err.Error(), cfg.Data) || !strings.Contains(err.Error(), "process ") {
		t.Errorf("a second: %v", err)
	}
	first.release()
	again, err := holdFolder(cfg)
	if err != nil {
		t.Fatal(err)
	}
	again.release()
}

func TestFolderKeepsItsName(t *testing.T) {
	cfg := testConfig(t)
	if err := os.MkdirAll(filepath.Dir(cfg.BundleFile()), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ configured, called, want, says string }{
		{"n1", "n1", "n1", ""},
		{"n1", "n1", "n1", ""},
		{"", "another-machine", "n1", ""}, // the machine's name is no choice of anybody's
		{"n2", "n2", "", "is that of the node n1"},
	} {
		cfg.Cluster.Name = c.configured
		got, err := keepName(cfg, c.called)
		if got != c.want || (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %q, %v", c, got, err)
		}
	}
}

// TestEmbeddedStoreIsNotForgotten: a folder with users becomes no node of a cluster unless they were moved, and then serves them no more
// by itself.
func TestEmbeddedStoreIsNotForgotten(t *testing.T) {
	cfg := testConfig(t)
	refuse := func() error { return refuseEmbedded(t.Context(), cfg, zap.NewNop()) }
	if err := refuse(); err != nil {
		t.Fatalf("there is none: %v", err)
	}
	open := func() store.Engine {
		e, err := pebblestore.Open(cfg.StoreURL(), pebblestore.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	if err := open().Close(); err != nil {
		t.Fatal(err)
	}
	if err := refuse(); err != nil {
		t.Fatalf("it is empty: %v", err)
	}
	e := open()
	if err := e.Directory().Accounts().Create(&store.Account{User: "juliet@localhost"}); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := refuse(); err == nil || !strings.Contains(err.Error(), "jackdaw store move") {
		t.Fatalf("it has a user: %v", err)
	}
	if err := refuseMoved(cfg); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cfg.MovedFile(), []byte("postgres://db/mail\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := refuse(); err != nil {
		t.Fatalf("it was moved: %v", err)
	}
	if _, err := openStore(cfg, zap.NewNop()); err == nil || !strings.Contains(err.Error(), "postgres://db/mail") {
		t.Fatalf("alone: %v", err)
	}
}

func TestFoundedDomain(t *testing.T) {
	cfg := testConfig(t)
	if err := os.WriteFile(cfg.DomainFile(), []byte("example.org\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for configured, want := range map[string]string{config.DefaultDomain: "example.org", "example.net": "example.net"} {
		cfg.Domain = configured
		if got := foundedDomain(cfg); got != want {
			t.Errorf("configured for %s: %s", configured, got)
		}
	}
}

// TestMistakenStoreCanBeMended: a cluster isn't founded on addresses that don't work, and those of one whose nodes are all down can be changed.
func TestMistakenStoreCanBeMended(t *testing.T) {
	pg := testpg.Run(t, testpg.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cfg := testConfig(t)
	cfg.Cluster.Listen, cfg.Cluster.Name, cfg.Store.AllowUnreplicated = "127.0.0.1:0", "n1", true
	if err := os.MkdirAll(filepath.Dir(cfg.BundleFile()), 0o700); err != nil {
		t.Fatal(err)
	}
	good := pg.URL("postgres")
	try := func(b *trust.Bundle) error { return tryShared(ctx, cfg, b, "n1", zap.NewNop(), false) }
	cfg.Store.URL = strings.Replace(good, "/postgres", "/nothing", 1)
	if _, err := belongs(ctx, cfg, "n1", newLobby(zap.NewNop()), try); err == nil {
		t.Fatal("founded on a database that isn't there")
	}
	cfg.Store.URL = good
	live, err := belongs(ctx, cfg, "n1", newLobby(zap.NewNop()), try)
	if err != nil {
		t.Fatal(err)
	}
	live.Close()
	if _, err := keepName(cfg, "n1"); err != nil {
		t.Fatal(err)
	}
	if err := SetStores(cfg, []string{cfg.Store.URL + "x"}, ""); err == nil {
		t.Error("other addresses aren't tried")
	}
	other := good + "&application_name=other"
	if !strings.Contains(good, "?") {
		other = good + "?application_name=other"
	}
	if err := SetStores(cfg, []string{other}, ""); err != nil {
		t.Fatal(err)
	}
	b, err := trust.Load(cfg.BundleFile())
	if err != nil || b.Stores[0].Reveal() != other || b.Version <= live.Bundle().Version {
		t.Fatalf("%v, %v", b, err)
	}
}
