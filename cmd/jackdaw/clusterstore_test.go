package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/cluster/trust"
	"github.com/jackdaw-im/jackdaw/config"
	"github.com/jackdaw-im/jackdaw/internal/testpg"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/store/pgstore"
)

// TestClusterStoreWithoutAServer: the databases of a cluster were restored elsewhere, and a node that doesn't run is told where.
func TestClusterStoreWithoutAServer(t *testing.T) {
	s := testpg.Run(t, testpg.Options{})
	create := func(names ...string) {
		for _, name := range names {
			if err := s.Exec(t.Context(), "CREATE DATABASE "+name); err != nil {
				t.Fatal(err)
			}
		}
	}
	create("mail0", "mail1", "accounts", "theirs", "their_accounts", "new0", "new1", "new_accounts")
	data := filepath.Join(t.TempDir(), "node")
	file := (&config.Config{Data: data}).BundleFile()
	belong(t, data, []string{s.URL("mail0"), s.URL("mail1")}, s.URL("accounts"))
	write(t, filepath.Join(filepath.Dir(file), "name"), "n1\n")
	knows := func() *trust.Bundle {
		b, err := trust.Load(file)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	before := knows()
	claim(t, before.Cluster, s.URL("mail0")+","+s.URL("mail1"), s.URL("accounts"))
	claim(t, "another", s.URL("theirs"), s.URL("their_accounts"))
	create("moved0 TEMPLATE mail0", "moved1 TEMPLATE mail1", "moved_accounts TEMPLATE accounts")
	told := func(stdin string, args ...string) (code int, stdout, stderr string) {
		c := newTyped(stdin)
		c.environ = []string{"JACKDAW_STORE_ALLOW_UNREPLICATED=true"}
		code = run(append([]string{"cluster", "store", "--data", data}, args...), &c.console)
		return code, c.stdout.String(), c.stderr.String()
	}
	moved, accounts := []string{secretly(s.URL("moved0")), secretly(s.URL("moved1"))}, secretly(s.URL("moved_accounts"))
	list := strings.Join(moved, ",")
	for name, c := range map[string]struct {
		list, directory, want string
	}{
		"nobody listens":    {"postgres://u:hidden@127.0.0.1:1/mail?connect_timeout=1", accounts, "connection refused"},
		"no such database":  {secretly(s.URL("nothing")), accounts, "does not exist"},
		"another cluster's": {secretly(s.URL("theirs")), secretly(s.URL("their_accounts")), "belongs to the cluster another"},
		"in a wrong order":  {moved[1] + "," + moved[0], accounts, "in the same order"},
		"empty ones":        {secretly(s.URL("new0")) + "," + secretly(s.URL("new1")), secretly(s.URL("new_accounts")), "is no store's"},
	} {
		code, out, stderr := told("", c.list, "--directory", c.directory)
		if code != exitFailure || out != "" || !strings.Contains(stderr, c.want) || strings.Contains(stderr, "hidden") {
			t.Errorf("%s: %d %q %q", name, code, out, stderr)
		}
		if b := knows(); b.Version != before.Version {
			t.Errorf("%s: it was written down all the same", name)
		}
	}
	code, out, stderr := told(list+"\n"+accounts+"\n", "-")
	if code != exitOK || !strings.HasPrefix(out, "written down for this node, which doesn't run") || stderr != "" {
		t.Fatalf("%d %q %q", code, out, stderr)
	}
	b := knows()
	if len(b.Stores) != 2 || b.Stores[0].Reveal() != moved[0] || b.Stores[1].Reveal() != moved[1] || b.Directory.Reveal() != accounts || b.Last.By != "n1" || b.Version <= before.Version || b.Cluster != before.Cluster {
		t.Errorf("written down: %+v", b)
	}
	// What the folder names from now on is there, without the old ones.
	if err := s.Exec(t.Context(), "DROP DATABASE mail0", "DROP DATABASE mail1", "DROP DATABASE accounts"); err != nil {
		t.Fatal(err)
	}
	if out := succeeds(t, "store", "check", "--data", data); !strings.Contains(out, "moved") {
		t.Errorf("check says %q", out)
	}

	alone := filepath.Join(t.TempDir(), "alone") // of no cluster
	if err := os.Mkdir(alone, 0o700); err != nil {
		t.Fatal(err)
	}
	fails(t, exitFailure, "no server", "cluster", "store", list, "--data", alone)
	if left, err := os.ReadDir(alone); err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
}

// claim makes databases a cluster's, as its first node does.
func claim(t *testing.T, cluster, list, directory string) {
	t.Helper()
	e, err := pgstore.Open(list, pgstore.Options{Directory: directory, AllowUnreplicated: true, Cluster: cluster, Node: "n1@1"})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Directory().Accounts().Create(&store.Account{User: "a@x"}); err != nil {
		t.Error(err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

// secretly is the address of a database with a password, which is nobody's business.
func secretly(url string) string { return strings.Replace(url, "@", ":hidden@", 1) }
