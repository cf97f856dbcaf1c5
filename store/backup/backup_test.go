package backup_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/store/backup"
	"github.com/jackdaw-im/jackdaw/store/pebblestore"
	"github.com/jackdaw-im/jackdaw/store/storetest"
)

var bg = context.Background()

var now = time.Date(2030, 1, 2, 3, 4, 5, 6, time.UTC)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func layout(data string) backup.Layout {
	return backup.Layout{Data: data, Store: "store", Skip: []string{"jackdaw.sock", "dumps", "checkpoint"}}
}

func open(t testing.TB, data string) *pebblestore.Engine {
	t.Helper()
	e, err := pebblestore.Open("pebble:"+filepath.Join(data, "store"), pebblestore.Options{Ballast: -1, MemTable: 256 << 10, StopBelow: 1, ResumeAbove: 1})
	must(t, err)
	return e
}

func write(t testing.TB, name, text string, mode os.FileMode) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(name), 0o700))
	must(t, os.WriteFile(name, []byte(text), mode))
}

// folder makes a data folder with some of everything.
func folder(t testing.TB) string {
	data := filepath.Join(t.TempDir(), "data")
	write(t, filepath.Join(data, "certificate.pem"), "certificate", 0o644)
	write(t, filepath.Join(data, "key.pem"), "key", 0o600)
	write(t, filepath.Join(data, "secret"), "", 0o600)
	write(t, filepath.Join(data, "trust", "bundle"), "bundle", 0o600)
	write(t, filepath.Join(data, "dumps", "a.dump"), "not in it", 0o600)
	write(t, filepath.Join(data, "jackdaw.sock"), "not in it", 0o600)
	write(t, filepath.Join(data, ".half"), "not in it", 0o600)
	return data
}

// offline makes a backup of a folder that nobody uses.
func offline(t testing.TB, data, dir string) *backup.Manifest {
	t.Helper()
	checkpoint := filepath.Join(data, "checkpoint")
	info, err := backup.Checkpoint(bg, layout(data), checkpoint)
	must(t, err)
	m, err := backup.Make(bg, layout(data), backup.Source{Folder: checkpoint, Name: info.Name, Schema: info.SchemaVersion, Release: "v1"}, dir, now, nil)
	must(t, err)
	must(t, os.RemoveAll(checkpoint))
	return m
}

func TestThereAndBack(t *testing.T) {
	data := folder(t)
	e := open(t, data)
	storetest.Fill(t, e, 30)
	before := storetest.Contents(t, e)
	must(t, e.Close())
	dir := filepath.Join(t.TempDir(), "a", "backup")
	m := offline(t, data, dir)
	if !m.HasStore() || m.Release != "v1" || !m.Made.Equal(now.Truncate(time.Second)) || m.Bytes() < 1000 {
		t.Fatalf("manifest %+v", m)
	}
	var beside []string
	for _, f := range m.Files {
		if !strings.HasPrefix(f.Name, "store/") {
			beside = append(beside, f.Name)
		}
	}
	if want := []string{"certificate.pem", "key.pem", "secret", "trust/bundle"}; !slices.Equal(beside, want) {
		t.Fatalf("files %v, want %v", beside, want)
	}
	again := filepath.Join(t.TempDir(), "data")
	var told int
	r, err := backup.Restore(bg, dir, layout(again), func(backup.File) { told++ })
	must(t, err)
	if told != len(m.Files) {
		t.Errorf("%d files told, want %d", told, len(m.Files))
	}
	for _, f := range []struct {
		name string
		mode os.FileMode
	}{{"certificate.pem", 0o644}, {"key.pem", 0o600}, {"trust/bundle", 0o600}} {
		info, err := os.Stat(filepath.Join(again, f.name))
		must(t, err)
		if info.Mode() != f.mode {
			t.Errorf("%s has mode %v", f.name, info.Mode())
		}
	}
	e = open(t, again)
	defer func() { must(t, e.Close()) }()
	mail := storetest.Walk(t, e, store.PartMail, 0, 0)
	if r.Messages != len(mail) || len(mail) == 0 {
		t.Errorf("%d messages marked of %d", r.Messages, len(mail))
	}
	for _, en := range mail {
		if en.Mail.Flags&store.FlagRestored == 0 {
			t.Fatal("a message isn't marked")
		}
	}
	if after := storetest.Contents(t, e); len(after) != len(before) {
		t.Errorf("%d entries, want %d", len(after), len(before))
	}
}

// TestHot backs up a store while it is written to: all that was acknowledged before is in it, and the store goes on.
func TestHot(t *testing.T) {
	data := folder(t)
	e := open(t, data)
	var acked struct {
		sync.Mutex
		n int
	}
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				_, err := e.Mail().Commit(&store.Batch{Appends: []store.Append{{Mailbox: "a@x", ID: storetest.ID(n*4 + w), Body: make([]byte, 500)}}})
				if err != nil {
					t.Error(err)
					return
				}
				acked.Lock()
				acked.n++
				acked.Unlock()
			}
		})
	}
	for round := range 3 {
		for {
			acked.Lock()
			n := acked.n
			acked.Unlock()
			if n > 500*(round+1) {
				break
			}
		}
		acked.Lock()
		promised := acked.n
		acked.Unlock()
		checkpoint, dir, again := filepath.Join(data, "checkpoint"), filepath.Join(t.TempDir(), "b"), filepath.Join(t.TempDir(), "c")
		must(t, e.Checkpoint(bg, checkpoint))
		_, err := backup.Make(bg, layout(data), backup.Source{Folder: checkpoint, Schema: 1}, dir, now, nil)
		must(t, err)
		must(t, os.RemoveAll(checkpoint))
		r, err := backup.Restore(bg, dir, layout(again), nil)
		must(t, err)
		if r.Messages < promised {
			t.Errorf("%d messages in the backup, %d were acknowledged before", r.Messages, promised)
		}
	}
	close(stop)
	writers.Wait()
	rows, err := storetest.Rows(bg, e, "a@x")
	must(t, err)
	if len(rows) != acked.n {
		t.Errorf("%d rows, %d acknowledged", len(rows), acked.n)
	}
	must(t, e.Close())
}

