package transfer_test

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/internal/testpg"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/store/pebblestore"
	"github.com/jackdaw-im/jackdaw/store/pgstore"
	"github.com/jackdaw-im/jackdaw/store/storetest"
	"github.com/jackdaw-im/jackdaw/store/transfer"
)

// databases starts a server and returns how to make empty databases.
func databases(t *testing.T) func() string {
	s := testpg.Run(t, testpg.Options{})
	n := 0
	return func() string {
		n++
		name := fmt.Sprint("d", n)
		must(t, s.Exec(bg, "CREATE DATABASE "+name))
		return s.URL(name)
	}
}

// openShared opens a store of two shards and a directory.
func openShared(t *testing.T, urls []string) *pgstore.Engine {
	t.Helper()
	e, err := pgstore.Open(urls[0]+","+urls[1], pgstore.Options{Directory: urls[2], AllowUnreplicated: true, Tool: true})
	must(t, err)
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// postgres starts a server and returns how to make empty stores.
func postgres(t *testing.T) func() *pgstore.Engine {
	database := databases(t)
	return func() *pgstore.Engine { return openShared(t, []string{database(), database(), database()}) }
}

// broken is a target whose connection is lost while it commits: nobody knows what was stored.
type broken struct {
	*pgstore.Engine
	pages int
}

func (b *broken) Load(ctx context.Context, p *store.WalkPage) error {
	if b.pages--; b.pages == 0 {
		return errors.Join(b.Engine.Load(ctx, p), errBroken)
	}
	return b.Engine.Load(ctx, p)
}

// TestMoveIntoPostgreSQL moves a folder and a store in memory, once in one go and once interrupted at every page.
func TestMoveIntoPostgreSQL(t *testing.T) {
	empty := postgres(t)
	folder, err := pebblestore.Open("pebble:"+filepath.Join(t.TempDir(), "store"), pebblestore.Options{Ballast: -1, StopBelow: 1, ResumeAbove: 1})
	must(t, err)
	defer func() { must(t, folder.Close()) }()
	storetest.Fill(t, folder, 60)
	for name, source := range map[string]store.Engine{"pebble": folder, "memory": filled(t, 60)} {
		target := empty()
		moved, err := transfer.Move(bg, source, target, "here", nil)
		must(t, err)
		same(t, source, target)
		if moved.Resumed {
			t.Errorf("%s: nothing was resumed", name)
		}
		if _, err := transfer.Move(bg, source, target, "here", nil); !errors.Is(err, transfer.ErrNotEmpty) {
			t.Errorf("%s: a second move: %v", name, err)
		}
		r, err := transfer.Check(bg, target, nil)
		must(t, err)
		if c := counts(r); len(c) != 1 || c[transfer.StrayMembers] != 30 {
			t.Errorf("%s: %+v", name, r.Problems)
		}
	}
	target, tries := empty(), 0
	for ; ; tries++ {
		_, err = transfer.Move(bg, folder, &broken{target, 2}, "here", nil)
		if !errors.Is(err, errBroken) {
			break
		}
	}
	must(t, err)
	if tries < int(store.PartIndexes)-1 {
		t.Errorf("interrupted %d times only", tries)
	}
	same(t, folder, target)
	used(t, target)
}

// used uses a moved store as a server does.
func used(t *testing.T, e store.Engine) {
	t.Helper()
	all := storetest.Walk(t, e, store.PartMail, 0, 0)
	first := all[0]
	rows, err := storetest.Rows(bg, e, "nobody@x")
	must(t, err)
	if len(rows) != 0 {
		t.Errorf("mail of nobody: %v", rows)
	}
	a := store.Append{ID: first.Mail.ID, Body: []byte("again")}
	a.Mailbox = "user6@test.example"
	for _, en := range all {
		if en.Owner == string(a.Mailbox) {
			a.ID = en.Mail.ID
		}
	}
	res, err := e.Mail().Commit(&store.Batch{Appends: []store.Append{a}})
	must(t, err)
	if len(res.Duplicates) != 1 {
		t.Error("a message that was moved isn't known")
	}
	x, err := e.Directory().Accounts().Export(bg, "user3@test.example")
	must(t, err)
	if _, err := e.Directory().Rosters().SetItem("user3@test.example", x.Roster.Rev, store.RosterItem{Contact: "new@x"}); err != nil {
		t.Errorf("a roster can't be changed from its revision: %v", err)
	}
	must(t, e.Directory().Accounts().Remove("user3@test.example"))
}

// TestReconcilePostgreSQL restores directory and mail of different moments: the directory is the older one, then the newer.
func TestReconcilePostgreSQL(t *testing.T) {
	e := postgres(t)()
	storetest.Fill(t, e, 30)
	must(t, e.Directory().Accounts().Create(&store.Account{User: "late@x"}))
	_, err := e.Mail().Commit(&store.Batch{Appends: []store.Append{{Mailbox: "younger@x", Body: []byte("x")}}}) // whose account came after the backup
	must(t, err)
	mended, err := transfer.Reconcile(bg, e, true, nil)
	must(t, err)
	if mended.Mail != 1 || mended.Mailboxes != 1 || mended.Left != 0 || mended.Restored < 50 {
		t.Errorf("%+v", mended)
	}
	for _, en := range storetest.Walk(t, e, store.PartMail, 0, 0) {
		if en.Mail.Flags&store.FlagRestored == 0 || strings.HasPrefix(en.Owner, "younger") {
			t.Fatalf("%s: %+v", en.Owner, en.Mail.Row)
		}
	}
	r, err := transfer.Check(bg, e, nil)
	must(t, err)
	if !r.OK() {
		t.Errorf("%+v", r.Problems)
	}
}

// pg runs one of PostgreSQL's own tools.
func pg(t *testing.T, program string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(bg, program, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", program, err, out)
	}
}

// TestRestoreOfDumps is the procedure of docs/OPERATIONS.md: the directory is dumped first, then the shards, while users come
// and go; all of it is restored into other databases, and what doesn't fit is mended.
func TestRestoreOfDumps(t *testing.T) {
	database := databases(t)
	from, to, dir := []string{database(), database(), database()}, []string{database(), database(), database()}, t.TempDir()
	dump := func(i int) {
		pg(t, "pg_dump", "--format=custom", "--file="+filepath.Join(dir, fmt.Sprint(i)), from[i])
		pg(t, "pg_restore", "--exit-on-error", "--dbname="+to[i], filepath.Join(dir, fmt.Sprint(i)))
	}
	e := openShared(t, from)
	storetest.Fill(t, e, 30)
	must(t, e.Directory().Accounts().Create(&store.Account{User: "late@x"}))
	dump(2)
	must(t, e.Directory().Accounts().Create(&store.Account{User: "younger@x"}))
	must(t, e.Directory().Accounts().Remove("user6@test.example"))
	var b store.Batch
	for _, user := range []ident.UserID{"younger@x", "user5@test.example"} {
		b.Appends = append(b.Appends, store.Append{Mailbox: user, ID: storetest.ID(9999), Body: []byte("after the first dump")})
	}
	_, err := e.Mail().Commit(&b)
	must(t, err)
	dump(0)
	dump(1)
	e = openShared(t, to)
	mended, err := transfer.Reconcile(bg, e, true, nil)
	must(t, err)
	if mended.Mail != 1 || mended.Mailboxes != 1 || mended.Left != 0 {
		t.Errorf("%+v", mended)
	}
	r, err := transfer.Check(bg, e, nil)
	must(t, err)
	if !r.OK() {
		t.Errorf("%+v", r.Problems)
	}
	_, err = e.Directory().Accounts().Account(bg, "user6@test.example") // who was removed between the dumps is back, without mail
	must(t, err)
	for user, want := range map[ident.UserID]int{"user6@test.example": 0, "younger@x": 0, "user5@test.example": 6} {
		rows, err := storetest.Rows(bg, e, user)
		must(t, err)
		if len(rows) != want {
			t.Errorf("%s has %d messages, want %d", user, len(rows), want)
		}
	}
}
