package testpg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Start starts a server that was stopped or killed, or has ended by itself, on its folder and port, and waits until it answers.
func (s *Server) Start(ctx context.Context) error {
	if s.pid() != 0 {
		return fmt.Errorf("testpg: %s is running", s.Name)
	}
	s.unguard() // else the watchdog of one that has ended by itself would delete the folder some day
	out, err := os.OpenFile(s.log(), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("testpg: %w", err)
	}
	defer out.Close()
	cmd := exec.Command(filepath.Join(s.bin, "postgres"), "-D", s.data)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = s.root, out, out, s.attributes()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("testpg: %w", err)
	}
	exited := make(chan struct{})
	s.cmd, s.exited = cmd, exited
	go func() {
		_ = cmd.Wait() // how it ended is in its log
		close(exited)
	}()
	if err := s.guard(); err != nil {
		s.Kill()
		return err
	}
	return s.wait(ctx, "to answer", func(ctx context.Context) error {
		c, err := s.Connect(ctx, "postgres")
		if err != nil {
			return err
		}
		return c.Close(ctx)
	})
}

// guard starts the process that ends the server when this process dies without doing it: its input, a pipe that only this process
// holds, ends then. An immediate shutdown (SIGQUIT) ends the backends too.
func (s *Server) guard() error {
	w := exec.Command("sh", "-c", "cat >/dev/null; kill -QUIT "+strconv.Itoa(s.pid())+"; sleep 1; rm -rf "+s.root)
	w.Dir, w.SysProcAttr = "/", s.attributes()
	leash, err := w.StdinPipe()
	if err != nil {
		return fmt.Errorf("testpg: %w", err)
	}
	if err := w.Start(); err != nil {
		return fmt.Errorf("testpg: %w", err)
	}
	s.watchdog, s.leash = w, leash
	return nil
}

// unguard ends the watchdog before it can take another process for the server.
func (s *Server) unguard() {
	if s.watchdog == nil {
		return
	}
	_ = syscall.Kill(-s.watchdog.Process.Pid, syscall.SIGKILL) // with its cat
	_ = s.watchdog.Wait()
	_ = s.leash.Close()
	s.watchdog, s.leash = nil, nil
}

// wait asks until there is no error, the server has ended, or the time is over.
func (s *Server) wait(ctx context.Context, what string, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-s.exited:
			return fmt.Errorf("testpg: %s has ended: %s", s.Name, s.Log())
		case <-ctx.Done():
			return fmt.Errorf("testpg: waiting for %s %s: %w: %s", s.Name, what, err, s.Log())
		case <-time.After(poll):
		}
	}
}

// pid is the process id of the postmaster, or 0 if it doesn't run.
func (s *Server) pid() int {
	if s.cmd == nil {
		return 0
	}
	select {
	case <-s.exited:
		return 0
	default:
		return s.cmd.Process.Pid
	}
}

// children are the direct children of a process, which all of PostgreSQL's processes are. Without Linux's /proc there are none:
// backends then end by themselves once they notice that the postmaster is gone.
func children(pid int) []int {
	list, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil
	}
	var pids []int
	for _, f := range strings.Fields(string(list)) {
		if n, err := strconv.Atoi(f); err == nil {
			pids = append(pids, n)
		}
	}
	return pids
}

// Ended reports whether the server doesn't run, for whatever reason.
func (s *Server) Ended() bool { return s.pid() == 0 }

// Kill ends the server and its backends as kill -9 does. It is no error if it has ended before.
func (s *Server) Kill() {
	pid := s.pid()
	if pid == 0 {
		s.unguard()
		return
	}
	backends := children(pid)
	_ = syscall.Kill(pid, syscall.SIGKILL)
	for _, b := range backends {
		_ = syscall.Kill(b, syscall.SIGKILL)
	}
	<-s.exited
	for _, b := range backends {
		for runs(b) { // until then its memory keeps the server from being started again
			time.Sleep(time.Millisecond)
		}
	}
	s.unguard()
}

// runs reports whether a process is there and isn't one that has ended and only waits to be counted.
func runs(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

// Pause stops the server and its backends where they are (SIGSTOP), as a machine that hangs; Resume lets them go on.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Resume ends a Pause.
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	pid := s.pid()
	if pid == 0 {
		return
	}
	for _, p := range append([]int{pid}, children(pid)...) {
		_ = syscall.Kill(p, sig)
	}
}

// Stop shuts the server down in PostgreSQL's fast way: connections are ended, and nothing is lost.
func (s *Server) Stop(ctx context.Context) error {
	pid := s.pid()
	if pid == 0 {
		s.unguard()
		return nil
	}
	_ = syscall.Kill(pid, syscall.SIGINT)
	select {
	case <-s.exited:
		s.unguard()
		return nil
	case <-ctx.Done():
		s.Kill()
		return fmt.Errorf("testpg: stopping %s: %w", s.Name, ctx.Err())
	}
}

// Destroy kills the server and deletes its disk.
func (s *Server) Destroy() error {
	s.Kill()
	if err := os.RemoveAll(s.data); err != nil {
		return fmt.Errorf("testpg: %w", err)
	}
	return nil
}

// Close kills the server and its standbys and deletes their folder.
func (s *Server) Close() error {
	s.killAll()
	if s.primary != nil {
		return s.Destroy()
	}
	if err := os.RemoveAll(s.root); err != nil {
		return fmt.Errorf("testpg: %w", err)
	}
	return nil
}

// killAll kills the server, its standbys, and theirs.
func (s *Server) killAll() {
	for _, b := range s.Standbys {
		b.killAll()
	}
	s.Kill()
}

func (s *Server) log() string { return filepath.Join(s.root, s.Name+".log") }

// Log is the end of what the server has written.
func (s *Server) Log() string {
	const most = 8 << 10
	b, err := os.ReadFile(s.log())
	if errors.Is(err, os.ErrNotExist) {
		return ""
	}
	return string(b[max(len(b)-most, 0):])
}
