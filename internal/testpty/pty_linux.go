package testpty

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// PTY is a terminal, and who sits at it.
type PTY struct {
	// Terminal is what a program has as its input and output.
	Terminal *os.File

	tb     testing.TB
	master *os.File
	ended  sync.WaitGroup

	mu      sync.Mutex
	changed *sync.Cond
	screen  *Screen
	over    bool
}

// Open opens a terminal of a size for a test; it is closed when the test ends.
func Open(tb testing.TB, width, height int) *PTY {
	tb.Helper()
	master, terminal, err := open()
	if err != nil {
		tb.Fatal(err)
	}
	p := &PTY{Terminal: terminal, tb: tb, master: master, screen: NewScreen(width, height)}
	p.changed = sync.NewCond(&p.mu)
	p.Resize(width, height)
	p.ended.Go(p.watch)
	tb.Cleanup(func() {
		_ = terminal.Close() // the last one ends the watch
		p.ended.Wait()
		_ = master.Close() // nothing is kept
	})
	return p
}

func open() (master, terminal *os.File, err error) {
	master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("testpty: %w", err)
	}
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("testpty: %w", err), master.Close())
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("testpty: %w", err), master.Close())
	}
	return master, terminal, nil
}

// watch reads until nobody has the terminal any more.
func (p *PTY) watch() {
	buf := make([]byte, 4096)
	for {
		n, err := p.master.Read(buf)
		p.mu.Lock()
		_, _ = p.screen.Write(buf[:n]) // it never fails
		p.over = err != nil
		p.changed.Broadcast()
		p.mu.Unlock()
		var failed *fs.PathError
		if err != nil {
			if !errors.As(err, &failed) { // EIO is how Linux says that nobody has it
				p.tb.Logf("testpty: %v", err)
			}
			return
		}
	}
}

// Type types keys.
func (p *PTY) Type(keys string) {
	p.tb.Helper()
	if _, err := p.master.WriteString(keys); err != nil {
		p.tb.Errorf("testpty: %v", err)
	}
}

// Resize makes the terminal another size, of which programs are told.
func (p *PTY) Resize(width, height int) {
	p.tb.Helper()
	p.mu.Lock()
	p.screen.Resize(width, height)
	p.mu.Unlock()
	if err := unix.IoctlSetWinsize(int(p.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: uint16(height), Col: uint16(width)}); err != nil {
		p.tb.Errorf("testpty: %v", err)
	}
}

// Mode is how the terminal is set up.
func (p *PTY) Mode() unix.Termios {
	p.tb.Helper()
	mode, err := unix.IoctlGetTermios(int(p.Terminal.Fd()), unix.TCGETS)
	if err != nil {
		p.tb.Fatalf("testpty: %v", err)
	}
	return *mode
}

// Await waits until the screen is as it is wanted, as long as the test may run, and returns its lines. It fails the test if the
// terminal is given up before.
func (p *PTY) Await(what string, wanted func(*Screen) bool) []string {
	p.tb.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for !wanted(p.screen) {
		if p.over {
			p.tb.Fatalf("testpty: the terminal was given up before %s:\n%s", what, strings.Join(p.screen.Lines(), "\n"))
		}
		p.changed.Wait()
	}
	return p.screen.Lines()
}

// Says is for Await: the screen has a text on one of its lines.
func Says(text string) func(*Screen) bool {
	return func(s *Screen) bool { return strings.Contains(strings.Join(s.Lines(), "\n"), text) }
}
