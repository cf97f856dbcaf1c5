//go:build linux

package interop

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// quitTime is how long a client may take to log out.
const quitTime = 20 * time.Second

// process is a client's program. It has a process group of its own, which is killed when the test ends.
type process struct {
	cmd    *exec.Cmd
	input  io.WriteCloser
	log    *logbook
	exited chan struct{} // closed when the program has ended and all its output was read
	err    error         // valid once exited is closed
}

// start starts a program. Its lines on standard output go to line, those on standard error to the log; line may be nil, then they
// go to the log, too. environment is added to the test's own.
func start(tb testing.TB, log *logbook, line func(string), environment []string, command ...string) *process {
	tb.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(append(os.Environ(), "LC_ALL=C.UTF-8"), environment...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	input, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	cmd.Stderr = log
	cmd.WaitDelay = time.Second // a grandchild may hold the pipes open
	output := io.Writer(log)
	finish := func() {}
	if line != nil {
		reader, writer := io.Pipe()
		output = writer
		var reading sync.WaitGroup
		reading.Go(func() { eachLine(reader, line) })
		finish = func() {
			_ = writer.Close() // never fails
			reading.Wait()
		}
	}
	cmd.Stdout = output
	p := &process{cmd: cmd, input: input, log: log, exited: make(chan struct{})}
	p.run(tb, finish)
	return p
}

// run starts the command, and waits for it beside the test. finish is called when it has ended.
func (p *process) run(tb testing.TB, finish func()) {
	tb.Helper()
	if err := p.cmd.Start(); err != nil {
		tb.Fatalf("%v (internal/interop/install.sh installs the clients)", err)
	}
	go func() {
		p.err = p.cmd.Wait()
		finish()
		close(p.exited)
	}()
	tb.Cleanup(p.kill)
}

// kill ends the program and its children, and waits until it is gone.
func (p *process) kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // it may be gone
	<-p.exited
}

// wait waits until the program has ended by itself. An exit code other than 0 is an error.
func (p *process) wait() error {
	timeout := time.NewTimer(quitTime)
	defer timeout.Stop()
	select {
	case <-p.exited:
		return p.err
	case <-timeout.C:
		return fmt.Errorf("it still runs after %v", quitTime)
	}
}

// write gives the program a line.
func (p *process) write(fields ...string) error {
	line := strings.Join(fields, "\t")
	if strings.Contains(line, "\n") {
		return errors.New("a line has no line breaks")
	}
	_, err := io.WriteString(p.input, line+"\n")
	return err
}

// eachLine calls f for each line until the end.
func eachLine(r io.Reader, f func(string)) {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		f(scanner.Text())
	}
	_, _ = io.Copy(io.Discard, r) // a line too long: the rest must not block the writer
}

// logbook keeps the end of what a client logs and shows each of its lines to a watcher.
type logbook struct {
	mu struct {
		sync.Mutex
		kept    []byte
		partial []byte
		watch   func(line string)
	}
}

// logKept is how much a logbook keeps at least, in bytes.
const logKept = 64 << 10

// Write implements io.Writer and never fails.
func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.kept = append(l.mu.kept, p...)
	if over := len(l.mu.kept) - logKept; over > logKept {
		l.mu.kept = append(l.mu.kept[:0], l.mu.kept[over:]...)
	}
	if l.mu.watch == nil {
		return len(p), nil
	}
	l.mu.partial = append(l.mu.partial, p...)
	for {
		line, rest, ok := strings.Cut(string(l.mu.partial), "\n")
		if !ok {
			return len(p), nil
		}
		l.mu.watch(line)
		l.mu.partial = []byte(rest)
	}
}

// String is what is kept.
func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.mu.kept)
}

// watching returns a logbook that shows each line to f.
func watching(f func(line string)) *logbook {
	l := new(logbook)
	l.mu.watch = f
	return l
}
