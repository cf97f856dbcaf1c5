//go:build linux

package interop

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// startTerminal starts a program that wants a terminal. What it draws goes to the screen; what is written to the process's input is
// as if it was typed.
func startTerminal(tb testing.TB, screen io.Writer, environment []string, command ...string) *process {
	tb.Helper()
	keyboard, terminal, err := openTerminal()
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(append(os.Environ(), "LC_ALL=C.UTF-8", "TERM=xterm"), environment...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal, terminal, terminal
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true} // a session is a process group as well
	p := &process{cmd: cmd, input: keyboard, exited: make(chan struct{})}
	var drawing sync.WaitGroup
	tb.Cleanup(func() {
		_ = keyboard.Close() // ends the copying below, if nothing else did
		drawing.Wait()
	})
	p.run(tb, func() {})
	_ = terminal.Close() // the program has its own
	drawing.Go(func() { _, _ = io.Copy(screen, keyboard) })
	return p
}

// openTerminal opens a pseudo-terminal of 200 columns and 50 rows.
func openTerminal() (keyboard, terminal *os.File, err error) {
	keyboard, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	fd := int(keyboard.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: 200})
	}
	if err == nil {
		terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err == nil {
		// Fd made the file block, and a blocked read doesn't end with Close.
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		_ = keyboard.Close() // the first error says more
		return nil, nil, fmt.Errorf("terminal: %w", err)
	}
	return keyboard, terminal, nil
}

func TestTerminal(t *testing.T) {
	screen := new(logbook)
	p := startTerminal(t, screen, nil, "/bin/sh", "-c", "read line; echo got $line; stty size")
	if err := p.write("Grüße 👋"); err != nil {
		t.Fatal(err)
	}
	if err := p.wait(); err != nil {
		t.Fatal(err)
	}
	poll(t, "what the program drew", func() bool { return screen.String() == "Grüße 👋\r\ngot Grüße 👋\r\n50 200\r\n" })
}
