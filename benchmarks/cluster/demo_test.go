//go:build unix

package main

import (
	"bytes"
	"context"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/internal/testnode"
)

// demoLimit is how long each thing may take that the demo's text says.
const demoLimit = 60 * time.Second

// TestDemo runs the demo, and what it says may be tried.
func TestDemo(t *testing.T) {
	t.Setenv("TESTCLUSTER_PRIVATE", "") // the demo has addresses of 127.0.0.0/8, and cuts nothing
	cfg := defaults()
	var err error
	if cfg.binary, err = testnode.Build(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	defer end()
	text, out := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- demo(ctx, cfg, out)
		_ = out.Close() // always nil
	}()
	d := &demonstration{t: t, text: readUntil(t, text, "is yours to end")}
	go func() { _, _ = io.Copy(io.Discard, text) }() // until the demo closes it

	nodes := d.runs("Look at it")
	for _, want := range []string{"n1 ", "n2 ", "n3 "} {
		if !strings.Contains(nodes, want) {
			t.Errorf("the nodes are\n%s", nodes)
		}
	}
	if said := d.runs("Add a user", "--generate"); !strings.Contains(said, "juliet@localhost") { // there is no terminal to ask for a password
		t.Error(said)
	}
	d.runs("Empty a node")
	d.runs("and fill it")
	d.runs("Rotate all keys")
	added := d.starts("Add a node")
	d.awaits("n4", func(nodes string) bool { return strings.Contains(nodes, "n4 ") })
	if err := syscall.Kill(-added.Process.Pid, syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	_ = added.Wait() // the shell was told to end as well
	d.runs("Lose a node")
	d.awaits("the loss of n3", func(nodes string) bool { // which is LOST? for some seconds, and then others have its share
		return strings.Contains(nodes, "LOST") || !strings.Contains(nodes, "n3 ")
	})
	end()
	if code := <-ended; code != 0 {
		t.Errorf("the demo ends with %d", code)
	}
}

// readUntil reads to a line that has some words.
func readUntil(t *testing.T, from io.Reader, words string) string {
	t.Helper()
	var all bytes.Buffer
	for part := make([]byte, 4096); !strings.Contains(all.String(), words); {
		n, err := from.Read(part)
		all.Write(part[:n])
		if err != nil {
			t.Fatalf("%v: %s", err, all.String())
		}
	}
	return all.String()
}

// demonstration is what the demo has said.
type demonstration struct {
	t    *testing.T
	text string
}

// command is what the text says behind a label, with the lines that go on with it.
func (d *demonstration) command(label string) string {
	d.t.Helper()
	_, rest, found := strings.Cut(d.text, label+":")
	if !found {
		d.t.Fatalf("the demo doesn't say %q, but %s", label, d.text)
	}
	var command strings.Builder
	for line := range strings.Lines(rest) {
		command.WriteString(line)
		if !strings.HasSuffix(line, "\\\n") {
			break
		}
	}
	return strings.TrimSpace(command.String())
}

// runs runs a command to its end, and returns what it has said.
func (d *demonstration) runs(label string, more ...string) string {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), demoLimit)
	defer cancel()
	command := strings.Join(append([]string{d.command(label)}, more...), " ")
	out, err := exec.CommandContext(ctx, "sh", "-c", command).CombinedOutput()
	if err != nil {
		d.t.Fatalf("%s: %v: %s", command, err, out)
	}
	return string(out)
}

// starts starts a command that goes on, in a process group of its own.
func (d *demonstration) starts(label string) *exec.Cmd {
	d.t.Helper()
	cmd := exec.Command("sh", "-c", d.command(label))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var out bytes.Buffer // Wait waits until all have closed it
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() {
		if cmd.ProcessState == nil { // the test has failed before
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			_ = cmd.Wait()
			d.t.Log(out.String())
		}
	})
	return cmd
}

// awaits looks at the cluster until something is to be seen.
func (d *demonstration) awaits(what string, seen func(nodes string) bool) {
	d.t.Helper()
	tick := time.NewTicker(lookPause)
	defer tick.Stop()
	for limit := time.After(demoLimit); ; {
		nodes := d.runs("Look at it")
		if seen(nodes) {
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			d.t.Fatalf("%s isn't to be seen: %s", what, nodes)
		}
	}
}
