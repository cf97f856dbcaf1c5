package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackdaw-im/jackdaw/benchmarks/load"
	"github.com/jackdaw-im/jackdaw/client"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

// text is a message's body: 100 bytes.
var text = strings.Repeat("jackdaw ", 13)[:100]

// loop is a closed loop: pairs of clients, of which one sends as fast as its window opens, and the other receives.
type loop struct {
	server    *load.Server
	durable   bool
	run       string // makes ids unique
	delivered atomic.Int64
	refused   atomic.Int64
	fleet     load.Fleet
	pairs     []*pair
}

// pair is one sender with its recipient.
type pair struct {
	loop   *loop
	number int
	sender *client.Conn

	mu struct {
		sync.Mutex
		flow flow
		ids  int
		stop bool
	}
}

// closed measures 1:1 messages in a closed loop, durable and not.
func closed(durable bool) func(ctx context.Context, cfg *settings, server *load.Server) ([]result, error) {
	return func(ctx context.Context, cfg *settings, server *load.Server) ([]result, error) {
		l := &loop{server: server, durable: durable, run: client.NewID()[:8]}
		defer l.end()
		if err := l.start(ctx, cfg); err != nil {
			return nil, err
		}
		if err := load.Rest(ctx, cfg.warm); err != nil {
			return nil, err
		}
		meter, err := server.Meter()
		if err != nil {
			return nil, err
		}
		before := l.delivered.Load()
		err = load.Rest(ctx, cfg.measure)
		for err == nil && l.delivered.Load() == before { // a server that slow is given more time
			if err = l.fleet.Ended(); err == nil {
				err = load.Rest(ctx, time.Millisecond)
			}
		}
		n := int(l.delivered.Load() - before)
		spent, stopErr := meter.Stop()
		if err = errors.Join(err, stopErr, l.fleet.Ended()); err != nil {
			return nil, fmt.Errorf("c2s: closed loop: %w", err)
		}
		name, note := "1:1 closed loop, no 0198", "the window opens with the delivery"
		if durable {
			name, note = "1:1 closed loop, 0198", "the window opens with the server's acknowledgement and the delivery"
		}
		if refused := l.refused.Load(); refused > 0 {
			note = fmt.Sprintf("%s; %d REFUSED", note, refused)
		}
		return []result{
			{Name: name + ", CPU each", Value: micros(spent.Each(n)), Unit: "us", FirstBar: 45, Goal: 25, Note: note},
			{Name: name, Value: spent.Rate(n), Unit: "a second", More: true, Note: fmt.Sprintf("%d pairs, window %d", cfg.pairs, cfg.window)},
		}, nil
	}
}

// micros is d in microseconds.
func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// start logs everybody in and opens the windows. Users 0, 2, .. send to users 1, 3, ..
func (l *loop) start(ctx context.Context, cfg *settings) error {
	l.pairs = make([]*pair, cfg.pairs)
	for i := range l.pairs {
		l.pairs[i] = &pair{loop: l, number: i}
		l.pairs[i].mu.flow = flow{window: cfg.window, durable: l.durable}
	}
	_, err := l.fleet.LoginAll(ctx, cfg.pairs, func(i int) *client.Config { return l.pairs[i].recipient() },
		func(_ int, c *client.Conn) error { return c.Presence(0) })
	if err != nil {
		return fmt.Errorf("c2s: recipients: %w", err)
	}
	senders, err := l.fleet.LoginAll(ctx, cfg.pairs, func(i int) *client.Config { return l.pairs[i].sending() }, nil)
	if err != nil {
		return fmt.Errorf("c2s: senders: %w", err)
	}
	for i, p := range l.pairs {
		p.mu.Lock()
		p.sender = senders[i]
		p.mu.Unlock()
		p.pump(func(*flow) {})
	}
	return nil
}

// end lets what is under way arrive, as far as it wants to, and logs out.
func (l *loop) end() {
	for _, p := range l.pairs {
		p.mu.Lock()
		p.mu.stop = true
		p.mu.Unlock()
	}
	l.fleet.Close()
}

func (p *pair) recipient() *client.Config {
	cfg := p.loop.server.Config(2*p.number + 1)
	cfg.Management = p.loop.durable
	cfg.OnStanza = func(_ *client.Conn, e *xmpp.Element) {
		if e.Name == "message" && e.Attr("type") != "error" {
			p.loop.delivered.Add(1)
			p.pump(func(f *flow) { f.delivered++ })
		}
	}
	return cfg
}

func (p *pair) sending() *client.Config {
	cfg := p.loop.server.Config(2 * p.number)
	cfg.Management = p.loop.durable
	cfg.OnAck = func(_ *client.Conn, sent []client.Sent) { p.pump(func(f *flow) { f.acked += len(sent) }) }
	cfg.OnStanza = func(_ *client.Conn, e *xmpp.Element) {
		if e.Name == "message" && e.Attr("type") == "error" {
			p.loop.refused.Add(1)
		}
	}
	return cfg
}

// pump notes what happened and sends what the window then allows.
func (p *pair) pump(note func(*flow)) {
	p.mu.Lock()
	note(&p.mu.flow)
	if p.sender == nil || p.mu.stop {
		p.mu.Unlock()
		return
	}
	n, first := p.mu.flow.take(), p.mu.ids
	p.mu.ids += n
	p.mu.Unlock()
	if n == 0 {
		return
	}
	_ = p.sender.Batch(func() { // a sender that is gone shows in Fleet.Ended
		for i := range n {
			id := p.loop.run + "-" + strconv.Itoa(p.number) + "-" + strconv.Itoa(first+i)
			_ = p.sender.SendMessage(&client.Message{To: p.loop.server.JID(2*p.number + 1), ID: id, OriginID: id, Body: text}, nil)
		}
		if p.loop.durable {
			_ = p.sender.RequestAck()
		}
	})
}
