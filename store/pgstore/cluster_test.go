package pgstore_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/jackdaw-im/jackdaw/store/pgstore"
)

// openAs opens a store for a cluster, and closes it.
func openAs(cluster string, u []string, more ...func(*pgstore.Options)) error {
	o := pgstore.Options{Directory: u[2], AllowUnreplicated: true, Cluster: cluster}
	for _, f := range more {
		f(&o)
	}
	e, err := pgstore.Open(u[0]+","+u[1], o)
	if err == nil {
		err = e.Close()
	}
	return err
}

func trial(o *pgstore.Options) { o.Trial = true }
func tool(o *pgstore.Options)  { o.Tool = true }

// owned is how many of some databases belong to a cluster.
func owned(t *testing.T, u []string, cluster string) (n int) {
	t.Helper()
	for _, url := range u {
		n += count(t, url, `SELECT count(*) FROM jackdaw_schema WHERE cluster = '`+cluster+`'`)
	}
	return n
}

// TestAStoreIsOneClusters: the first that serves from the databases has them, also when nobody uses them.
func TestAStoreIsOneClusters(t *testing.T) {
	u := urls(t, 3)
	founded := func(o *pgstore.Options) { o.Founded = true }
	if err := openAs("aaaa", u, founded); err == nil || !strings.Contains(err.Error(), "is no store's") || count(t, u[2], `SELECT count(*) FROM pg_tables WHERE tablename LIKE 'jackdaw%'`) != 0 {
		t.Fatalf("empty databases: %v", err)
	}
	must(t, openAs("", u))
	must(t, openAs("aaaa", u, trial))
	must(t, openAs("aaaa", u, trial, founded))
	if err := openAs("aaaa", []string{u[2], u[1], u[0]}, founded); err == nil {
		t.Fatal("directory and shard may change places")
	}
	must(t, openAs("aaaa", u, tool))
	if n := owned(t, u, ""); n != 3 {
		t.Fatalf("%d of 3 databases are nobody's", n)
	}
	must(t, openAs("aaaa", u))
	must(t, openAs("aaaa", u))
	if n := owned(t, u, "aaaa"); n != 3 {
		t.Fatalf("%d of 3 databases are the cluster's", n)
	}
	for what, how := range map[string]func(*pgstore.Options){"server": func(*pgstore.Options) {}, "trial": trial, "tool": tool} {
		err := openAs("bbbb", u, how)
		if err == nil || pgstore.Passing(err) {
			t.Fatalf("%s of another cluster: %v", what, err)
		}
		for _, word := range []string{"directory", name(u[2]), "the cluster aaaa", "the cluster bbbb", "--join", "jackdaw store release"} {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%s of another cluster: %v doesn't say %q", what, err, word)
			}
		}
	}
	must(t, openAs("", u, tool)) // who doesn't say for whom, such as `jackdaw store check --store`
	e, err := pgstore.Open(u[0]+","+u[1], pgstore.Options{Directory: u[2], AllowUnreplicated: true, Tool: true})
	must(t, err)
	for _, want := range []string{"aaaa", ""} {
		if had, err := e.Release(bg); err != nil || had != want {
			t.Errorf("released: %q, %v", had, err)
		}
	}
	must(t, e.Close())
	if _, err := e.Release(bg); err == nil {
		t.Error("released by one that is closed")
	}
	must(t, openAs("bbbb", u))
	if err := openAs("aaaa", u); err == nil {
		t.Error("two clusters have it")
	}
}

// TestOneForeignShard: a database of another cluster is named, whichever it is, and the others stay as they were.
func TestOneForeignShard(t *testing.T) {
	u := urls(t, 3)
	must(t, openAs("aaaa", u))
	sql(t, u[1], `UPDATE jackdaw_schema SET cluster = 'cccc'`)
	sql(t, u[0], `UPDATE jackdaw_schema SET cluster = ''`)
	if err := openAs("aaaa", u); err == nil || !strings.Contains(err.Error(), "shard 1 ("+strings.Split(u[1], "?")[0][:9]) || !strings.Contains(err.Error(), "cccc") || !strings.Contains(err.Error(), "aaaa") {
		t.Errorf("%v", err)
	}
	if n := owned(t, u, ""); n != 1 {
		t.Errorf("%d databases are nobody's", n)
	}
	sql(t, u[1], `UPDATE jackdaw_schema SET cluster = ''`)
	must(t, openAs("aaaa", u)) // as if the first claim had been interrupted
	if n := owned(t, u, "aaaa"); n != 3 {
		t.Errorf("%d of 3 databases are the cluster's", n)
	}
}

