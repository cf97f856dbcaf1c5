package main

import (
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
	"github.com/jackdaw-im/jackdaw/store/pgstore"
)

// TestStoreCommands takes a folder's store into PostgreSQL and looks at it there.
func TestStoreCommands(t *testing.T) {
	s := testpg.Run(t, testpg.Options{})
	for _, name := range []string{"a", "b", "d", "other"} {
		if err := s.Exec(t.Context(), "CREATE DATABASE "+name); err != nil {
			t.Fatal(err)
		}
	}
	data := filepath.Join(t.TempDir(), "data")
	fill(t, data)
	list := s.URL("a") + "," + s.URL("b")
	on := func(args ...string) []string {
		return append(append([]string{"store"}, args...), "--data", data, "--store", list, "--directory", s.URL("d"), "--allow-unreplicated")
	}
	out := succeeds(t, on("migrate", "--show")...)
	if strings.Count(out, "schema 0 of ") != 3 || strings.Count(out, "(to be taken)") != 6 {
		t.Errorf("migrate --show says %q", out)
	}
	out = succeeds(t, on("migrate")...)
	if strings.Contains(out, "schema 0") || strings.Count(out, "(taken)") != 6 || strings.Contains(out, "@") {
		t.Errorf("migrate says %q", out)
	}
	folder := succeeds(t, "store", "check", "--data", data)
	out = succeeds(t, on("move")...)
	if !strings.HasPrefix(out, "moved "+data) || cut(out, "") != cut(folder, "") {
		t.Errorf("move says %q, the folder had %q", out, folder)
	}
	out = succeeds(t, "store", "check", "--store", list, "--directory", s.URL("d"))
	if cut(out, "") != cut(folder, "") {
		t.Errorf("the databases hold\n%s\nthe folder\n%s", out, folder)
	}
	fails(t, exitFailure, "data of its own", on("move")...)
	e, err := pgstore.Open(list, pgstore.Options{Directory: s.URL("d"), AllowUnreplicated: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Mail().Commit(&store.Batch{Appends: []store.Append{{Mailbox: "gone@x"}}}); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	fails(t, exitFailure, "has problems, 1 in all", on("check")...)
	out = succeeds(t, on("reconcile")...)
	if !strings.Contains(out, "removed 1 messages of 1 users") || strings.Contains(out, "marked 0 ") {
		t.Errorf("reconcile says %q", out)
	}
	succeeds(t, on("check")...)
	out = succeeds(t, on("reconcile", "--unmarked")...)
	if !strings.Contains(out, "removed 0 messages") || !strings.Contains(out, "marked 0 ") {
		t.Errorf("reconcile says %q", out)
	}
	node := filepath.Join(t.TempDir(), "node")
	belong(t, node, pgstore.Split(list), s.URL("d"))
	if named := succeeds(t, "store", "check", "--data", node); named != succeeds(t, on("check")...) {
		t.Errorf("what the folder of a node knows of: %q", named)
	}
	release(t, on, list, s.URL("d"), node)
	// Without the word, nothing is written to databases that have no standby.
	fails(t, exitFailure, "not replicated", "store", "move", "--data", data, "--store", s.URL("other"))
}

// release has a store given from one cluster to another.
func release(t *testing.T, on func(...string) []string, list, directory, node string) {
	t.Helper()
	open := func(cluster string) (*pgstore.Engine, error) {
		return pgstore.Open(list, pgstore.Options{Directory: directory, AllowUnreplicated: true, Cluster: cluster, Node: "n1@1"})
	}
	e, err := open("aaaa")
	if err != nil {
		t.Fatal(err)
	}
	fails(t, exitFailure, "these are at work on the store: n1", on("release")...)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	fails(t, exitFailure, "belongs to the cluster aaaa", "store", "reconcile", "--data", node, "--allow-unreplicated")
	for _, want := range []string{"was the cluster's aaaa", "the store is nobody's"} {
		if out := succeeds(t, on("release")...); !strings.Contains(out, want) {
			t.Errorf("release says %q", out)
		}
	}
	if e, err = open("bbbb"); err == nil {
		err = e.Close()
	}
	if err != nil {
		t.Error(err)
	}
}

// belong makes a folder that of a node of a cluster with such a store.
func belong(t *testing.T, data string, list []string, directory string) {
	t.Helper()
	var stores []trust.DSN
	for _, s := range list {
		stores = append(stores, trust.DSN(s))
	}
	b, err := trust.New("one", stores, trust.DSN(directory), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	cfg := &config.Config{Data: data}
	if err := os.MkdirAll(filepath.Dir(cfg.BundleFile()), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := trust.Create(trust.Options{File: cfg.BundleFile(), Name: "one", Logger: zap.NewNop()}, b); err != nil {
		t.Fatal(err)
	}
}

func TestStoreWrongUsage(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	for _, c := range []struct{ args, want string }{
		{"store check --store pebble:x", "--data"},
		{"store move", "--store says"},
		{"store migrate", "--store says"},
		{"store nonsense", "unknown command"},
		{"restore", "one folder is needed"},
		{"backup a b", "one folder is needed"},
	} {
		fails(t, exitUsage, c.want, append(strings.Fields(c.args), "--data", data)...)
	}
	fails(t, exitFailure, "store.directory is given without store.url", "store", "check", "--data", data, "--directory", "postgres://x/y")
	for _, args := range []string{"store check", "store reconcile", "backup " + data + "-copy"} {
		fails(t, exitFailure, "--data", append(strings.Fields(args), "--data", data)...)
	}
	if _, err := os.Stat(data); err == nil {
		t.Error("a data folder was made")
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	fails(t, exitFailure, "none in the folder", "store", "check", "--data", data)
	fails(t, exitFailure, "connection refused", "store", "check", "--store", "postgres://127.0.0.1:1/x?connect_timeout=1")
}
