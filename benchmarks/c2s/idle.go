package main

import (
	"context"
	"fmt"

	"github.com/jackdaw-im/jackdaw/benchmarks/load"
	"github.com/jackdaw-im/jackdaw/client"
)

// idle measures the server's memory for a connection that is logged in, available, with stream management, and does nothing.
func idle(ctx context.Context, cfg *settings, server *load.Server) ([]result, error) {
	var fleet load.Fleet
	defer fleet.Cut()
	few := cfg.idle / 6
	low, err := memoryAt(ctx, cfg, server, &fleet, 0, few)
	if err != nil {
		return nil, err
	}
	high, err := memoryAt(ctx, cfg, server, &fleet, few, cfg.idle)
	if err != nil {
		return nil, err
	}
	each := float64(high-low) / float64(cfg.idle-few)
	note := fmt.Sprintf("slope of RSS from %d to %d connections, %.0f to %.0f MB", few, cfg.idle, float64(low)/1e6, float64(high)/1e6)
	return []result{{Name: "idle connection", Value: each, Unit: "bytes", FirstBar: 30_000, Goal: 12_000, Note: note}}, nil
}

// memoryAt logs users from..to-1 in and reads the server's memory after a rest.
func memoryAt(ctx context.Context, cfg *settings, server *load.Server, fleet *load.Fleet, from, to int) (int64, error) {
	_, err := fleet.LoginAll(ctx, to-from, func(i int) *client.Config {
		c := server.Config(from + i)
		c.Management = true
		return c
	}, func(_ int, c *client.Conn) error { return c.Presence(0) })
	if err != nil {
		return 0, fmt.Errorf("c2s: idle connections: %w", err)
	}
	if err := load.Rest(ctx, cfg.settle); err != nil {
		return 0, err
	}
	if err := fleet.Ended(); err != nil {
		return 0, fmt.Errorf("c2s: an idle connection ended: %w", err)
	}
	return server.RSS()
}
