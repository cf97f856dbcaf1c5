package testcluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Private makes sure that this program has a network of its own, if it may have one: it runs itself there a second time, with the same
// arguments and further environment, and returns the exit code and true. The second run, and one that isn't root's, gets false and goes
// on. It comes first in main or TestMain.
func Private(env ...string) (code int, ran bool) {
	if IsPrivate() {
		if err := run(context.Background(), "ip", "-batch", "-")("link set lo up"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1, true
		}
		return 0, false
	}
	if os.Getuid() != 0 {
		return 0, false
	}
	for _, tool := range []string{"ip", "nft"} {
		if _, err := exec.LookPath(tool); err != nil {
			return 0, false
		}
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(append(os.Environ(), privateEnv+"=1"), env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	// A terminal's Ctrl-C reaches the second run too, which ends in its own way.
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		return 0, false // not allowed here, for example in a container
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // the exit code tells
	}()
	for {
		select {
		case s := <-signals:
			if s == syscall.SIGTERM {
				_ = cmd.Process.Signal(s) // gone: ended tells
			}
		case <-ended:
			if code = cmd.ProcessState.ExitCode(); code < 0 {
				code = 1
			}
			return code, true
		}
	}
}

// open makes the bridge.
func (n *network) open() error {
	return run(context.Background(), "ip", "-batch", "-")(
		// Without an address of its own the bridge takes the lowest of its ports', and the nodes would look for it in vain when it changes.
		"link add "+n.bridge+" address 02:00:00:00:00:01 type bridge", "address add "+n.prefix+hub+"/24 dev "+n.bridge,
		"address add "+n.store+"/24 dev "+n.bridge, "link set "+n.bridge+" up")
}

// close removes the bridge and the nodes' networks, so that this process may make another one.
func (n *network) close() error {
	if n == nil || !n.private {
		return nil
	}
	var errs []error
	for _, p := range n.places {
		if p.ns != nil {
			errs = append(errs, run(context.Background(), "ip", "-batch", "-")("link delete "+p.link), p.ns.Close())
		}
	}
	return errors.Join(append(errs, run(context.Background(), "ip", "-batch", "-")("link delete "+n.bridge))...)
}

// filter drops what comes from the addresses of one set, and what goes to those of another.
const filter = `table inet jd {
	set from { type ipv4_addr; }
	set to { type ipv4_addr; }
	chain in { type filter hook input priority 0; policy accept; ip saddr @from drop; }
	chain out { type filter hook output priority 0; policy accept; ip daddr @to drop; }
}`

// open makes a namespace and its cable to the bridge.
func (p *place) open(bridge string) (err error) {
	if p.ns, err = newNamespace(); err != nil {
		return err
	}
	ctx := context.Background()
	err = run(ctx, "ip", "-batch", "-")(
		fmt.Sprintf("link add %s type veth peer name eth0 netns /proc/%d/fd/%d", p.link, os.Getpid(), p.ns.Fd()),
		"link set "+p.link+" master "+bridge+" up")
	if err != nil {
		return err
	}
	return p.enter(func() error {
		return errors.Join(
			run(ctx, "ip", "-batch", "-")("link set lo up", "address add "+p.host+"/24 dev eth0", "link set eth0 up"),
			run(ctx, "nft", "-f", "-")(filter))
	})
}

// newNamespace makes a network namespace that lives as long as its file is open and somebody is in it.
func newNamespace() (*os.File, error) {
	own, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, fmt.Errorf("testcluster: %w", err)
	}
	defer own.Close()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return nil, fmt.Errorf("testcluster: a network namespace: %w", err)
	}
	ns, err := os.Open(fmt.Sprintf("/proc/%d/task/%d/ns/net", os.Getpid(), unix.Gettid()))
	if back := unix.Setns(int(own.Fd()), unix.CLONE_NEWNET); back != nil {
		panic(fmt.Sprintf("testcluster: no way back to the own network: %v", back)) // this thread is of no use to anybody
	}
	if err != nil {
		return nil, fmt.Errorf("testcluster: %w", err)
	}
	return ns, nil
}

// enter runs f on a thread that is in the node's network. What f starts is there, too.
func (p *place) enter(f func() error) error {
	if p.ns == nil {
		return f()
	}
	own, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return fmt.Errorf("testcluster: %w", err)
	}
	defer own.Close()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Setns(int(p.ns.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("testcluster: %w", err)
	}
	err = f()
	if back := unix.Setns(int(own.Fd()), unix.CLONE_NEWNET); back != nil {
		panic(fmt.Sprintf("testcluster: no way back to the own network: %v", back)) // as above
	}
	return err
}

func (p *place) drop(ctx context.Context, from string) error {
	return p.enter(func() error { return run(ctx, "nft", "-f", "-")("add element inet jd from { " + from + " }") })
}

func (p *place) dropTo(ctx context.Context, to string) error {
	return p.enter(func() error { return run(ctx, "nft", "-f", "-")("add element inet jd to { " + to + " }") })
}

func (p *place) heal(ctx context.Context) error {
	if p.ns == nil {
		return nil
	}
	return p.enter(func() error { return run(ctx, "nft", "-f", "-")("flush set inet jd from", "flush set inet jd to") })
}

// run returns a function that runs a program with lines as its input.
func run(ctx context.Context, program string, args ...string) func(lines ...string) error {
	return func(lines ...string) error {
		cmd := exec.CommandContext(ctx, program, args...)
		cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("testcluster: %s: %w: %s", program, err, strings.TrimSpace(string(out)))
		}
		return nil
	}
}
