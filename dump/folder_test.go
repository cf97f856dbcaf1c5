package dump

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/jackdaw-im/jackdaw/telemetry"
)

func folder(t *testing.T, keep int) (*Folder, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	return NewFolder(Config{Dir: filepath.Join(t.TempDir(), "dumps"), Keep: keep, About: about(), Source: healthy(), Logger: zap.New(core)}), logs
}

func list(t *testing.T, f *Folder) []Entry {
	t.Helper()
	all, err := List(f.cfg.Dir)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func view(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return viewed(t, text, Options{})
}

func TestWrite(t *testing.T) {
	f, _ := folder(t, 0)
	if all := list(t, f); len(all) != 0 {
		t.Errorf("before the first: %v", all)
	}
	path, err := f.Write(t.Context(), Request)
	if err != nil {
		t.Fatal(err)
	}
	all := list(t, f)
	if len(all) != 1 || all[0].Path != path || all[0].Reason != Request || time.Since(all[0].When) > time.Hour || all[0].Size == 0 {
		t.Errorf("listed %+v", all)
	}
	if got := view(t, path); !strings.Contains(got, "asked for by an operator") || strings.Contains(got, "cut off") {
		t.Error(got)
	}
	for _, c := range []struct {
		path string
		want fs.FileMode
	}{{path, 0o600}, {f.cfg.Dir, 0o700 | fs.ModeDir}} {
		if info, err := os.Stat(c.path); err != nil || info.Mode() != c.want {
			t.Errorf("%s: %v, %v", c.path, info.Mode(), err)
		}
	}
	var b bytes.Buffer
	if err := f.Send(t.Context(), &b, Request); err != nil || !strings.HasPrefix(b.String(), "=dump ") {
		t.Errorf("sent %v", err)
	}
	if n := f.Written(); n[Request] != 2 || len(n) != len(Reasons) {
		t.Errorf("written %v", n)
	}
	if len(list(t, f)) != 1 {
		t.Error("what was sent is kept, too")
	}
}

// TestKeep: the oldest goes first, but before it what killed runs have left.
func TestKeep(t *testing.T) {
	f, _ := folder(t, 3)
	synctest.Test(t, func(t *testing.T) {
		for _, r := range []Reason{Signal, Killed, Request, Memory, Ended} {
			if _, err := f.Write(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
	})
	var got []Reason
	for _, e := range list(t, f) {
		got = append(got, e.Reason)
	}
	if len(got) != 3 || got[0] != Ended || got[1] != Memory || got[2] != Request {
		t.Errorf("kept %v", got)
	}
	for _, name := range []string{"notes", "x-y.dump", "20260102T150405.000Z.dump"} { // somebody else's
		if err := os.WriteFile(filepath.Join(f.cfg.Dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.Write(t.Context(), Request); err != nil {
		t.Fatal(err)
	}
	if files, err := os.ReadDir(f.cfg.Dir); err != nil || len(files) != 6 {
		t.Errorf("%v, %v", files, err)
	}
}

// TestTwoAtOnce: they get two names, even in one millisecond.
func TestTwoAtOnce(t *testing.T) {
	f, _ := folder(t, 0)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if _, err := f.Write(t.Context(), Signal); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	now := time.Now()
	for range 2 {
		file, err := f.create(now, Signal)
		if err != nil {
			t.Fatal(err)
		}
		_ = file.Close()
	}
	if n := len(list(t, f)); n != 5 {
		t.Errorf("%d dumps", n)
	}
}

// TestAutomaticOnesArePaced: what nobody asked for comes once a minute at most.
func TestAutomaticOnesArePaced(t *testing.T) {
	f, logs := folder(t, 0)
	synctest.Test(t, func(t *testing.T) {
		if _, err := f.Write(t.Context(), Memory); err != nil {
			t.Fatal(err)
		}
		time.Sleep(pause - time.Second)
		if _, err := f.Write(t.Context(), Memory); !errors.Is(err, ErrTooSoon) {
			t.Errorf("after a moment: %v", err)
		}
		f.Record(t.Context(), Panic)
		if logs.Len() != 0 {
			t.Errorf("logged %v", logs.All())
		}
		if _, err := f.Write(t.Context(), Signal); err != nil {
			t.Errorf("one that was asked for: %v", err)
		}
		time.Sleep(time.Second)
		if _, err := f.Write(t.Context(), Memory); err != nil {
			t.Errorf("after a minute: %v", err)
		}
	})
}

// TestOneAtATime: who has no patience is told.
func TestOneAtATime(t *testing.T) {
	f, _ := folder(t, 0)
	f.turn <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if path, err := f.Write(ctx, Request); path != "" || !errors.Is(err, context.Canceled) {
		t.Errorf("%q, %v", path, err)
	}
	if err := f.Send(ctx, &bytes.Buffer{}, Request); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestRecord(t *testing.T) {
	f, logs := folder(t, 0)
	f.Record(t.Context(), Memory)
	entry := logs.TakeAll()[0]
	path, _ := entry.ContextMap()[telemetry.KeyFile].(string)
	if entry.Message != "crash dump written" || !strings.Contains(view(t, path), "memory passed its mark") {
		t.Errorf("logged %+v", entry)
	}
	if err := os.RemoveAll(f.cfg.Dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.cfg.Dir, nil, 0o600); err != nil { // no folder can be made
		t.Fatal(err)
	}
	f.Record(t.Context(), Signal)
	if entry := logs.TakeAll()[0]; entry.Message != "crash dump is not complete" || entry.ContextMap()["error"] == "" {
		t.Errorf("logged %+v", entry)
	}
	if _, err := List(f.cfg.Dir); err == nil {
		t.Error("a file is no folder")
	}
	f.catching.Store(true)
	if f.CatchCrash() == nil || f.Snapshot(t.Context()) == nil {
		t.Error("a file is no folder")
	}
}

// TestGuard: a dump is made while the panic goes on, which nothing else notices.
func TestGuard(t *testing.T) {
	f, _ := folder(t, 0)
	f.Guard(func() {})
	if n := len(list(t, f)); n != 0 {
		t.Errorf("%d dumps of nothing", n)
	}
	func() {
		defer func() {
			if r := recover(); r != "out of coffee" {
				t.Errorf("recovered %v", r)
			}
		}()
		f.Guard(func() { panic("out of coffee") })
	}()
	all := list(t, f)
	if len(all) != 1 || all[0].Reason != Panic {
		t.Fatalf("listed %+v", all)
	}
	text, err := os.ReadFile(all[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	got := viewed(t, text, Options{All: true})
	if !strings.Contains(got, "dump.TestGuard") || strings.Contains(got, "coffee") {
		t.Errorf("the place is there, the words are not:\n%s", got)
	}
}

// TestSnapshot replaces the one before, and one that was interrupted replaces nothing.
func TestSnapshot(t *testing.T) {
	f, _ := folder(t, 0)
	if err := f.Snapshot(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(f.cfg.Dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nobody would look for it: %v", err)
	}
	f.catching.Store(true)
	if err := f.Snapshot(t.Context()); err == nil {
		t.Error("there is no folder yet")
	}
	if err := os.MkdirAll(f.cfg.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := f.Snapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(f.path(snapshotFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"=memory", "=actors", "mailbox/romeo@localhost", "=tree", "=end"} {
		if !strings.Contains(string(before), want) {
			t.Errorf("no %s", want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Snapshot(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if after, err := os.ReadFile(f.path(snapshotFile)); err != nil || !bytes.Equal(before, after) {
		t.Error("an interrupted snapshot has replaced a whole one")
	}
	if len(list(t, f)) != 0 {
		t.Error("a snapshot is no dump")
	}
}

func BenchmarkSnapshot(b *testing.B) {
	f := NewFolder(Config{Dir: b.TempDir(), About: about(), Source: healthy()})
	f.catching.Store(true)
	b.ReportAllocs()
	for b.Loop() {
		if err := f.Snapshot(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
