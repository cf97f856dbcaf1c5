package pebblestore_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/store/pebblestore"
	"github.com/jackdaw-im/jackdaw/store/storetest"
)

// filled makes a folder with a store that has a table and a log.
func filled(t *testing.T) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "deep", "store")
	for round := range 3 {
		e, err := openFolder(folder)
		if err != nil {
			t.Fatal(err)
		}
		for n := range 200 {
			if err := appendOne(e, 1000*round+n); err != nil {
				t.Fatal(err)
			}
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func glob(t *testing.T, folder, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, pattern))
	if err != nil || len(names) == 0 {
		t.Fatalf("no file %s in %s: %v", pattern, folder, err)
	}
	return names
}

// wantOpenError opens a folder and wants an error of a kind whose text names the folder and says more.
func wantOpenError(t *testing.T, folder string, kind error, says ...string) {
	t.Helper()
	e, err := openFolder(folder)
	if err == nil {
		_ = e.Close()
		t.Fatal("the store opens")
	}
	if !errors.Is(err, kind) {
		t.Fatalf("error %v, want %v", err, kind)
	}
	for _, s := range append(says, folder) {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("error %q does not say %q", err, s)
		}
	}
}

func TestSecondOpenNamesTheFirst(t *testing.T) {
	folder := t.TempDir()
	e, err := openFolder(folder)
	if err != nil {
		t.Fatal(err)
	}
	wantOpenError(t, folder, store.ErrLocked, fmt.Sprintf("process %d,", os.Getpid()), "another process uses this data folder")
	if err := appendOne(e, 1); err != nil {
		t.Errorf("the first can't go on: %v", err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := openFolder(folder)
	if err != nil {
		t.Fatalf("the folder is not free after Close: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestSecondProcessIsTurnedAway(t *testing.T) {
	folder := t.TempDir()
	e, err := openFolder(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.Close() }()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "STORETEST_FROM=0", "STORETEST_FOLDER="+folder)
	out, err := cmd.CombinedOutput()
	for _, s := range []string{"another process uses this data folder", folder, fmt.Sprintf("process %d,", os.Getpid())} {
		if err == nil || !strings.Contains(string(out), s) {
			t.Errorf("the second process ended with %v and said %q, not %q", err, out, s)
		}
	}
	if err := appendOne(e, 1); err != nil {
		t.Errorf("the first can't go on: %v", err)
	}
}

func TestFailedOpenFreesTheFolder(t *testing.T) {
	defer goleak.VerifyNone(t)
	folder := filled(t)
	marker := glob(t, folder, "marker.manifest.*")[0]
	away := filepath.Join(t.TempDir(), filepath.Base(marker))
	if err := os.Rename(marker, away); err != nil {
		t.Fatal(err)
	}
	wantOpenError(t, folder, store.ErrCorrupt, "not the file that says which of it is valid")
	if err := os.Rename(away, marker); err != nil {
		t.Fatal(err)
	}
	e, err := openFolder(folder)
	if err != nil {
		t.Fatal(err)
	}
	if rows, err := storetest.Rows(t.Context(), e, "a@x"); err != nil || len(rows) != 600 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

func withPebble(t *testing.T, folder string, change func(*pebble.DB) error) {
	t.Helper()
	db, err := pebble.Open(folder, &pebble.Options{FormatMajorVersion: pebble.FormatTableFormatV6, Logger: quiet{}})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(change(db), db.Close()); err != nil {
		t.Fatal(err)
	}
}

type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(f string, a ...any) {
	panic(fmt.Sprintf(f, a...))
}

func TestNewerSchema(t *testing.T) {
	folder := filled(t)
	withPebble(t, folder, func(db *pebble.DB) error { return db.Set([]byte("s|schema"), []byte{1, 9}, pebble.Sync) })
	wantOpenError(t, folder, store.ErrNewer, "schema 9", "newer version of jackdaw")
}

func TestNewerPebble(t *testing.T) {
	folder := filled(t)
	name := glob(t, folder, "marker.format-version.*")[0]
	if err := os.Rename(name, name[:strings.LastIndex(name, ".")]+".999"); err != nil {
		t.Fatal(err)
	}
	wantOpenError(t, folder, store.ErrNewer)
}

func TestForeignStore(t *testing.T) {
	folder := t.TempDir()
	withPebble(t, folder, func(db *pebble.DB) error { return db.Set([]byte("hello"), []byte("world"), pebble.Sync) })
	wantOpenError(t, folder, store.ErrCorrupt, "not jackdaw's")
}

func TestDamagedFiles(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, folder string){
		"a table is gone": func(t *testing.T, folder string) {
			if err := os.Remove(glob(t, folder, "*.sst")[0]); err != nil {
				t.Fatal(err)
			}
		},
		"the manifest is gone": func(t *testing.T, folder string) {
			for _, f := range glob(t, folder, "MANIFEST-*") {
				if err := os.Remove(f); err != nil {
					t.Fatal(err)
				}
			}
		},
		"the manifest is garbage": func(t *testing.T, folder string) {
			for _, f := range glob(t, folder, "MANIFEST-*") {
				scribble(t, f, 0)
			}
		},
		"the schema is garbage": func(t *testing.T, folder string) {
			withPebble(t, folder, func(db *pebble.DB) error { return db.Set([]byte("s|schema"), []byte("?"), pebble.Sync) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			folder := filled(t)
			damage(t, folder)
			wantOpenError(t, folder, store.ErrCorrupt, "restore a backup")
		})
	}
}

// scribble overwrites a file's bytes from an offset on.
func scribble(t *testing.T, name string, from int) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	copy(b[from:], bytes.Repeat([]byte{0xa5}, len(b)))
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDamagedTableIsFoundWhenRead(t *testing.T) {
	folder := filled(t)
	for _, f := range glob(t, folder, "*.sst") {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		copy(b[:len(b)/4], bytes.Repeat([]byte{0xa5}, len(b)/4))
		if err := os.WriteFile(f, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	e, err := openFolder(folder)
	if err != nil {
		if !errors.Is(err, store.ErrCorrupt) {
			t.Fatal(err)
		}
		return // found even earlier
	}
	rows, err := storetest.Rows(t.Context(), e, "a@x")
	for i := 0; err == nil && i < len(rows); i++ {
		_, err = e.Mail().Read(t.Context(), "a@x", []ident.MessageID{rows[i].ID})
	}
	if !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("error %v, want %v", err, store.ErrCorrupt)
	}
	_ = e.Close() // may say once more what is wrong
}

func TestURLs(t *testing.T) {
	for _, url := range []string{"", "pebble:", "pebble://", "mem:", "/var/lib/jackdaw"} {
		if e, err := pebblestore.Open(url, pebblestore.Options{}); err == nil {
			_ = e.Close()
			t.Errorf("%q was taken", url)
		}
	}
	if _, err := pebblestore.Open("pebble:/x", pebblestore.Options{StopBelow: 2, ResumeAbove: 1}); err == nil {
		t.Error("marks the wrong way round were taken")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openFolder(file); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a file as data folder: %v", err)
	}
}

func TestPebbleIsQuiet(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	r := newRig(t, func(o *pebblestore.Options) { o.Logger = zap.New(core) })
	for n := range 2000 {
		if err := appendOne(r, n); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	for _, l := range logs.All() {
		t.Errorf("logged at %s: %s %v", l.Level, l.Message, l.ContextMap())
	}
}

func TestInfo(t *testing.T) {
	i := newRig(t, nil).Info()
	if i.Name != "pebble /data" || i.SchemaVersion != 1 || !i.Durable || i.Shared || i.Replicated {
		t.Errorf("info %+v", i)
	}
}
