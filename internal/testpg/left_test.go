package testpg

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestNothingIsLeft(t *testing.T) {
	s, err := Start(t.Context(), Options{Standbys: 1})
	if err != nil {
		t.Fatal(err)
	}
	pid, backends := s.pid(), children(s.pid())
	watchdog := s.watchdog.Process.Pid
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.root); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder %s is left: %v", s.root, err)
	}
	for _, p := range append(backends, pid, watchdog) {
		if runs(p) {
			t.Errorf("process %d is left", p)
		}
	}
}

// TestWatchdog ends a server as it ends when the process that started it dies: by the end of a pipe.
func TestWatchdog(t *testing.T) {
	s := Run(t, Options{})
	if err := s.leash.Close(); err != nil {
		t.Fatal(err)
	}
	<-s.exited
	_ = s.watchdog.Wait() // it ends once the folder is gone
	if _, err := os.Stat(s.root); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder %s is left: %v", s.root, err)
	}
}

func TestVersionOf(t *testing.T) {
	for dir, want := range map[string]int{"/usr/lib/postgresql/15/bin": 15, "/usr/lib/postgresql/9.6/bin": 0, "/bin": 0} {
		if got := versionOf(dir); got != want {
			t.Errorf("%s is version %d, want %d", dir, got, want)
		}
	}
}

func TestAccountIsNotRoot(t *testing.T) {
	cred, err := account()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("id", "-u")
	cmd.SysProcAttr = (&Server{cred: cred}).attributes()
	if out, err := cmd.Output(); err != nil || strings.TrimSpace(string(out)) == "0" {
		t.Errorf("servers would run as %s, %v", out, err)
	}
}
