package pgstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/jackdaw-im/jackdaw/store"
)

var bg = context.Background()

// emptyDatabase makes a database on the server that the tests share, and returns its URL.
func emptyDatabase(t testing.TB, name string) string {
	t.Helper()
	exec := func(sql string) {
		c, err := pgx.Connect(bg, fmt.Sprintf(os.Getenv("PGSTORE_TEST_SERVER"), "postgres"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Exec(bg, sql)
		if err = errors.Join(err, c.Close(bg)); err != nil {
			t.Fatal(err)
		}
	}
	exec("CREATE DATABASE " + name)
	t.Cleanup(func() { exec("DROP DATABASE " + name + " WITH (FORCE)") })
	return fmt.Sprintf(os.Getenv("PGSTORE_TEST_SERVER"), name)
}

func connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(bg, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(bg) })
	return c
}

// versions makes the schemas of programs that know that many versions: the second adds a column, the third takes the old one
// away, the fourth adds another.
func versions(n int) *schema {
	return &schema{kind: "test", needs: 1, steps: []migration{
		{version: 1, compatible: 1, what: "a table", statements: []string{`CREATE TABLE thing (id int PRIMARY KEY, old text NOT NULL DEFAULT '')`, `INSERT INTO thing (id, old) VALUES (1, 'x')`}},
		{version: 2, compatible: 1, what: "a new column", statements: []string{`ALTER TABLE thing ADD new text`, `UPDATE thing SET new = old`}},
		{version: 3, compatible: 2, contract: true, what: "the old column goes", statements: []string{`ALTER TABLE thing DROP old`}},
		{version: 4, compatible: 2, what: "an index", statements: []string{`CREATE INDEX thing_new ON thing (new)`}},
	}[:n]}
}

func wantVersion(t *testing.T, got int, err error, want int) {
	t.Helper()
	if err != nil || got != want {
		t.Fatalf("version %d, %v; want %d", got, err, want)
	}
}

// TestMigrateExpandsThenContracts is a rolling upgrade from a program of version 1 to one of version 3, and on to 4.
func TestMigrateExpandsThenContracts(t *testing.T) {
	url := emptyDatabase(t, "migrate_steps")
	old, young := connect(t, url), connect(t, url)
	v, err := versions(1).migrate(bg, old, false)
	wantVersion(t, v, err, 1)
	v, err = versions(3).migrate(bg, young, false)
	wantVersion(t, v, err, 2) // the new program opens the store and expands, and leaves the contraction
	v, err = versions(1).migrate(bg, old, false)
	wantVersion(t, v, err, 2) // the old one still opens it, and works
	if _, err := old.Exec(bg, `INSERT INTO thing (id, old) VALUES (2, 'y')`); err != nil {
		t.Fatal(err)
	}
	v, err = versions(3).migrate(bg, young, true)
	wantVersion(t, v, err, 3) // an operator says that the old one is gone
	_, err = versions(1).migrate(bg, old, false)
	if !errors.Is(err, store.ErrNewer) || !strings.Contains(err.Error(), "has schema 3") {
		t.Fatalf("the old program opens a store that it can't use: %v", err)
	}
	v, err = versions(2).migrate(bg, old, false)
	wantVersion(t, v, err, 3) // one of version 2 can: version 3 says that it is compatible
	v, err = versions(4).migrate(bg, young, false)
	wantVersion(t, v, err, 4)
	v, err = versions(2).migrate(bg, old, true)
	wantVersion(t, v, err, 4)
}

// TestMigrateStopsBeforeWhatItLacks: a program that needs what is behind a contraction says what to do.
func TestMigrateStopsBeforeWhatItLacks(t *testing.T) {
	c := connect(t, emptyDatabase(t, "migrate_lacks"))
	v, err := versions(2).migrate(bg, c, false)
	wantVersion(t, v, err, 2)
	s := versions(4)
	s.needs = 4
	if _, err := s.migrate(bg, c, false); err == nil || !strings.Contains(err.Error(), "jackdaw store migrate --contract") {
		t.Fatalf("error %v", err)
	}
	v, err = s.migrate(bg, c, true)
	wantVersion(t, v, err, 4)
}

// TestMigrateAtOnce lets many programs open an empty database at the same time.
func TestMigrateAtOnce(t *testing.T) {
	url := emptyDatabase(t, "migrate_at_once")
	var all sync.WaitGroup
	for range 8 {
		c := connect(t, url)
		all.Go(func() {
			for _, kind := range []dbKind{mailDB, directoryDB} {
				if v, err := migrate(bg, c, kind); err != nil || v != schemaOf(kind).latest() {
					t.Errorf("%s: version %d, %v", kind, v, err)
				}
			}
		})
	}
	all.Wait()
}

