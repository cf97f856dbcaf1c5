//go:build linux

package interop

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/internal/testnode"
)

const (
	domain   = "localhost"
	password = "Pässword 1" // not ASCII only, and with a space
	// accounts is how many there are; every test takes some for itself.
	accounts = 200
	// startTime is how long the server may take to be built and to start.
	startTime = 3 * time.Minute
)

// server is what the clients connect to.
type server struct {
	c2s, c2sTLS string // host:port, with STARTTLS and with direct TLS
	certificates
	log   func() string
	stop  func()
	taken *atomic.Int32 // accounts given to tests
}

// startServer starts the real binary with these certificates and accounts u0 and so on.
func startServer(dir string, c certificates) (*server, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	cfg := filepath.Join(dir, "interop.yaml")
	text := fmt.Sprintf("certificate: %q\nkey: %q\n", c.cert, c.key)
	if err := os.WriteFile(cfg, []byte(text), 0o600); err != nil {
		return nil, err
	}
	args := []string{"--config", cfg, "--log-level", "debug"}
	node, err := testnode.New(testnode.Config{Data: filepath.Join(dir, "data"), Domain: domain, Args: args})
	if err != nil {
		return nil, err
	}
	if err := node.Start(ctx); err != nil {
		return nil, err
	}
	if err := node.Import(ctx, testnode.Users("u", domain, accounts, password)); err != nil {
		node.Kill()
		return nil, err
	}
	return &server{c2s: node.C2S, c2sTLS: node.C2STLS, certificates: c, log: node.Output, stop: node.Kill, taken: new(atomic.Int32)}, nil
}

// account returns an address that no other test uses.
func (s *server) account(tb testing.TB) string {
	tb.Helper()
	n := s.taken.Add(1) - 1
	if n >= accounts {
		tb.Fatal("no account is left")
	}
	return fmt.Sprintf("u%d@%s", n, domain)
}

// addr is where the server listens.
func (s *server) addr(direct bool) string {
	if direct {
		return s.c2sTLS
	}
	return s.c2s
}

// login is a login as a new account, straight to the server.
func (s *server) login(tb testing.TB, direct bool) login {
	tb.Helper()
	return login{addr: s.addr(direct), direct: direct, jid: s.account(tb), password: password, ca: s.ca}
}
