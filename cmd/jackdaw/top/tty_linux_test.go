package top

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/internal/testpty"
)

// TestTTY: what is drawn is on the screen, keys and sizes come, and afterwards the terminal is as it was.
func TestTTY(t *testing.T) {
	p := testpty.Open(t, 80, 24)
	before := p.Mode()
	tty, err := OpenTTY(p.Terminal, p.Terminal)
	if err != nil {
		t.Fatal(err)
	}
	if p.Mode() == before {
		t.Error("the terminal isn't in raw mode")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, tty, second(), SortQueue, time.Minute) }()
	lines := p.Await("the screen", func(s *testpty.Screen) bool {
		return s.Alternate && !s.Cursor && testpty.Says("32k msg/s")(s)
	})
	s := &Screen{}
	s.Take(measured(61))
	s.Take(measured(62))
	for i, l := range s.Lines(80, 24) {
		got := lines[i]
		if want := strings.TrimRight(l.Text, " "); got != want && !strings.Contains(want, "例") { // wide letters take one place there
			t.Errorf("line %d is %q, not %q", i, got, want)
		}
	}
	p.Type("a")
	p.Await("another order", testpty.Says("AGEv"))
	p.Type("\x1b")
	p.Type("[B")
	p.Await("a row less", testpty.Says("1 above"))
	p.Type("x")
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := tty.Close(); err != nil {
		t.Error(err)
	}
	if err := tty.Close(); err != nil {
		t.Errorf("a second time: %v", err)
	}
	p.Await("the terminal back", func(s *testpty.Screen) bool { return !s.Alternate && s.Cursor && len(s.Unknown) == 0 })
	if p.Mode() != before {
		t.Errorf("the terminal is %+v, and was %+v", p.Mode(), before)
	}
}

// TestTTYAfterAPanic: a panic gives the terminal back on its way.
func TestTTYAfterAPanic(t *testing.T) {
	p := testpty.Open(t, 80, 24)
	before := p.Mode()
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		tty, err := OpenTTY(p.Terminal, p.Terminal)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tty.Close() }() // the panic is what counts
		panic("ouch")
	}()
	p.Await("the terminal back", func(s *testpty.Screen) bool { return !s.Alternate && s.Cursor })
	if p.Mode() != before {
		t.Error("the terminal isn't as it was")
	}
}

// TestTTYClosesWithKeysWaiting: keys that nobody reads don't hold up its end.
func TestTTYClosesWithKeysWaiting(t *testing.T) {
	p := testpty.Open(t, 80, 24)
	tty, err := OpenTTY(p.Terminal, p.Terminal)
	if err != nil {
		t.Fatal(err)
	}
	p.Type("qamrqamr")
	if k := <-tty.Keys(); k != SortQueue {
		t.Errorf("key %v", k)
	}
	if err := tty.Close(); err != nil {
		t.Error(err)
	}
}

func TestNoTTY(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }() // nothing was written
	if _, err := OpenTTY(file, file); err == nil || !strings.HasPrefix(err.Error(), "top: the terminal can't be used") {
		t.Errorf("a file: %v", err)
	}
}
