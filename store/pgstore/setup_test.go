package pgstore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/store/pgstore"
	"github.com/jackdaw-im/jackdaw/store/storetest"
)

func name(url string) string {
	url, _, _ = strings.Cut(url, "?")
	return url[strings.LastIndex(url, "/")+1:]
}

func TestTheListOfShardsIsKept(t *testing.T) {
	u := urls(t, 5)
	open := func(directory string, list ...string) (*pgstore.Engine, error) {
		return pgstore.Open(strings.Join(list, ","), pgstore.Options{Directory: directory, AllowUnreplicated: true})
	}
	e, err := open(u[4], u[0], u[1], u[2])
	must(t, err)
	parts := make([]int, e.Shards())
	for p := range ident.Partition(ident.Partitions) {
		parts[e.ShardOf(p)]++
	}
	if len(parts) != 3 || parts[0] < 1365 || parts[1] < 1365 || parts[2] < 1365 {
		t.Errorf("partitions by shard %v", parts)
	}
	for _, n := range []int{1, 2, 3, 4, 5, 6} {
		_, err := e.Mail().Commit(batchOf(n))
		must(t, err)
	}
	must(t, e.Close())
	for what, list := range map[string][]string{
		"a shorter list": {u[0], u[1]},
		"a longer one":   {u[0], u[1], u[2], u[3]},
		"another order":  {u[1], u[0], u[2]},
		"another shard":  {u[0], u[1], u[3]},
		"one twice":      {u[0], u[1], u[1]},
	} {
		_, err := open(u[4], list...)
		if err == nil || !strings.Contains(err.Error(), name(u[2])) || !strings.Contains(err.Error(), name(list[len(list)-1])) || strings.Contains(err.Error(), "sslmode") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := open(u[3], u[0], u[1], u[2]); err == nil || !strings.Contains(err.Error(), "isn't that store's directory") {
		t.Errorf("another directory: %v", err)
	}
	// The same databases written in another way.
	spelled := strings.ReplaceAll(u[1], "127.0.0.1", "localhost")
	e, err = open(u[4], u[0], spelled, u[2])
	must(t, err)
	if got := numbers(t, e); len(got) != 6 {
		t.Errorf("messages %v", got)
	}
	must(t, e.Close())
}

func TestOneDatabaseForTwoShards(t *testing.T) {
	u := urls(t, 2)
	for _, second := range []string{u[0], strings.ReplaceAll(u[0], "127.0.0.1", "localhost")} {
		if _, err := pgstore.Open(u[0]+","+second, pgstore.Options{Directory: u[1], AllowUnreplicated: true}); err == nil || !strings.Contains(err.Error(), "twice") {
			t.Fatal(err)
		}
	}
	e, err := pgstore.Open(u[0], pgstore.Options{Directory: u[1], AllowUnreplicated: true})
	if err != nil {
		t.Fatalf("a refused list has left something behind: %v", err)
	}
	must(t, e.Close())
}

func TestSettingUpIsGoneOnWith(t *testing.T) {
	u := urls(t, 2)
	open := func() error {
		e, err := pgstore.Open(u[0]+","+u[1], pgstore.Options{AllowUnreplicated: true})
		if err == nil {
			err = e.Close()
		}
		return err
	}
	must(t, open())
	sql(t, u[1], `UPDATE jackdaw_schema SET store = '', shard = -1, shards = 0`) // as if the second had not been reached
	must(t, open())
	sql(t, u[0], `DELETE FROM shard_part WHERE p = 77`)
	if err := open(); !errors.Is(err, store.ErrCorrupt) {
		t.Fatal(err)
	}
	sql(t, u[0], `INSERT INTO shard_part VALUES (77, 9)`)
	if err := open(); !errors.Is(err, store.ErrCorrupt) {
		t.Fatal(err)
	}
}

func TestManyOpenAtOnce(t *testing.T) {
	u := urls(t, 2)
	errs := make(chan error, 5)
	for n := range cap(errs) {
		go func() {
			e, err := pgstore.Open(u[0]+","+u[1], pgstore.Options{AllowUnreplicated: true, Node: ident.NodeID(fmt.Sprint("n", n, "@1"))})
			if err == nil {
				err = e.Close()
			}
			errs <- err
		}()
	}
	for range cap(errs) {
		must(t, <-errs)
	}
}

func TestOpenRefuses(t *testing.T) {
	u := urls(t, 1)
	for what, c := range map[string]struct{ list, says string }{
		"a foreign URL":     {"mysql://x", "begins with postgres://"},
		"a bad URL":         {"postgres://u:secret@h:port/x", "can't be read"},
		"no database":       {"postgres://u:secret@127.0.0.1:1", "no database"},
		"nobody there":      {"postgres://u:secret@127.0.0.1:1/x", "127.0.0.1:1"},
		"no such database":  {sharedURL("nowhere"), "does not exist"},
		"too many":          {strings.Repeat(","+u[0], 1025)[1:], "at most 1024"},
		"nothing":           {"", "begins with"},
		"a second of these": {u[0] + ",mysql://x", "can't"},
	} {
		_, err := pgstore.Open(c.list, pgstore.Options{AllowUnreplicated: true})
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", what, err)
		}
	}
	memory := filepath.Join(t.TempDir(), "memory")
	must(t, os.WriteFile(memory, []byte("{"), 0o600))
	if _, err := pgstore.Open(u[0], pgstore.Options{Memory: memory}); err == nil || !strings.Contains(err.Error(), memory) {
		t.Errorf("a damaged memory: %v", err)
	}
}

