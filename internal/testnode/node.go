package testnode

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// readyPoll is how often a starting server is asked whether it is ready.
const readyPoll = 10 * time.Millisecond

// Config says how to run one server. Only Data is needed.
type Config struct {
	// Data is the data folder. It outlives the node.
	Data string
	// Domain is the served domain; empty means localhost.
	Domain string
	// Binary is the server's binary; empty means what Build builds.
	Binary string
	// Args are further arguments of `jackdaw serve`.
	Args []string
	// Host is an address that is this node's alone; it listens there on the usual ports. Empty: on free ports of 127.0.0.1.
	Host string
	// Env and Around are those of the Process.
	Env    []string
	Around func(start func() error) error
}

// User is one account to import.
type User struct{ JID, Password string }

// Users are n accounts at a domain, all with one password: prefix0@domain, prefix1@domain and so on.
func Users(prefix, domain string, n int, password string) []User {
	users := make([]User, n)
	for i := range users {
		users[i] = User{JID: fmt.Sprintf("%s%d@%s", prefix, i, domain), Password: password}
	}
	return users
}

// Node is one Jackdaw server with its data folder and ports.
type Node struct {
	*Process
	// Domain is the served domain.
	Domain string
	// C2S and C2STLS are where clients connect, with STARTTLS and with direct TLS. Admin serves readiness and metrics over HTTP.
	C2S, C2STLS, Admin string

	binary, data string
}

// New prepares a server: it builds the binary if needed and picks ports. Nothing runs until Start.
func New(cfg Config) (*Node, error) {
	if cfg.Data == "" {
		return nil, errors.New("testnode: no data folder")
	}
	n := &Node{Domain: cfg.Domain, data: cfg.Data, binary: cfg.Binary}
	if n.Domain == "" {
		n.Domain = "localhost"
	}
	var err error
	if n.binary == "" {
		if n.binary, err = Build(context.Background()); err != nil {
			return nil, err
		}
	}
	for port, addr := range map[string]*string{"5222": &n.C2S, "5223": &n.C2STLS, "5290": &n.Admin} {
		if cfg.Host != "" {
			*addr = net.JoinHostPort(cfg.Host, port)
		} else if *addr, err = FreeAddr(); err != nil {
			return nil, err
		}
	}
	args := []string{n.binary, "serve", "--data", n.data, "--domain", n.Domain, "--c2s", n.C2S, "--c2s-tls", n.C2STLS,
		"--admin", n.Admin}
	n.Process = NewProcess(append(args, cfg.Args...)...)
	n.Env, n.Around = cfg.Env, cfg.Around
	return n, nil
}

// SetBinary makes another binary the server's, and that of its commands, from the next start on.
func (n *Node) SetBinary(path string) {
	n.binary = path
	n.command[0] = path
}

// Start starts the server and waits until it is ready. On an error the server doesn't run.
func (n *Node) Start(ctx context.Context) error {
	if err := n.Process.Start(); err != nil {
		return err
	}
	if err := n.WaitReady(ctx); err != nil {
		n.Kill()
		return fmt.Errorf("%w\n%s", err, n.Output())
	}
	return nil
}

// Ready asks the running server once whether it takes clients. The error says why not, in the server's words if it has any.
func (n *Node) Ready(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.Admin+"/readyz", nil)
	if err != nil {
		return fmt.Errorf("testnode: ready: %w", err)
	}
	resp, err := probe.Do(req)
	if err != nil {
		return fmt.Errorf("testnode: ready: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10)) // the status says enough
		return fmt.Errorf("testnode: not ready: %s", strings.TrimSpace(string(said)))
	}
	return nil
}

// probe asks anew each time: a server that was killed has other connections.
var probe = http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// WaitReady waits until the running server is ready.
func (n *Node) WaitReady(ctx context.Context) error {
	ticker := time.NewTicker(readyPoll)
	defer ticker.Stop()
	for {
		err := n.Ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ticker.C:
		case <-n.Exited():
			return errors.New("testnode: the server ended before it was ready")
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", err, ctx.Err())
		}
	}
}

// Import adds accounts with `jackdaw user import`, whether the server runs or not.
func (n *Node) Import(ctx context.Context, users []User) error {
	var lines strings.Builder
	for _, u := range users {
		fmt.Fprintf(&lines, "%s,%s\n", u.JID, u.Password)
	}
	dir, err := os.MkdirTemp("", "jackdaw-users-")
	if err != nil {
		return fmt.Errorf("testnode: import: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // only a temporary list
	file := filepath.Join(dir, "users.csv")
	if err := os.WriteFile(file, []byte(lines.String()), 0o600); err != nil {
		return fmt.Errorf("testnode: import: %w", err)
	}
	_, err = n.Command(ctx, "user", "import", file, "--data", n.data)
	return err
}

// Command runs another subcommand of the same binary and returns what it printed. An exit code other than 0 is an error that
// holds the output.
func (n *Node) Command(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, n.binary, args...).CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("testnode: %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}
