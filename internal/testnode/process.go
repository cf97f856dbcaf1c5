package testnode

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// ErrRunning is the error of starting a process that runs.
var ErrRunning = errors.New("testnode: already running")

// ErrNotRunning is the error of asking something of a process that doesn't run.
var ErrNotRunning = errors.New("testnode: not running")

// Process is one command that can be started, measured, paused, ended and started again.
type Process struct {
	// Env is added to this process's environment. Like Around it is read by Start.
	Env []string
	// Around, if set, calls start and returns its error; what it changes about the calling thread, the new process inherits.
	Around func(start func() error) error

	command []string
	output  tail

	mu struct {
		sync.Mutex
		cmd    *exec.Cmd
		exited chan struct{}
		err    error // of the last Wait; read after exited is closed
	}
}

// NewProcess returns a process that isn't started yet. The command is a program and its arguments; no shell reads it.
func NewProcess(command ...string) *Process { return &Process{command: command} }

// Start starts the command in a process group of its own. It doesn't wait until the command is ready for anything.
func (p *Process) Start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.cmd != nil && !closed(p.mu.exited) {
		return ErrRunning
	}
	cmd := exec.Command(p.command[0], p.command[1:]...)
	cmd.Stdout, cmd.Stderr = &p.output, &p.output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if len(p.Env) > 0 {
		cmd.Env = append(os.Environ(), p.Env...)
	}
	start := cmd.Start
	if p.Around != nil {
		start = func() error { return p.Around(cmd.Start) }
	}
	if err := start(); err != nil {
		return fmt.Errorf("testnode: start %s: %w", p.command[0], err)
	}
	exited := make(chan struct{})
	p.mu.cmd, p.mu.exited, p.mu.err = cmd, exited, nil
	go func() {
		err := cmd.Wait()
		p.mu.Lock()
		p.mu.err = err
		p.mu.Unlock()
		close(exited)
	}()
	return nil
}

// Exited is closed when the process last started has ended. It is nil before the first Start.
func (p *Process) Exited() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.exited
}

// PID is the process id, or 0 if the process doesn't run.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.cmd == nil || closed(p.mu.exited) {
		return 0
	}
	return p.mu.cmd.Process.Pid
}

// Kill ends the process and its children as kill -9 does and waits until it is gone. It is no error if it was gone already.
func (p *Process) Kill() {
	p.signal(syscall.SIGKILL)
	if exited := p.Exited(); exited != nil {
		<-exited
	}
}

// Stop sends SIGTERM and waits until the process is gone. An exit code other than 0 is an error. When ctx ends first, the process
// is killed and ctx's error returned.
func (p *Process) Stop(ctx context.Context) error {
	exited := p.Exited()
	if exited == nil {
		return ErrNotRunning
	}
	p.signal(syscall.SIGTERM)
	select {
	case <-exited:
	case <-ctx.Done():
		p.Kill()
		return fmt.Errorf("testnode: stop: %w", ctx.Err())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.err != nil {
		return fmt.Errorf("testnode: stop: %w", p.mu.err)
	}
	return nil
}

// Pause stops the process where it is, as a machine that hangs (SIGSTOP); Resume lets it go on. Kill works on a paused process too. It returns once
// no thread runs any more, which on a busy machine is a moment later, or after pauseTime.
func (p *Process) Pause() {
	p.signal(syscall.SIGSTOP)
	pid := p.PID()
	for begin := time.Now(); pid != 0 && time.Since(begin) < pauseTime && !stopped(pid); {
		time.Sleep(time.Millisecond)
	}
}

// pauseTime is how long Pause waits.
const pauseTime = 2 * time.Second

// stopped reports whether all threads of a process stand still, as far as /proc tells.
func stopped(pid int) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, file := range threads {
		stat, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		// The state follows the name, which is in brackets and may hold any.
		if i := bytes.LastIndexByte(stat, ')'); i >= 0 && i+2 < len(stat) && stat[i+2] != 'T' {
			return false
		}
	}
	return true
}

// Resume ends a Pause.
func (p *Process) Resume() { p.signal(syscall.SIGCONT) }

// Output is the end of what the process wrote, at most 64 KiB, over all its starts.
func (p *Process) Output() string { return p.output.String() }

// Usage measures the running process.
func (p *Process) Usage() (Usage, error) {
	pid := p.PID()
	if pid == 0 {
		return Usage{}, ErrNotRunning
	}
	return UsageOf(pid)
}

// signal sends sig to the whole process group. A command that changed its group gets it by its own id.
func (p *Process) signal(sig syscall.Signal) {
	pid := p.PID()
	if pid == 0 {
		return
	}
	if syscall.Kill(-pid, sig) != nil {
		if process, err := os.FindProcess(pid); err == nil {
			_ = process.Signal(sig) // gone already: Exited tells
		}
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