// TestTwoClustersAtOnce: of two that open empty databases together, one has all of them.
func TestTwoClustersAtOnce(t *testing.T) {
	u := urls(t, 3)
	all := []string{"aaaa", "bbbb", "cccc"}
	errs := make(chan error, len(all))
	for _, cluster := range all {
		go func() { errs <- openAs(cluster, u) }()
	}
	won := 0
	for range all {
		if err := <-errs; err == nil {
			won++
		} else if !strings.Contains(err.Error(), "belongs to the cluster") {
			t.Error(err)
		}
	}
	if won != 1 || !slices.ContainsFunc(all, func(c string) bool { return owned(t, u, c) == 3 }) {
		t.Errorf("%d have it", won)
	}
}

// TestReaddressStaysInTheCluster: other addresses lead to databases of the same cluster.
func TestReaddressStaysInTheCluster(t *testing.T) {
	u := urls(t, 1)
	e, err := pgstore.Open(u[0], pgstore.Options{AllowUnreplicated: true, Cluster: "aaaa"})
	must(t, err)
	defer e.Close()
	must(t, e.Readdress(bg, u[0], "", true))
	sql(t, u[0], `UPDATE jackdaw_schema SET cluster = 'bbbb'`)
	if err := e.Readdress(bg, u[0], "", true); err == nil || !strings.Contains(err.Error(), "another database") {
		t.Errorf("%v", err)
	}
}

// TestFirstMeetingIsNoFailover: what a log says of a normal start.
func TestFirstMeetingIsNoFailover(t *testing.T) {
	core, logs := observer.New(zapcore.DebugLevel)
	must(t, openAs("", urls(t, 3), func(o *pgstore.Options) { o.Logger = zap.New(core) }))
	if logs.FilterMessage("a database has a new primary").Len() != 0 {
		t.Errorf("%v", logs.All())
	}
}

// TestWhatPasses tells what time mends from what has to be mended.
func TestWhatPasses(t *testing.T) {
	u := urls(t, 3)
	open := func(url string) error { return openAs("", []string{url, u[1], u[2]}) }
	if err := open("postgres://u:secret@127.0.0.1:1/x"); !pgstore.Passing(err) {
		t.Errorf("nobody there: %v", err)
	}
	if err := open(sharedURL("nowhere")); err == nil || pgstore.Passing(err) {
		t.Errorf("no such database: %v", err)
	}
	if err := open("mysql://x"); err == nil || pgstore.Passing(err) {
		t.Errorf("a bad URL: %v", err)
	}
	if pgstore.Passing(nil) {
		t.Error("nothing passes")
	}
}

// TestOpenWithin: a server that takes connections and says nothing isn't waited for longer than asked.
func TestOpenWithin(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = silent.Close() }()
	ctx, cancel := context.WithCancel(bg)
	go func() {
		conn, err := silent.Accept()
		if err == nil {
			defer func() { _ = conn.Close() }()
		}
		cancel()
		<-ctx.Done()
	}()
	_, err = pgstore.OpenWithin(ctx, fmt.Sprintf("postgres://u:secret@%s/x", silent.Addr()), pgstore.Options{})
	if !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
}

func TestCheckURLs(t *testing.T) {
	for list, says := range map[string]string{
		"postgres://u:secret@h/x": "", "postgres://u:secret@a,b/x,postgresql://h/y?sslmode=disable": "",
		"mysql://secret@h/x": "begins with postgres://", "postgres://u:secret@h:port/x": "can't be read", "postgres://u:secret@h": "names no database", "": "begins with",
		strings.Repeat(",postgres://h/x", 1025)[1:]: "at most 1024",
	} {
		err := pgstore.CheckURLs(list, "")
		if (err == nil) != (says == "") || err != nil && (!strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%.40s: %v", list, err)
		}
	}
	if err := pgstore.CheckURLs("postgres://h/x", "postgres://h/"); err == nil {
		t.Error("the directory isn't looked at")
	}
}
