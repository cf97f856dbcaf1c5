package testnode

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

// fakeEnv makes this test binary play the server: its value says how.
const fakeEnv = "TESTNODE_FAKE"

func TestMain(m *testing.M) {
	if how := os.Getenv(fakeEnv); how != "" {
		os.Exit(fake(how, os.Args[1:]))
	}
	goleak.VerifyTestMain(m)
}

// fake plays `jackdaw serve` and `jackdaw user import`.
func fake(how string, args []string) int {
	if args[0] == "user" {
		data, err := os.ReadFile(args[2])
		fmt.Printf("%s|%s|%v", strings.Join(args[3:], " "), data, err)
		if how == "refuse" {
			return 2
		}
		if os.WriteFile(filepath.Join(args[4], "imported"), data, 0o600) != nil {
			return 3
		}
		return 0
	}
	fmt.Println("serving", strings.Join(args, " "))
	if how == "end" {
		return 1
	}
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	listener, err := net.Listen("tcp", flagValue(args, "--admin"))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	asked := 0
	go func() {
		_ = http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if asked++; asked == 1 || how == "never" || r.URL.Path != "/readyz" {
				w.WriteHeader(http.StatusServiceUnavailable) // not ready at once
			}
		}))
	}()
	<-terminated
	if how == "deaf" {
		select {}
	}
	fmt.Println("drained")
	if how == "unclean" {
		return 1
	}
	return 0
}

func flagValue(args []string, name string) string {
	for i, arg := range args[:len(args)-1] {
		if arg == name {
			return args[i+1]
		}
	}
	return ""
}

func fakeNode(t *testing.T, how string) *Node {
	t.Helper()
	t.Setenv(fakeEnv, how)
	n, err := New(Config{Data: t.TempDir(), Binary: os.Args[0], Args: []string{"--log-level", "warn"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Kill)
	return n
}

func TestStartStopRestart(t *testing.T) {
	n := fakeNode(t, "serve")
	if _, err := n.Usage(); !errors.Is(err, ErrNotRunning) {
		t.Errorf("usage before the start: %v", err)
	}
	if err := n.Stop(t.Context()); !errors.Is(err, ErrNotRunning) {
		t.Errorf("stop before the start: %v", err)
	}
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := n.Process.Start(); !errors.Is(err, ErrRunning) {
		t.Errorf("second start: %v", err)
	}
	usage, err := n.Usage()
	if err != nil || usage.RSS < 1<<20 {
		t.Errorf("usage %+v, %v", usage, err)
	}
	first := n.PID()
	n.Kill()
	if n.PID() != 0 {
		t.Error("a process id after kill")
	}
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n.PID() == first {
		t.Error("the same process after a restart")
	}
	if err := n.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	out := n.Output()
	want := fmt.Sprintf("--domain localhost --c2s %s --c2s-tls %s --admin %s --log-level warn", n.C2S, n.C2STLS, n.Admin)
	if strings.Count(out, want) != 2 || strings.Count(out, "drained") != 1 {
		t.Errorf("output %q", out)
	}
}

func TestStartFails(t *testing.T) {
	n := fakeNode(t, "end")
	err := n.Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "serving") {
		t.Errorf("start of a server that ends: %v", err)
	}
	n = fakeNode(t, "never")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := n.Start(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("start of a server that never is ready: %v", err)
	}
	if n.PID() != 0 {
		t.Error("the server runs after a failed start")
	}
	if err := NewProcess(filepath.Join(t.TempDir(), "none")).Start(); err == nil {
		t.Error("a missing program started")
	}
}

func TestStopFails(t *testing.T) {
	n := fakeNode(t, "unclean")
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := n.Stop(t.Context()); err == nil {
		t.Error("exit code 1 is no error")
	}
	n = fakeNode(t, "deaf")
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := n.Stop(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("stop of a deaf server: %v", err)
	}
	if n.PID() != 0 {
		t.Error("a deaf server isn't killed")
	}
}

func TestImport(t *testing.T) {
	n := fakeNode(t, "serve")
	if err := n.Import(t.Context(), Users("u", "localhost", 2, "pw")); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(n.data, "imported"))
	if err != nil || string(got) != "u0@localhost,pw\nu1@localhost,pw\n" {
		t.Errorf("imported %q, %v", got, err)
	}
	n = fakeNode(t, "refuse")
	if err := n.Import(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "--data") {
		t.Errorf("a refused import: %v", err)
	}
	if _, err := New(Config{}); err == nil {
		t.Error("a node without a data folder")
	}
}

func TestRun(t *testing.T) {
	t.Setenv(fakeEnv, "serve")
	n := Run(t, Config{Binary: os.Args[0]}, Users("u", "localhost", 1, "pw"))
	if n.PID() == 0 {
		t.Error("not running")
	}
}

// TestPause: a process that was paused stands still when Pause returns.
func TestPause(t *testing.T) {
	if _, err := os.Stat("/proc/self/task"); err != nil {
		t.Skip("threads are seen in /proc only")
	}
	p := NewProcess("sh", "-c", "while :; do :; done")
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	for range 20 {
		if stopped(p.PID()) {
			t.Fatal("it stands still before")
		}
		p.Pause()
		if !stopped(p.PID()) {
			t.Fatal("it runs on")
		}
		p.Resume()
		for !t.Failed() && stopped(p.PID()) {
			runtime.Gosched()
		}
	}
}
