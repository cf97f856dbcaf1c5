package pgstore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/jackdaw-im/jackdaw/internal/testpg"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/store/pgstore"
	"github.com/jackdaw-im/jackdaw/store/storetest"
)

// serverEnv holds the URL of the server that all tests of this run share, with %s for the database. The process that the kill test kills
// finds it there, and so do the tests inside the package.
const serverEnv = "PGSTORE_TEST_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(serverEnv) != "" {
		storetest.Main(m, openFolder)
	}
	os.Exit(withServer(m))
}

func withServer(m *testing.M) int {
	s, err := testpg.Start(context.Background(), testpg.Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := os.Setenv(serverEnv, s.URL("%s")); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	code := m.Run()
	if err := s.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

var databases atomic.Int64

func sharedURL(database string) string { return fmt.Sprintf(os.Getenv(serverEnv), database) }

// createDatabase makes an empty database on a server and returns its URL.
func createDatabase(url func(database string) string) (string, error) {
	ctx := context.Background()
	c, err := pgx.Connect(ctx, url("postgres"))
	if err != nil {
		return "", err
	}
	name := fmt.Sprintf("t%d_%d", os.Getpid(), databases.Add(1))
	_, err = c.Exec(ctx, "CREATE DATABASE "+name)
	return url(name), errors.Join(err, c.Close(ctx))
}

func dropDatabase(url string) error {
	ctx := context.Background()
	name := url[strings.LastIndex(url, "/")+1:]
	name, _, _ = strings.Cut(name, "?")
	c, err := pgx.Connect(ctx, sharedURL("postgres"))
	if err != nil {
		return err
	}
	_, err = c.Exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)")
	return errors.Join(err, c.Close(ctx))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// urls makes empty databases on the shared server, which are dropped when the test ends.
func urls(t testing.TB, n int) []string {
	t.Helper()
	var all []string
	for range n {
		u, err := createDatabase(sharedURL)
		must(t, err)
		t.Cleanup(func() { must(t, dropDatabase(u)) })
		all = append(all, u)
	}
	return all
}

// ready is a server with the databases of stores, two shards and a directory, that no test uses at the moment: making databases takes longer
// than most tests do.
type ready struct {
	url func(database string) string

	sync.Mutex
	stores [][]string
}

// shared is that of the server that all tests of this run share.
var shared = &ready{url: sharedURL}

// borrow returns the databases of an empty store on the shared server, which is emptied again when the test ends.
func borrow(t testing.TB) []string {
	t.Helper()
	return shared.borrow(t)
}

func (r *ready) borrow(t testing.TB) []string {
	t.Helper()
	r.Lock()
	defer r.Unlock()
	var u []string
	if n := len(r.stores); n > 0 {
		u, r.stores = r.stores[n-1], r.stores[:n-1]
	} else {
		for range 3 {
			one, err := createDatabase(r.url)
			must(t, err)
			u = append(u, one)
		}
	}
	t.Cleanup(func() {
		for _, one := range u {
			must(t, empty(one))
		}
		r.Lock()
		defer r.Unlock()
		r.stores = append(r.stores, u)
	})
	return u
}

// empty makes a database as it was after it was set up.
func empty(url string) error {
	ctx := context.Background()
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	_, err = c.Exec(ctx, `DO $$ DECLARE name text; BEGIN
		FOR name IN SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
			AND relname NOT IN ('jackdaw_schema', 'shard', 'shard_part', 'part', 'claims') LOOP
			EXECUTE 'DELETE FROM ' || name;
		END LOOP;
		IF to_regclass('part') IS NOT NULL THEN
			UPDATE part SET owner = '', epoch = 0 WHERE owner <> '';
			UPDATE claims SET version = 0;
		END IF;
	END $$`)
	return errors.Join(err, c.Close(ctx))
}

// rig is a store of two shards and a directory on a server, with a clock of its own.
type rig struct {
	*pgstore.Engine
	list  string
	urls  []string // of the shards
	o     pgstore.Options
	shift atomic.Int64 // of the databases' clock and the node's
	apart atomic.Int64 // of the databases' alone
}

// newRig makes one on the shared server.
func newRig(t testing.TB, change func(*pgstore.Options)) *rig {
	t.Helper()
	return shared.rig(t, change)
}

func (from *ready) rig(t testing.TB, change func(*pgstore.Options)) *rig {
	t.Helper()
	u := from.borrow(t)
	r := &rig{list: u[0] + "," + u[1], urls: u[:2]}
	r.o = pgstore.Options{Directory: u[2], Node: "one@1", AllowUnreplicated: true, Check: 50 * time.Millisecond, Idle: time.Hour, Conns: 8,
		Shift: func() time.Duration { return time.Duration(r.shift.Load() + r.apart.Load()) },
		Clock: func() time.Time { return time.Now().Add(time.Duration(r.shift.Load())) }}
	if change != nil {
		change(&r.o)
	}
	r.open(t)
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func (r *rig) open(t testing.TB) {
	t.Helper()
	e, err := pgstore.Open(r.list, r.o)
	must(t, err)
	r.Engine = e
}

func (r *rig) advance(d time.Duration) { r.shift.Add(int64(d)) }

// second opens the same store as another node does.
func (r *rig) second(t testing.TB) *pgstore.Engine {
	t.Helper()
	o := r.o
	o.Node = "two@1"
	e, err := pgstore.Open(r.list, o)
	must(t, err)
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// openFolder opens the store whose URLs are in a file of a folder, and makes it if there is none.
func openFolder(folder string) (store.Engine, error) {
	file := filepath.Join(folder, "urls")
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		var all []string
		for range 3 {
			u, err := createDatabase(sharedURL)
			if err != nil {
				return nil, err
			}
			all = append(all, u)
		}
		text = []byte(strings.Join(all, " "))
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		return nil, err
	}
	u := strings.Fields(string(text))
	return pgstore.Open(u[0]+","+u[1], pgstore.Options{Directory: u[2], AllowUnreplicated: true, Memory: filepath.Join(folder, "memory")})
}
