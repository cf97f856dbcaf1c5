package pebblestore_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/store/pebblestore"
	"github.com/jackdaw-im/jackdaw/store/storetest"
)

// fullWhen makes a file system in which those writes that match find no space while full is set.
func fullWhen(fs vfs.FS, full *atomic.Bool, match func(op errorfs.Op) bool) vfs.FS {
	return errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if full.Load() && match(op) {
			return syscall.ENOSPC
		}
		return nil
	}))
}

func writesTo(suffix string) func(errorfs.Op) bool {
	return func(op errorfs.Op) bool {
		return strings.HasSuffix(op.Path, suffix) && (op.Kind == errorfs.OpFileWrite || op.Kind == errorfs.OpCreate)
	}
}

func appendOne(e store.Engine, n int) error {
	_, err := e.Mail().Commit(&store.Batch{Appends: []store.Append{{Mailbox: "a@x", ID: storetest.ID(n), Ord: int64(n), Body: make([]byte, 200)}}})
	return err
}

func TestBallastGainsTime(t *testing.T) {
	var full atomic.Bool
	var mem *vfs.MemFS
	r := newRig(t, func(o *pebblestore.Options) {
		mem = o.FS.(*vfs.MemFS)
		o.Ballast = 3 << 20
		o.FS = fullWhen(mem, &full, func(op errorfs.Op) bool {
			if !writesTo(".log")(op) {
				return false
			}
			_, err := mem.Stat("/data/ballast") // its deletion makes room
			return err == nil
		})
	})
	if st, err := mem.Stat("/data/ballast"); err != nil || st.Size() != 3<<20 {
		t.Fatalf("no ballast after opening: %v", err)
	}
	full.Store(true)
	if err := appendOne(r, 1); err != nil {
		t.Fatalf("the append for which the ballast made room: %v", err)
	}
	if _, err := mem.Stat("/data/ballast"); err == nil {
		t.Fatal("the ballast stands though the disk was full")
	}
	if err := appendOne(r, 2); !errors.Is(err, store.ErrFull) {
		t.Fatalf("an append after the ballast has gone: %v", err)
	}
	r.look()
	if h := r.Health(); h.State != store.Full {
		t.Fatalf("health %+v right after a write found no space, whatever the probe says", h)
	}
	full.Store(false)
	r.advance(time.Minute)
	r.look()
	if err := appendOne(r, 2); err != nil {
		t.Fatalf("an append after there is room again: %v", err)
	}
	if _, err := mem.Stat("/data/ballast"); err != nil {
		t.Fatal("the ballast was not made again")
	}
	if rows, err := storetest.Rows(t.Context(), r, "a@x"); err != nil || len(rows) != 2 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
}

func TestNoBallastWithoutAmpleRoom(t *testing.T) {
	var mem *vfs.MemFS
	r := newRig(t, func(o *pebblestore.Options) {
		mem = o.FS.(*vfs.MemFS)
		o.Ballast = 3 << 20
		o.FreeSpace = func(string) (uint64, error) { return 1 << 30, nil }
	})
	if _, err := mem.Stat("/data/ballast"); err == nil {
		t.Error("the ballast takes the room that it should guard")
	}
	if r.Health().State != store.Serving {
		t.Errorf("health %+v", r.Health())
	}
}

func TestUnknownFreeSpaceRefusesNothing(t *testing.T) {
	r := newRig(t, func(o *pebblestore.Options) {
		o.FreeSpace = func(string) (uint64, error) { return 0, errors.New("can't tell") }
	})
	r.look()
	if err := appendOne(r, 1); err != nil {
		t.Error(err)
	}
}

// The process of TestDiskFullEndsTheProcess.
const (
	envFullFolder = "PEBBLESTORE_FULL_FOLDER"
	envFullFiles  = "PEBBLESTORE_FULL_FILES"
)

// exitOnFullDisk writes to a disk that is full for some files, until the store ends the process. It returns false if
// this is not that process.
func exitOnFullDisk() bool {
	folder := os.Getenv(envFullFolder)
	if folder == "" {
		return false
	}
	var full atomic.Bool
	log, err := zap.NewProduction()
	if err != nil {
		panic(err)
	}
	e, err := pebblestore.Open("pebble:"+folder, pebblestore.Options{
		Logger:     log,
		FS:         fullWhen(vfs.Default, &full, writesTo(os.Getenv(envFullFiles))),
		MemTable:   64 << 10,
		Ballast:    1 << 10,
		ProbeEvery: 20 * time.Millisecond,
		StallLimit: 300 * time.Millisecond,
	})
	if err != nil {
		panic(err)
	}
	if err := appendOne(e, 1); err != nil {
		panic(err)
	}
	fmt.Println("acknowledged")
	full.Store(true)
	for n := 0; ; n++ {
		b := store.Batch{Appends: []store.Append{{Mailbox: "b@x", ID: storetest.ID(n), Body: make([]byte, 1000)}}}
		for i := range 50 {
			b.Acks = append(b.Acks, store.Ack{Mailbox: ident.UserID(fmt.Sprintf("user%d@x", n%100)), ID: storetest.ID(i), Delete: true})
		}
		if _, err := e.Mail().Commit(&b); errors.Is(err, store.ErrFull) {
			b.Appends = nil
			_, _ = e.Mail().Commit(&b) // either way the store ends the process, or the test's patience does
		}
	}
}

// A disk that is full for the log ends the process at once, one that is full for tables when writes have stood still for
// a while; both say why, and neither hangs. What was acknowledged is there afterwards.
func TestDiskFullEndsTheProcess(t *testing.T) {
	for _, files := range []string{".log", ".sst"} {
		t.Run(files, func(t *testing.T) {
			folder := t.TempDir()
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), envFullFolder+"="+folder, envFullFiles+"="+files)
			patience := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
			defer patience.Stop()
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != pebblestore.ExitCode {
				t.Fatalf("the process ended with %v, want exit code %d; it said:\n%.3000s", err, pebblestore.ExitCode, out)
			}
			if !strings.Contains(string(out), "acknowledged") || !strings.Contains(string(out), "store can't go on") {
				t.Errorf("it said only:\n%.3000s", out)
			}
			e, err := openFolder(folder)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = e.Close() }()
			if rows, err := storetest.Rows(t.Context(), e, "a@x"); err != nil || len(rows) != 1 {
				t.Errorf("%d rows, %v", len(rows), err)
			}
		})
	}
}
