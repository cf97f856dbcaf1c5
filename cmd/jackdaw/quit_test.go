package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/dump"
	"github.com/jackdaw-im/jackdaw/internal/testnode"
)

// dumps waits until the folder of a server has n dumps that are whole, and returns how they look, the newest first.
func dumps(t *testing.T, n *testnode.Node, data string, count int) []string {
	t.Helper()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); <-look.C {
		all, err := dump.List(filepath.Join(data, "dumps"))
		if err != nil {
			t.Fatal(err)
		}
		var views []string
		for _, e := range all {
			out, err := n.Command(t.Context(), "dump", "view", e.Path)
			if err == nil && !strings.Contains(out, "cut off") {
				views = append(views, out)
			}
		}
		if len(views) == count && len(all) == count {
			return views
		}
	}
	t.Fatalf("there are not %d dumps\n%s", count, n.Output())
	return nil
}

func signalTo(t *testing.T, n *testnode.Node, s syscall.Signal) {
	t.Helper()
	if pid := n.PID(); pid == 0 { // which stands for this process and its group
		t.Error("the server has ended")
	} else if err := syscall.Kill(pid, s); err != nil {
		t.Error(err)
	}
}

// has fails the test unless a dump shows all of these.
func has(t *testing.T, view string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(view, want) {
			t.Errorf("%q isn't in\n%s", want, view)
		}
	}
}

// TestQuit: SIGQUIT leaves a dump and a server that serves; a second one ends it with Go's traceback, of which the next start makes a
// dump. After a stop in good order there is none.
func TestQuit(t *testing.T) {
	data := t.TempDir()
	n := testnode.Run(t, testnode.Config{Data: data}, testnode.Users("u", "localhost", 1, "secret"))
	c, err := login(t.Context(), n, data, "u0@localhost", "secret")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Cut()
	signalTo(t, n, syscall.SIGQUIT)
	view := dumps(t, n, data, 1)[0]
	has(t, view, "asked for by SIGQUIT", "messaging (supervisor)", "mailboxes (dynamic", "jackdaw_sessions 1", "gateway.(*portableConn).read")
	if err := logsIn(t, n, data, "u0@localhost", "secret"); err != nil {
		t.Errorf("after a dump: %v", err)
	}
	resp, err := http.Get("http://" + n.Admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var metrics strings.Builder
	if err := resp.Write(&metrics); err != nil || !strings.Contains(metrics.String(), `jackdaw_dumps_total{reason="signal"} 1`) {
		t.Errorf("it isn't counted: %v", err)
	}
	again := time.NewTicker(time.Second)
	defer again.Stop()
	signalTo(t, n, syscall.SIGQUIT)
	for exited := false; !exited; {
		select {
		case <-n.Exited():
			exited = true
		case <-again.C: // where the first has taken more than five seconds, this is the second
			signalTo(t, n, syscall.SIGQUIT)
		}
	}
	count := 1 + strings.Count(n.Output(), "crash dump written")
	has(t, n.Output(), "SIGQUIT: quit", "crash dump written")
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	has(t, n.Output(), "the last run ended in a fatal error")
	has(t, dumps(t, n, data, count)[0], "the server died of a fatal error", "goroutine ", "What follows is from", "messaging (supervisor)")
	stop(t, n)
	if _, err := os.Stat(filepath.Join(data, "dumps", "running")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a stop in good order leaves %v", err)
	}
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	dumps(t, n, data, count)
	stop(t, n)
}

// TestCrash: a server that dies of a fault, here one that the system tells it of, leaves its last words.
func TestCrash(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGABRT, syscall.SIGSEGV} {
		t.Run(s.String(), func(t *testing.T) {
			data := t.TempDir()
			n := testnode.Run(t, testnode.Config{Data: data}, nil)
			signalTo(t, n, s)
			<-n.Exited()
			if err := n.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			view := dumps(t, n, data, 1)[0]
			has(t, view, "the server died of a fatal error", "goroutine ")
			has(t, n.Output(), "the last run ended in a fatal error", "-fatal.dump")
			stop(t, n)
		})
	}
}

// TestKilled: a server that was killed leaves what it had written down a moment before.
func TestKilled(t *testing.T) {
	data := t.TempDir()
	n := testnode.Run(t, testnode.Config{Data: data}, nil)
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for deadline := time.Now().Add(20 * time.Second); ; <-look.C {
		if _, err := os.Stat(filepath.Join(data, "dumps", "snapshot")); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no snapshot")
		}
	}
	n.Kill()
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	has(t, dumps(t, n, data, 1)[0], "ended without last words", "What follows is from", "messaging (supervisor)")
	has(t, n.Output(), "the last run ended without last words")
	stop(t, n)
}

// TestMemoryMark: a server that uses more than its share writes one dump, and one only while it stays so.
func TestMemoryMark(t *testing.T) {
	data := t.TempDir()
	t.Setenv("GOMEMLIMIT", "500MiB")
	t.Setenv("JACKDAW_DUMP_MEMORY", "1")
	n := testnode.Run(t, testnode.Config{Data: data}, nil)
	has(t, dumps(t, n, data, 1)[0], "memory passed its mark", "GOMEMLIMIT ", "500.0 MiB", fmt.Sprintf("pid %d", n.PID()))
	stop(t, n)
	dumps(t, n, data, 1)
}
