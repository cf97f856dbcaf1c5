package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jackdaw-im/jackdaw/internal/testnode"
	"github.com/jackdaw-im/jackdaw/internal/testpty"
)

// atTerminal runs a command of the real program at a terminal, as its session's first process.
func atTerminal(t *testing.T, p *testpty.PTY, args ...string) *exec.Cmd {
	t.Helper()
	binary, err := testnode.Build(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = p.Terminal, p.Terminal, p.Terminal
	cmd.Env = append(os.Environ(), "TERM=xterm-256color")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// TestTopAtATerminal: the live screen of the real program on a real server, its keys, another size, and each of its ends.
func TestTopAtATerminal(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	n := testnode.Run(t, testnode.Config{Data: data}, testnode.Users("u", "localhost", 1, "secret"))
	held, err := n.Command(t.Context(), "sys", "suspend", "echo/echo", "--data", data)
	if err != nil || held != "suspended echo/echo\n" {
		t.Fatalf("%q, %v", held, err)
	}
	for name, end := range map[string]func(p *testpty.PTY, cmd *exec.Cmd){
		"a key":   func(p *testpty.PTY, _ *exec.Cmd) { p.Type("x") },
		"Ctrl-C":  func(p *testpty.PTY, _ *exec.Cmd) { p.Type("\x03") },
		"SIGTERM": func(_ *testpty.PTY, cmd *exec.Cmd) { _ = cmd.Process.Signal(syscall.SIGTERM) },
	} {
		t.Run(name, func(t *testing.T) {
			p := testpty.Open(t, 80, 24)
			before := p.Mode()
			cmd := atTerminal(t, p, "top", "-d", "100ms", "--data", data)
			lines := p.Await("a screen", func(s *testpty.Screen) bool { return s.Alternate && testpty.Says("localhost  node@")(s) })
			if !strings.HasPrefix(lines[0], "jackdaw devel  localhost  node@") || !strings.HasPrefix(lines[7], " QUEUEv    AGE") || !strings.HasPrefix(lines[23], " Sort: q)ueue") {
				t.Errorf("the screen is\n%s", strings.Join(lines, "\n"))
			}
			p.Type("r")
			p.Await("an order", testpty.Says("RSTv"))
			p.Type("p")
			p.Await("a pause", testpty.Says("PAUSED"))
			p.Resize(100, 30)
			p.Await("the larger screen", func(s *testpty.Screen) bool { return strings.HasPrefix(s.Lines()[29], " Sort: q)ueue") })
			end(p, cmd)
			if err := cmd.Wait(); err != nil {
				t.Errorf("ended with %v", err)
			}
			p.Await("the terminal back", func(s *testpty.Screen) bool { return !s.Alternate && s.Cursor && len(s.Unknown) == 0 })
			if p.Mode() != before {
				t.Error("the terminal isn't as it was")
			}
		})
	}
	t.Run("the server's end", func(t *testing.T) {
		p := testpty.Open(t, 80, 24)
		before := p.Mode()
		cmd := atTerminal(t, p, "top", "-d", "100ms", "--data", data)
		p.Await("a screen", testpty.Says("localhost  node@"))
		stop(t, n)
		if err := cmd.Wait(); cmd.ProcessState.ExitCode() != exitFailure {
			t.Errorf("ended with %v", err)
		}
		p.Await("the reason", func(s *testpty.Screen) bool { return !s.Alternate && testpty.Says(errGone.Error())(s) })
		if p.Mode() != before {
			t.Error("the terminal isn't as it was")
		}
	})
}

// TestTraceAtATerminal: events come as they happen, and Ctrl-C ends the trace in peace, on the server too.
func TestTraceAtATerminal(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	n := testnode.Run(t, testnode.Config{Data: data}, testnode.Users("u", "localhost", 1, "secret"))
	p := testpty.Open(t, 132, 24)
	cmd := atTerminal(t, p, "sys", "trace", "directory/directory-0", "--data", data)
	other := atTerminal(t, testpty.Open(t, 80, 24), "sys", "trace", "directory/directory-1", "-n", "1", "--data", data)
	for !strings.Contains(n.Output(), `"actor":"directory/directory-0"`) || !strings.Contains(n.Output(), `"actor":"directory/directory-1"`) { // the test's own time limit ends it
		if n.PID() == 0 {
			t.Fatal("the server ended")
		}
	}
	for i := range 20 { // one directory or the other
		if _, err := n.Command(t.Context(), "user", "add", fmt.Sprintf("x%d", i), "--generate", "--data", data); err != nil {
			t.Fatal(err)
		}
	}
	p.Await("an event", testpty.Says("  took "))
	p.Type("\x03")
	if err := cmd.Wait(); err != nil {
		t.Errorf("ended with %v", err)
	}
	if err := other.Wait(); err != nil {
		t.Errorf("after its one message: %v", err)
	}
	st, err := n.Command(t.Context(), "sys", "status", "directory/directory-0", "--data", data)
	if err != nil || !strings.Contains(st, "phase     running") {
		t.Errorf("%s, %v", st, err)
	}
}