func TestNewerSchema(t *testing.T) {
	u := urls(t, 1)
	e, err := pgstore.Open(u[0], pgstore.Options{AllowUnreplicated: true})
	must(t, err)
	if v := e.Info().SchemaVersion; v < 1 {
		t.Errorf("version %d", v)
	}
	must(t, e.Close())
	sql(t, u[0], `UPDATE jackdaw_schema SET version = 1000, compatible = 1000 WHERE kind = 'mail'`)
	if _, err := pgstore.Open(u[0], pgstore.Options{AllowUnreplicated: true}); !errors.Is(err, store.ErrNewer) {
		t.Error(err)
	}
}

func TestUnreplicatedFromTheStart(t *testing.T) {
	u := borrow(t)
	e, err := pgstore.Open(u[0]+","+u[1], pgstore.Options{Directory: u[2]})
	must(t, err)
	defer e.Close()
	if h := e.Health(); h.State != store.Held || !strings.Contains(h.Reason, "shard 1 is not replicated") || !strings.Contains(h.Reason, "directory") {
		t.Errorf("health %+v", h)
	}
	if _, err := e.Mail().Commit(batchOf(1)); !errors.Is(err, pgstore.ErrUnreplicated) {
		t.Errorf("an append: %v", err)
	}
	if n := count(t, u[0], `SELECT count(*) FROM mark`); n != 0 {
		t.Errorf("%d marks", n)
	}
	if !e.Info().Replicated {
		t.Error("what this engine acknowledges is replicated")
	}
	r := newRig(t, nil)
	if h := r.Health(); h.State != store.Serving || !strings.Contains(h.Reason, "as is allowed") || r.Info().Replicated {
		t.Errorf("health %+v, info %+v", h, r.Info())
	}
}

// TestFullDisk lets a trigger say what the server says when it can't extend a file.
func TestFullDisk(t *testing.T) {
	r := newRig(t, nil)
	shard := strings.Split(r.list, ",")[r.ShardOf(store.MailPartition(message(1).Mailbox))]
	sql(t, shard, `CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'could not extend file' USING ERRCODE = '53100'; END $$;
		CREATE TRIGGER full_disk BEFORE INSERT ON mail FOR EACH ROW EXECUTE FUNCTION full_disk()`)
	t.Cleanup(func() { sql(t, shard, `DROP FUNCTION IF EXISTS full_disk CASCADE`) })
	if _, err := r.Mail().Commit(batchOf(1)); !errors.Is(err, store.ErrFull) {
		t.Fatal(err)
	}
	if h := r.Health(); h.State != store.Full {
		t.Errorf("health %+v", h)
	}
	if _, err := r.Mail().Commit(&store.Batch{Acks: []store.Ack{{Mailbox: message(1).Mailbox, ID: storetest.ID(9), Delete: true}}}); err != nil {
		t.Errorf("an ack: %v", err)
	}
	sql(t, shard, `DROP FUNCTION full_disk CASCADE`)
	if got := numbers(t, r.Engine); len(got) != 0 {
		t.Errorf("messages %v of a refused batch", got)
	}
	_, err := r.Mail().Commit(batchOf(1))
	must(t, err)
	if h := r.Health(); h.State != store.Serving {
		t.Errorf("health %+v", h)
	}
}

