package main

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/jackdaw-im/jackdaw/benchmarks/load"
	"github.com/jackdaw-im/jackdaw/client"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

const (
	storeWindow = 25              // unacknowledged messages a sender
	phaseTime   = 5 * time.Minute // ends a run against a server that is stuck
)

// backlog is what is stored for recipients who are offline. Users 0 .. pairs-1 send; the recipients come after them.
type backlog struct {
	cfg     *settings
	server  *load.Server
	run     string
	next    atomic.Int64 // the next message's number; recipients take turns
	acked   atomic.Int64
	refused atomic.Int64
	stored  chan struct{}
}

// offline measures storing and draining. It does both, since one needs the other.
func offline(ctx context.Context, cfg *settings, server *load.Server) ([]result, error) {
	b := &backlog{cfg: cfg, server: server, run: client.NewID()[:8], stored: make(chan struct{})}
	ctx, cancel := context.WithTimeout(ctx, phaseTime)
	defer cancel()
	if err := b.warm(ctx); err != nil {
		return nil, err
	}
	results, err := b.store(ctx)
	if err != nil {
		return results, err
	}
	drained, err := b.drain(ctx)
	return append(results, drained...), err
}

// warm lets every recipient log in once and stay unavailable: so the driver knows the keys before it is measured with.
func (b *backlog) warm(ctx context.Context) error {
	var fleet load.Fleet
	defer fleet.Close()
	_, err := fleet.LoginAll(ctx, b.cfg.recipients, func(i int) *client.Config { return b.server.Config(b.cfg.pairs + i) }, nil)
	if err != nil {
		return fmt.Errorf("c2s: recipients: %w", err)
	}
	return nil
}

// store sends all messages as fast as the server acknowledges them.
func (b *backlog) store(ctx context.Context) ([]result, error) {
	var fleet load.Fleet
	defer fleet.Close()
	senders, err := fleet.LoginAll(ctx, b.cfg.pairs, func(i int) *client.Config { return b.sending(i) }, nil)
	if err != nil {
		return nil, fmt.Errorf("c2s: senders: %w", err)
	}
	meter, err := b.server.Meter()
	if err != nil {
		return nil, err
	}
	for _, c := range senders {
		if err := c.Batch(func() { b.send(c, storeWindow) }); err != nil {
			return nil, fmt.Errorf("c2s: offline store: %w", err)
		}
	}
	if err := b.wait(ctx, &fleet, b.stored, "offline store"); err != nil {
		return nil, fmt.Errorf("%w; %d of %d acknowledged", err, b.acked.Load(), b.cfg.stored)
	}
	spent, err := meter.Stop()
	if err != nil {
		return nil, err
	}
	if refused := b.refused.Load(); refused > 0 {
		return nil, fmt.Errorf("c2s: offline store: %d of %d messages refused", refused, b.cfg.stored)
	}
	n := b.cfg.stored
	note := fmt.Sprintf("%d senders, window %d, %d recipients", b.cfg.pairs, storeWindow, b.cfg.recipients)
	return []result{
		{Name: "offline store", Value: spent.Rate(n), Unit: "a second", FirstBar: 20_000, Goal: 40_000, More: true, Note: note},
		{Name: "offline store, CPU each", Value: micros(spent.Each(n)), Unit: "us", FirstBar: 60},
	}, nil
}

func (b *backlog) sending(i int) *client.Config {
	cfg := b.server.Config(i)
	cfg.Management = true
	cfg.OnAck = func(c *client.Conn, sent []client.Sent) {
		if b.acked.Add(int64(len(sent))) == int64(b.cfg.stored) {
			close(b.stored)
		}
		b.send(c, len(sent))
	}
	cfg.OnStanza = func(_ *client.Conn, e *xmpp.Element) {
		if e.Name == "message" && e.Attr("type") == "error" {
			b.refused.Add(1)
		}
	}
	return cfg
}

// send sends n messages more, if there are so many left. A connection that is gone shows in Fleet.Ended.
func (b *backlog) send(c *client.Conn, n int) {
	for range n {
		number := int(b.next.Add(1)) - 1
		if number >= b.cfg.stored {
			break
		}
		id := b.run + "-" + strconv.Itoa(number)
		to := b.server.JID(b.cfg.pairs + number%b.cfg.recipients)
		_ = c.SendMessage(&client.Message{To: to, ID: id, OriginID: id, Body: text}, nil)
	}
	_ = c.RequestAck()
}

// drain logs every recipient in and waits until all has arrived.
func (b *backlog) drain(ctx context.Context) ([]result, error) {
	var fleet load.Fleet
	var got atomic.Int64
	drained := make(chan struct{})
	meter, err := b.server.Meter()
	if err != nil {
		return nil, err
	}
	_, err = fleet.LoginAll(ctx, b.cfg.recipients, func(i int) *client.Config {
		cfg := b.server.Config(b.cfg.pairs + i)
		cfg.Management = true
		cfg.OnStanza = func(_ *client.Conn, e *xmpp.Element) {
			if e.Name == "message" && got.Add(1) == int64(b.cfg.stored) {
				close(drained)
			}
		}
		return cfg
	}, func(_ int, c *client.Conn) error { return c.Presence(0) })
	if err == nil {
		err = b.wait(ctx, &fleet, drained, "offline drain")
	}
	if err != nil {
		fleet.Cut()
		return nil, fmt.Errorf("%w; %d of %d arrived", err, got.Load(), b.cfg.stored)
	}
	wall, err := meter.Stop()
	if err != nil {
		return nil, err
	}
	fleet.Close() // acknowledges all: that work belongs to the drain, too
	spent, err := meter.Stop()
	if err != nil {
		return nil, err
	}
	n := b.cfg.stored
	return []result{
		{Name: "offline drain", Value: wall.Rate(n), Unit: "a second", FirstBar: 30_000, More: true,
			Note: fmt.Sprintf("with %d logins, 16 at a time", b.cfg.recipients)},
		{Name: "offline drain, CPU each", Value: micros(spent.Each(n)), Unit: "us", FirstBar: 40, Note: "logins and acknowledgements included"},
	}, nil
}

// wait waits for done, and looks every second whether a connection was lost.
func (b *backlog) wait(ctx context.Context, fleet *load.Fleet, done <-chan struct{}, what string) error {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return nil
		case <-ticker.C:
			if err := fleet.Ended(); err != nil {
				return fmt.Errorf("c2s: %s: %w", what, err)
			}
		case <-ctx.Done():
			return fmt.Errorf("c2s: %s: %w", what, ctx.Err())
		}
	}
}
