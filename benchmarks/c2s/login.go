package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackdaw-im/jackdaw/benchmarks/load"
)

// loginWidth is how many clients log in at a time.
const loginWidth = 8

// login measures logins: connection, full TLS handshake, SCRAM-SHA-1, binding, and the orderly end. Every user logs in once before,
// so that the driver knows its keys.
func login(ctx context.Context, cfg *settings, server *load.Server) ([]result, error) {
	once := func(ctx context.Context, i int) error {
		var fleet load.Fleet
		defer fleet.Close()
		_, err := fleet.Login(ctx, server.Config(i), nil)
		return err
	}
	users := min(cfg.logins, 500)
	if err := load.Each(ctx, users, loginWidth, once); err != nil {
		return nil, fmt.Errorf("c2s: logins: %w", err)
	}
	meter, err := server.Meter()
	if err != nil {
		return nil, err
	}
	err = load.Each(ctx, cfg.logins, loginWidth, func(ctx context.Context, i int) error { return once(ctx, i%users) })
	if err != nil {
		return nil, fmt.Errorf("c2s: logins: %w", err)
	}
	spent, err := meter.Stop()
	if err != nil {
		return nil, err
	}
	each := float64(spent.Each(cfg.logins)) / float64(time.Millisecond)
	return []result{
		{Name: "login, CPU each", Value: each, Unit: "ms", FirstBar: 0.9, Goal: 0.5, Note: "SCRAM-SHA-1, full TLS 1.3 handshake"},
		{Name: "logins", Value: spent.Rate(cfg.logins), Unit: "a second", More: true, Note: fmt.Sprintf("%d at a time", loginWidth)},
	}, nil
}