// TestClashes lets the server give up the first tries of a batch, as it does for a deadlock.
func TestClashes(t *testing.T) {
	r := newRig(t, nil)
	shard := strings.Split(r.list, ",")[r.ShardOf(store.MailPartition(message(1).Mailbox))]
	sql(t, shard, `CREATE SEQUENCE tries;
		CREATE FUNCTION clash() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF nextval('tries') < 4 THEN RAISE 'clash' USING ERRCODE = CASE currval('tries') WHEN 1 THEN '40001' ELSE '40P01' END; END IF;
			RETURN NEW; END $$;
		CREATE TRIGGER clash BEFORE INSERT ON mail FOR EACH ROW EXECUTE FUNCTION clash()`)
	t.Cleanup(func() { sql(t, shard, `DROP FUNCTION clash CASCADE; DROP SEQUENCE tries`) })
	res, err := r.Mail().Commit(batchOf(1))
	if must(t, err); res.Duplicates != nil {
		t.Errorf("%+v", res)
	}
	if got := numbers(t, r.Engine); len(got) != 1 {
		t.Errorf("messages %v", got)
	}
}

// hold keeps batches with appends of the node "one" between their last look at the database and their commit, until it is released.
func hold(t *testing.T, shard string) (release func()) {
	t.Helper()
	sql(t, shard, `CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(42); RETURN NEW; END $$`,
		`CREATE TRIGGER wait BEFORE INSERT OR UPDATE ON mark FOR EACH ROW WHEN (NEW.node LIKE 'one/%') EXECUTE FUNCTION wait()`)
	c, err := pgx.Connect(bg, shard)
	must(t, err)
	t.Cleanup(func() {
		must(t, c.Close(bg))
		sql(t, shard, `DROP FUNCTION wait CASCADE`)
	})
	_, err = c.Exec(bg, `SELECT pg_advisory_lock(42)`)
	must(t, err)
	return func() {
		_, err := c.Exec(bg, `SELECT pg_advisory_unlock(42)`)
		must(t, err)
	}
}

// waiting is how many backends wait for a lock in a database.
func waiting(t testing.TB, url string) int {
	return count(t, url, `SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`)
}

// TestClaimsWaitForBatches: a claim gives up after two seconds if a batch is on its way, and once it is through sees its rows.
func TestClaimsWaitForBatches(t *testing.T) {
	r := newRig(t, nil)
	two := r.second(t)
	p := store.MailPartition(message(1).Mailbox)
	shard := strings.Split(r.list, ",")[r.ShardOf(p)]
	must(t, r.Claims().Claim([]ident.Partition{p}))
	release := hold(t, shard)
	done := commitAside(r.Engine, batchOf(1))
	eventually(t, "the batch waits", func() bool { return waiting(t, shard) == 1 })
	if err := two.Claims().Claim([]ident.Partition{p}); err == nil {
		t.Error("claimed under a batch that is on its way")
	}
	release()
	must(t, <-done)
	must(t, two.Claims().Claim([]ident.Partition{p}))
	if got := numbers(t, two); len(got) != 1 {
		t.Errorf("the new owner sees %v", got)
	}
	eventually(t, "seen by the former owner", func() bool { return r.Owners()[p] == "two@1" && r.Owners()[(p+1)%4096] == "" })
}

// TestAckAndDeletionMeet: one node keeps an acknowledgement of a row that another deletes at the same time.
func TestAckAndDeletionMeet(t *testing.T) {
	r := newRig(t, nil)
	two := r.second(t)
	m := message(1)
	shard := strings.Split(r.list, ",")[r.ShardOf(store.MailPartition(m.Mailbox))]
	_, err := r.Mail().Commit(batchOf(1))
	must(t, err)
	release := hold(t, shard)
	b := batchOf(8) // the same mailbox
	b.Acks = []store.Ack{{Mailbox: m.Mailbox, ID: m.ID, Device: "phone"}}
	kept := commitAside(r.Engine, b)
	eventually(t, "the batch waits", func() bool { return waiting(t, shard) == 1 })
	deleted := commitAside(two, &store.Batch{Acks: []store.Ack{{Mailbox: m.Mailbox, ID: m.ID, Delete: true}}})
	eventually(t, "the deletion waits or is over", func() bool { return waiting(t, shard) == 2 || len(deleted) == 1 })
	release()
	must(t, <-kept)
	must(t, <-deleted)
	_, err = r.Mail().Commit(batchOf(1))
	must(t, err)
	rows, err := storetest.Rows(bg, two, m.Mailbox)
	if must(t, err); len(rows) != 2 || rows[0].Acked != nil {
		t.Errorf("an acknowledgement has outlived its row: %+v", rows)
	}
}

