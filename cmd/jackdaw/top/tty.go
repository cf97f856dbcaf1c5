package top

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// What is sent to a terminal (ECMA-48; the alternate screen is xterm's, and every terminal's since).
const (
	enter = "\x1b[?1049h\x1b[?25l\x1b[?7l" // the other screen, no cursor, no wrapping
	leave = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l"
	home  = "\x1b[H"
	wipe  = "\x1b[2J"
	rest  = "\x1b[K" // of the line
	below = "\x1b[J"
)

var styles = map[Style]string{Plain: "\x1b[0m", Bold: "\x1b[0;1m", Reverse: "\x1b[0;7m"}

// TTY is a terminal that shows a screen. OpenTTY takes it, Close gives it back as it was. It belongs to one goroutine.
type TTY struct {
	in, out *os.File
	old     *term.State
	keys    chan Key
	resized chan os.Signal
	stop    chan struct{} // closed, with wake, to end the reading of keys
	wake    *os.File
	ended   sync.WaitGroup
	size    [2]int // of the last drawing
	closed  bool
}

// OpenTTY takes the terminal whose keys come from in and that shows what is written to out.
func OpenTTY(in, out *os.File) (*TTY, error) {
	old, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return nil, fmt.Errorf("top: the terminal can't be used: %w", err)
	}
	t := &TTY{in: in, out: out, old: old, keys: make(chan Key), resized: make(chan os.Signal, 1), stop: make(chan struct{})}
	end, wake, err := os.Pipe()
	if err == nil {
		_, err = out.WriteString(enter + wipe)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("top: %w", err), term.Restore(int(in.Fd()), old))
	}
	t.wake = wake
	signal.Notify(t.resized, unix.SIGWINCH)
	t.ended.Go(func() { t.read(end) })
	return t, nil
}

// Keys are those that are pressed; it is closed when the terminal is gone.
func (t *TTY) Keys() <-chan Key { return t.keys }

// Resized tells that the size has changed.
func (t *TTY) Resized() <-chan os.Signal { return t.resized }

// Size is the terminal's in columns and lines; 80 by 24 where it doesn't say.
func (t *TTY) Size() (width, height int) {
	width, height, err := term.GetSize(int(t.out.Fd()))
	if err != nil || width <= 0 || height <= 0 {
		return 80, 24
	}
	return width, height
}

// Draw shows a screen of a size.
func (t *TTY) Draw(lines []Line, width, height int) error {
	var b bytes.Buffer
	if size := [2]int{width, height}; size != t.size {
		b.WriteString(styles[Plain] + wipe)
		t.size = size
	}
	b.WriteString(home)
	for i, l := range lines {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(styles[l.Style])
		b.WriteString(l.Text)
		if l.Style == Reverse { // the rest of the line in the same colour, which erasing doesn't do everywhere
			b.WriteString(right("", width-wide(l.Text)))
		}
		b.WriteString(styles[Plain] + rest)
	}
	b.WriteString(below)
	if _, err := t.out.Write(b.Bytes()); err != nil {
		return fmt.Errorf("top: %w", err)
	}
	return nil
}

// read gives the keys on until the pipe end is closed at its other end.
func (t *TTY) read(end *os.File) {
	defer close(t.keys)
	defer func() { _ = end.Close() }() // nothing was written
	var keys keyboard
	buf := make([]byte, 256)
	for {
		var ready unix.FdSet
		ready.Set(int(t.in.Fd()))
		ready.Set(int(end.Fd()))
		_, err := unix.Select(int(max(t.in.Fd(), end.Fd()))+1, &ready, nil, nil, nil)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil, ready.IsSet(int(end.Fd())):
			return
		}
		n, err := t.in.Read(buf)
		if err != nil || n == 0 {
			return
		}
		for _, b := range buf[:n] {
			if k := keys.next(b); k != NoKey && !t.press(k) {
				return
			}
		}
	}
}

// press gives one key on and reports false if nobody wants it any more.
func (t *TTY) press(k Key) bool {
	select {
	case t.keys <- k:
		return true
	case <-t.stop:
		return false
	}
}

// Close gives the terminal back as it was; a second time does nothing.
func (t *TTY) Close() error {
	if t.closed {
		return nil
	}
	t.closed = true
	close(t.stop)
	_ = t.wake.Close() // nothing was written
	t.ended.Wait()
	signal.Stop(t.resized)
	_, err := t.out.WriteString(leave)
	if err = errors.Join(err, term.Restore(int(t.in.Fd()), t.old)); err != nil {
		return fmt.Errorf("top: the terminal can't be given back as it was: %w", err)
	}
	return nil
}