// TestMigrateStepIsWhole: a step that fails half-way leaves nothing, and can be taken later.
func TestMigrateStepIsWhole(t *testing.T) {
	c := connect(t, emptyDatabase(t, "migrate_whole"))
	v, err := versions(1).migrate(bg, c, false)
	wantVersion(t, v, err, 1)
	broken := versions(2)
	broken.steps[1].statements = []string{broken.steps[1].statements[0], `SELECT 1 / 0`}
	if _, err := broken.migrate(bg, c, false); err == nil || !strings.Contains(err.Error(), "step 2 (a new column)") {
		t.Fatalf("error %v", err)
	}
	v, err = versions(1).migrate(bg, c, false)
	wantVersion(t, v, err, 1)
	v, err = versions(2).migrate(bg, c, false)
	wantVersion(t, v, err, 2)
}

// TestMigrateOnlyReadsWhatIsUpToDate: a user who may not change the schema can open the store.
func TestMigrateOnlyReadsWhatIsUpToDate(t *testing.T) {
	url := emptyDatabase(t, "migrate_reads")
	c := connect(t, url)
	v, err := versions(2).migrate(bg, c, false)
	wantVersion(t, v, err, 2)
	if _, err := c.Exec(bg, `SET default_transaction_read_only = on`); err != nil {
		t.Fatal(err)
	}
	v, err = versions(2).migrate(bg, c, true)
	wantVersion(t, v, err, 2)
	if _, err := versions(4).migrate(bg, c, true); err == nil {
		t.Fatal("a step was taken by who may not")
	}
}

// TestSchemas shows and changes the schemas of a whole store.
func TestSchemas(t *testing.T) {
	list, o := emptyDatabase(t, "schemas_a")+","+emptyDatabase(t, "schemas_b"), Options{Directory: emptyDatabase(t, "schemas_d"), AllowUnreplicated: true}
	before, err := Schemas(bg, list, o)
	if err != nil || len(before) != 3 {
		t.Fatalf("%+v, %v", before, err)
	}
	for i, name := range []string{"shard 0", "shard 1", "directory"} {
		if b := before[i]; b.Database != name || b.Version != 0 || b.Latest < 1 || len(b.Steps) != b.Latest || b.Steps[0].What == "" {
			t.Fatalf("%+v", b)
		}
	}
	after, err := Migrate(bg, list, o, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range after {
		if a.Version != a.Latest || len(a.Steps) != 0 {
			t.Fatalf("%+v", a)
		}
	}
	e, err := Open(list, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	c := connect(t, Split(list)[1])
	if _, err := c.Exec(bg, `UPDATE jackdaw_schema SET version = 99, compatible = 98`); err != nil {
		t.Fatal(err)
	}
	for name, try := range map[string]func() error{
		"shown": func() error { _, err := Schemas(bg, list, o); return err },
		"opened": func() error {
			_, err := Open(list, o)
			return err
		},
	} {
		if err := try(); !errors.Is(err, store.ErrNewer) || !strings.Contains(err.Error(), "schemas_b") && !strings.Contains(err.Error(), "shard 1") {
			t.Errorf("a newer store is %s: %v", name, err)
		}
	}
	if _, err := c.Exec(bg, `UPDATE jackdaw_schema SET compatible = 1`); err != nil {
		t.Fatal(err)
	}
	if e, err = Open(list, o); err != nil {
		t.Fatalf("a newer store that says it is compatible: %v", err)
	}
	if e.Info().SchemaVersion != 2 {
		t.Errorf("version %d", e.Info().SchemaVersion)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestOldProgramBesideTheNewOne: a store of the first schema gets the id of its cluster from the first new program, and old ones go on with
// it.
func TestOldProgramBesideTheNewOne(t *testing.T) {
	url := emptyDatabase(t, "old_and_new")
	open := func(cluster string) error {
		e, err := Open(url, Options{AllowUnreplicated: true, Cluster: cluster})
		if err == nil {
			err = e.Close()
		}
		return err
	}
	if err := open(""); err != nil {
		t.Fatal(err)
	}
	c := connect(t, url)
	exec := func(q string) {
		t.Helper()
		if _, err := c.Exec(bg, q); err != nil {
			t.Fatal(err)
		}
	}
	exec(`ALTER TABLE jackdaw_schema DROP cluster`)
	exec(`UPDATE jackdaw_schema SET version = 1, compatible = 1`)
	b, err := belongs(bg, c, mailDB)
	if err != nil || b.cluster != "" || b.store == "" || b.shard != 0 {
		t.Fatalf("%+v, %v", b, err)
	}
	if err := open("aaaa"); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []dbKind{mailDB, directoryDB} {
		old := schemaOf(kind)
		old.steps = old.steps[:1]
		v, err := old.migrate(bg, c, false)
		wantVersion(t, v, err, 2)
		if b, err = belongs(bg, c, kind); err != nil || b.cluster != "aaaa" {
			t.Errorf("%+v, %v", b, err)
		}
	}
	// What an old one does when it opens the store.
	exec(`UPDATE jackdaw_schema SET store = '` + b.store + `', shard = 0, shards = 1 WHERE kind = 'mail'`)
	if err := open("bbbb"); err == nil || !strings.Contains(err.Error(), "aaaa") {
		t.Errorf("another cluster: %v", err)
	}
	if err := open("aaaa"); err != nil {
		t.Error(err)
	}
}
