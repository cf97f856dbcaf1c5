package simnet

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// failing is a test that fails, as the network sees it.
type failing struct {
	testing.TB
	failed  bool
	dir     string
	cleanup func()
	log     string
}

func (f *failing) Failed() bool                 { return f.failed }
func (f *failing) ArtifactDir() string          { return f.dir }
func (f *failing) Cleanup(c func())             { f.cleanup = c }
func (f *failing) Logf(format string, a ...any) { f.log += fmt.Sprintf(format, a...) }

func TestTheLogIsWrittenOnFailure(t *testing.T) {
	dir := t.TempDir()
	for _, failed := range []bool{false, true} {
		f := &failing{TB: t, failed: failed, dir: dir}
		synctest.Test(t, func(t *testing.T) {
			n := New(4711, f)
			a, b := n.Node("a"), n.Node("b")
			time.Sleep(time.Hour)
			n.Cut("a", "b")
			write(t, a, b, "lost")
			write(t, b, a, "sent")
			n.Note("the test says %d", 42)
			f.cleanup()
		})
		file, err := os.ReadFile(filepath.Join(dir, "simnet-4711.log"))
		if !failed {
			if f.log != "" || err == nil {
				t.Errorf("a test that passes wrote %q, and a file: %v", f.log, err)
			}
			continue
		}
		for _, want := range []string{"1h0m0s  cut a -> b", "lost packet of 4 bytes a -> b", "sent packet of 4 bytes b -> a", "the test says 42", "starts a"} {
			if !strings.Contains(f.log, want) || !strings.Contains(string(file), want) {
				t.Errorf("%q is missing in the log %q or the file %q", want, f.log, file)
			}
		}
		if !strings.Contains(f.log, "seed 4711") {
			t.Errorf("no seed in %q", f.log)
		}
	}
}

func TestTheLogIsBounded(t *testing.T) {
	n := New(1, &failing{TB: t})
	for i := range kept + 10 {
		n.Note("%d", i)
	}
	lines := n.lines()
	if len(lines) != kept || !strings.HasSuffix(lines[0], " 10") || !strings.HasSuffix(lines[kept-1], fmt.Sprint(kept+9)) {
		t.Errorf("%d lines from %q to %q", len(lines), lines[0], lines[len(lines)-1])
	}
}
