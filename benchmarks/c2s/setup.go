package main

import (
	"context"
	"fmt"
	"os"

	"github.com/jackdaw-im/jackdaw/benchmarks/load"
	"github.com/jackdaw-im/jackdaw/internal/testnode"
)

// setup starts a Jackdaw on a data folder of its own, with all users, unless there is another server to measure. end ends and
// removes what setup made, and may be called after an error too.
func setup(ctx context.Context, cfg *settings) (server *load.Server, end func(), err error) {
	server = &load.Server{PID: cfg.pid, Accounts: load.Accounts{Addr: cfg.server, Domain: cfg.domain, Prefix: cfg.prefix,
		Password: cfg.password, Mechanism: "SCRAM-SHA-1"}}
	if cfg.server != "" {
		server.Open()
		return server, func() {}, nil
	}
	data, err := os.MkdirTemp("", "jackdaw-c2s-")
	if err != nil {
		return nil, func() {}, fmt.Errorf("c2s: %w", err)
	}
	var node *testnode.Node
	end = func() {
		if node != nil {
			node.Kill()
		}
		_ = os.RemoveAll(data)     // temporary
		_ = testnode.RemoveBuild() // temporary
	}
	if node, err = testnode.New(testnode.Config{Data: data}); err != nil {
		return nil, end, err
	}
	if err := node.Import(ctx, testnode.Users(cfg.prefix, cfg.domain, cfg.users(), cfg.password)); err != nil {
		return nil, end, err
	}
	if err := node.Start(ctx); err != nil {
		return nil, end, err
	}
	server.Addr, server.Domain, server.PID = node.C2STLS, node.Domain, node.PID()
	server.Open()
	return server, end, nil
}