func TestWithoutStore(t *testing.T) {
	data, dir, again := folder(t), filepath.Join(t.TempDir(), "b"), filepath.Join(t.TempDir(), "c")
	m, err := backup.Make(bg, layout(data), backup.Source{Name: "postgres://db/mail"}, dir, now, nil)
	must(t, err)
	if m.HasStore() || len(m.Files) != 4 {
		t.Fatalf("%+v", m)
	}
	r, err := backup.Restore(bg, dir, layout(again), nil)
	must(t, err)
	if _, err := os.Stat(filepath.Join(again, "store")); !errors.Is(err, os.ErrNotExist) || r.Messages != 0 {
		t.Errorf("a store was restored: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	data, dir := folder(t), filepath.Join(t.TempDir(), "b")
	e := open(t, data)
	_, err := e.Mail().Commit(&store.Batch{Appends: []store.Append{{Mailbox: "a@x"}}})
	must(t, err)
	if _, err := backup.Checkpoint(bg, layout(data), filepath.Join(data, "checkpoint")); !errors.Is(err, store.ErrLocked) {
		t.Errorf("a folder in use: %v", err)
	}
	must(t, e.Close())
	offline(t, data, dir)
	if _, err := backup.Make(bg, layout(data), backup.Source{}, dir, now, nil); err == nil {
		t.Error("a backup over another")
	}
	if _, err := backup.Restore(bg, dir, layout(data), nil); err == nil {
		t.Error("a restoration over another server's data")
	}
	if _, err := backup.Restore(bg, t.TempDir(), layout(filepath.Join(t.TempDir(), "d")), nil); !errors.Is(err, backup.ErrNone) {
		t.Errorf("no backup at all: %v", err)
	}
	ctx, cancel := context.WithCancel(bg)
	cancel()
	if _, err := backup.Make(ctx, layout(data), backup.Source{}, filepath.Join(t.TempDir(), "d"), now, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestDamage changes a backup in one way after the other.
func TestDamage(t *testing.T) {
	data := folder(t)
	e := open(t, data)
	storetest.Fill(t, e, 10)
	must(t, e.Close())
	for name, c := range map[string]struct {
		change func(dir string) error
		want   error
	}{
		"a changed file": {func(dir string) error { return os.WriteFile(filepath.Join(dir, "key.pem"), []byte("kez"), 0o600) }, backup.ErrDamaged},
		"a lost file":    {func(dir string) error { return os.Remove(filepath.Join(dir, "secret")) }, backup.ErrDamaged},
		"no manifest":    {func(dir string) error { return os.Remove(filepath.Join(dir, "backup.json")) }, backup.ErrNone},
		"half a manifest": {func(dir string) error {
			return os.Truncate(filepath.Join(dir, "backup.json"), 100)
		}, backup.ErrDamaged},
		"a later format": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "backup.json"), []byte(`{"format": 2}`), 0o600)
		}, backup.ErrNewer},
		"a way out": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "backup.json"), []byte(`{"format": 1, "files": [{"name": "../../x"}]}`), 0o600)
		}, backup.ErrDamaged},
	} {
		t.Run(name, func(t *testing.T) {
			dir, again := filepath.Join(t.TempDir(), "b"), filepath.Join(t.TempDir(), "c")
			offline(t, data, dir)
			must(t, c.change(dir))
			if _, err := backup.Restore(bg, dir, layout(again), nil); !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
}

// TestInterruptedRestoration stops after each file: the engine refuses what is there.
func TestInterruptedRestoration(t *testing.T) {
	data, dir := folder(t), filepath.Join(t.TempDir(), "b")
	e := open(t, data)
	must(t, e.Directory().Accounts().Create(&store.Account{User: ident.UserID("a@x")}))
	must(t, e.Close())
	m := offline(t, data, dir)
	for after := 1; after < len(m.Files); after++ {
		again := filepath.Join(t.TempDir(), "c")
		ctx, cancel := context.WithCancel(bg)
		told := 0
		_, err := backup.Restore(ctx, dir, layout(again), func(backup.File) {
			if told++; told == after {
				cancel()
			}
		})
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		e, err := pebblestore.Open("pebble:"+filepath.Join(again, "store"), pebblestore.Options{Ballast: -1})
		if err == nil {
			_, err := e.Directory().Accounts().Account(bg, "a@x")
			must(t, e.Close())
			if err != nil {
				t.Fatalf("after %d of %d files a server would start without its users: %v", after, len(m.Files), err)
			}
		}
	}
}
