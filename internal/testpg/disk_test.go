package testpg

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestDisk fills the disk of a server so that it ends by itself, and makes room again.
func TestDisk(t *testing.T) {
	d, err := NewDisk(128)
	if errors.Is(err, ErrNoDisk) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(d.Path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left: %v", d.Path, err)
		}
	})
	s := Run(t, Options{Disk: d})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(s.Exec(t.Context(), "CREATE TABLE x (n int)", "INSERT INTO x VALUES (7)"))
	must(d.Fill())
	for err == nil {
		err = s.Exec(t.Context(), "INSERT INTO x VALUES (8)", "SELECT pg_switch_wal()")
	}
	<-s.exited
	if err := s.Start(t.Context()); !s.Ended() || err == nil || !strings.Contains(err.Error(), "No space left on device") {
		t.Fatalf("a server on a full disk has started: %v", err)
	}
	must(d.MakeRoom())
	must(s.Start(t.Context()))
	if n, err := s.Text(t.Context(), "SELECT min(n) FROM x"); err != nil || n != "7" || s.Ended() {
		t.Errorf("%s, %v", n, err)
	}
}

// TestEndedByItself starts a server anew that nobody of this package has ended. The watchdog of before must not be there any more.
func TestEndedByItself(t *testing.T) {
	s := Run(t, Options{})
	watchdog := s.watchdog.Process.Pid
	if err := syscall.Kill(s.pid(), syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	<-s.exited
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if runs(watchdog) {
		t.Error("it would end another process")
	}
}
