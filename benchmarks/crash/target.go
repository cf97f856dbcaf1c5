package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/jackdaw-im/jackdaw/benchmarks/load"
	"github.com/jackdaw-im/jackdaw/internal/testnode"
)

// dialPoll is how often a starting server is tried.
const dialPoll = 20 * time.Millisecond

// open makes the server of a run ready, without starting it: Jackdaw on this data folder, or the command that was asked for.
func open(ctx context.Context, cfg settings, data string) (target, load.Accounts, error) {
	accounts := load.Accounts{Addr: cfg.server, Domain: cfg.domain, Prefix: cfg.prefix, Password: cfg.password}
	if cfg.command != "" {
		return &foreign{testnode.NewProcess("sh", "-c", cfg.command), cfg.server}, accounts, nil
	}
	if cfg.power {
		server, accounts, err := openPowered(ctx, cfg, data, honest)
		return server, accounts, err
	}
	node, err := testnode.New(testnode.Config{Data: data})
	if err != nil {
		return nil, accounts, err
	}
	if err := node.Import(ctx, testnode.Users(cfg.prefix, cfg.domain, cfg.users(), cfg.password)); err != nil {
		return nil, accounts, err
	}
	accounts.Addr, accounts.Domain = node.C2STLS, node.Domain
	return node, accounts, nil
}

// foreign is a server that isn't Jackdaw.
type foreign struct {
	*testnode.Process
	addr string
}

// Start implements target: ready is who completes a TLS handshake.
func (f *foreign) Start(ctx context.Context) error {
	if err := f.Process.Start(); err != nil {
		return err
	}
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"xmpp-client"}}}
	ticker := time.NewTicker(dialPoll)
	defer ticker.Stop()
	for {
		conn, err := dialer.DialContext(ctx, "tcp", f.addr)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ticker.C:
		case <-f.Exited():
			return errors.New("crash: the server ended before it was ready")
		case <-ctx.Done():
			return fmt.Errorf("crash: not ready: %w", ctx.Err())
		}
	}
}