func TestSplitAndRedact(t *testing.T) {
	list := "postgres://u:p@a:1,b:2/x?sslmode=disable, postgresql://u:p@c/y?sslmode=disable,d"
	got := pgstore.Split(list)
	if len(got) != 2 || got[0] != "postgres://u:p@a:1,b:2/x?sslmode=disable" || got[1] != "postgresql://u:p@c/y?sslmode=disable,d" {
		t.Errorf("%q", got)
	}
	if got := pgstore.Redact("postgres://u:p@a:1,b:2/x,postgres://u:p@c/y?sslmode=verify-full,nonsense secret"); got != "postgres://a:1,b:2/x,(not a URL of PostgreSQL)" &&
		got != "postgres://a:1,b:2/x,postgres://c:5432/y" || strings.Contains(got, "secret") {
		t.Errorf("%q", got)
	}
	if !pgstore.Is("postgresql://x") || pgstore.Is("pebble:/x") {
		t.Error("Is")
	}
}

func TestDeadline(t *testing.T) {
	r := newRig(t, nil)
	_, err := r.Mail().Commit(batchOf(1))
	must(t, err)
	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancel()
	if _, err := storetest.Rows(ctx, r, message(1).Mailbox); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a read whose time is over: %v", err)
	}
	if got := numbers(t, r.Engine); len(got) != 1 {
		t.Errorf("messages %v", got)
	}
}

// TestOrdinaryUser: the engine needs a user who owns its databases, and pg_monitor to see their replication; no more.
func TestOrdinaryUser(t *testing.T) {
	u := urls(t, 1)[0]
	sql(t, u, `DROP ROLE IF EXISTS plain`, `CREATE ROLE plain LOGIN`, `ALTER DATABASE `+name(u)+` OWNER TO plain`)
	t.Cleanup(func() { sql(t, u, `REASSIGN OWNED BY plain TO CURRENT_USER`, `DROP OWNED BY plain`, `DROP ROLE plain`) })
	plain := strings.Replace(u, "jackdaw@", "plain@", 1)
	e, err := pgstore.Open(plain, pgstore.Options{AllowUnreplicated: true})
	must(t, err)
	_, err = e.Mail().Commit(batchOf(1, 2))
	must(t, err)
	must(t, e.Claims().Claim([]ident.Partition{1}))
	must(t, e.Directory().Accounts().Create(&store.Account{User: "a@x"}))
	if got := numbers(t, e); len(got) != 2 {
		t.Errorf("messages %v", got)
	}
	must(t, e.Close())
}

func TestBatchForSeveralShards(t *testing.T) {
	r := newRig(t, nil)
	shards := map[int]bool{}
	for n := range 7 {
		shards[r.ShardOf(store.MailPartition(message(n).Mailbox))] = true
	}
	if len(shards) != 2 {
		t.Fatalf("the test's mailboxes are in shards %v", shards)
	}
	must(t, r.second(t).Claims().Claim([]ident.Partition{store.MailPartition(message(0).Mailbox), store.MailPartition(message(1).Mailbox)}))
	res, err := r.Mail().Commit(batchOf(0, 1, 2, 3, 4, 5, 6, 3))
	must(t, err)
	if !slices.Equal(res.Duplicates, []int{7}) || len(res.Stale) != 2 || !slices.IsSorted(res.Stale) {
		t.Errorf("%+v", res)
	}
	shard := strings.Split(r.list, ",")[r.ShardOf(store.MailPartition(message(0).Mailbox))]
	sql(t, shard, `CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'could not extend file' USING ERRCODE = '53100'; END $$`,
		`CREATE TRIGGER full_disk BEFORE INSERT ON mail FOR EACH ROW EXECUTE FUNCTION full_disk()`)
	defer sql(t, shard, `DROP FUNCTION full_disk CASCADE`)
	if _, err := r.Mail().Commit(batchOf(10, 11, 12, 13, 14, 15, 16)); err == nil || errors.Is(err, store.ErrFull) {
		t.Errorf("%v: one shard has stored its part, so it is not true that nothing was stored", err)
	}
}
