package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackdaw-im/jackdaw/benchmarks/load"
	"github.com/jackdaw-im/jackdaw/client"
	"github.com/jackdaw-im/jackdaw/xmpp"
)

// talk is pairs of users of whom one sends and the other receives. A message's tag and body tell when it was sent, since begin.
type talk struct {
	v      *visit
	begin  time.Time
	window int // of each pair; 0: paced
	fleet  load.Fleet
	pairs  []*pair

	mu struct {
		sync.Mutex
		from                         time.Duration // what was sent earlier has no latency; below 0: nothing has
		sent, acked, arrived, errors int
		ack, delivery                load.Latencies
	}
}

// pair is one sender, and what is under way.
type pair struct {
	t      *talk
	number int
	sender *client.Conn
	mu     struct {
		sync.Mutex
		flow window
	}
}

// window is how much of a pair may be under way: until it is acknowledged, and has arrived.
type window struct {
	open                 bool
	size                 int
	sent, acked, arrived int
}

// take returns how many may be sent now, and counts them as sent.
func (w *window) take() int {
	if !w.open {
		return 0
	}
	n := max(0, w.size-(w.sent-min(w.acked, w.arrived)))
	w.sent += n
	return n
}

// online logs everybody in. Users 0, 2, .. send to users 1, 3, ..
func (t *talk) online(ctx context.Context) error {
	t.begin = time.Now()
	t.mu.from = -1
	n := len(t.v.c.Nodes)
	t.pairs = make([]*pair, t.v.cfg.pairs)
	for i := range t.pairs {
		t.pairs[i] = &pair{t: t, number: i}
		t.pairs[i].mu.flow.size = t.window
	}
	_, err := t.fleet.LoginAll(ctx, len(t.pairs), func(i int) *client.Config {
		_, at := pairSeats(i, n)
		cfg := t.v.config(2*i+1, t.v.c.Nodes[at])
		cfg.OnStanza = t.pairs[i].received
		return cfg
	}, func(_ int, c *client.Conn) error { return c.Presence(0) })
	if err != nil {
		return fmt.Errorf("scaleout: recipients: %w", err)
	}
	senders, err := t.fleet.LoginAll(ctx, len(t.pairs), func(i int) *client.Config {
		at, _ := pairSeats(i, n)
		cfg := t.v.config(2*i, t.v.c.Nodes[at])
		cfg.OnAck, cfg.OnStanza = t.pairs[i].acked, t.pairs[i].answered
		return cfg
	}, nil)
	if err != nil {
		return fmt.Errorf("scaleout: senders: %w", err)
	}
	for i, p := range t.pairs {
		p.sender = senders[i]
	}
	return nil
}

// bodySize is the size of a message's text, in bytes.
const bodySize = 100

// stamp is a text that tells when it was sent.
func stamp(at time.Duration) string {
	s := strconv.FormatInt(int64(at), 10) + " "
	return s + strings.Repeat("jackdaw ", bodySize/8+1)[:bodySize-len(s)]
}

// unstamp reads it.
func unstamp(body string) (time.Duration, bool) {
	number, _, _ := strings.Cut(body, " ")
	n, err := strconv.ParseInt(number, 10, 64)
	return time.Duration(n), err == nil
}

// send sends n messages at once. A sender that is gone shows in Fleet.Ended.
func (p *pair) send(n int) {
	now := time.Since(p.t.begin)
	p.t.mu.Lock()
	p.t.mu.sent += n
	p.t.mu.Unlock()
	_ = p.sender.Batch(func() {
		for range n {
			m := client.Message{To: p.t.v.accounts.JID(2*p.number + 1), OriginID: client.NewID(), Body: stamp(now)}
			_ = p.sender.SendMessage(&m, now)
		}
		_ = p.sender.RequestAck()
	})
}

// pump notes what happened, and sends what the window then allows.
func (p *pair) pump(note func(*window)) {
	if p.t.window == 0 {
		return
	}
	p.mu.Lock()
	note(&p.mu.flow)
	n := p.mu.flow.take()
	p.mu.Unlock()
	if n > 0 {
		p.send(n)
	}
}

// received is the recipient's OnStanza.
func (p *pair) received(_ *client.Conn, e *xmpp.Element) {
	body := e.Child(xmpp.NSClient, "body")
	if e.Name != "message" || e.Attr("type") == "error" || body == nil {
		return
	}
	at, ok := unstamp(body.Text())
	now := time.Since(p.t.begin)
	p.t.mu.Lock()
	p.t.mu.arrived++
	if ok && p.t.mu.from >= 0 && at >= p.t.mu.from {
		p.t.mu.delivery.Add(now - at)
	}
	p.t.mu.Unlock()
	p.pump(func(w *window) { w.arrived++ })
}

// acked is the sender's OnAck.
func (p *pair) acked(_ *client.Conn, sent []client.Sent) {
	now := time.Since(p.t.begin)
	n := 0
	p.t.mu.Lock()
	for _, s := range sent {
		at, ok := s.Tag.(time.Duration)
		if !ok {
			continue
		}
		n++
		if p.t.mu.from >= 0 && at >= p.t.mu.from {
			p.t.mu.ack.Add(now - at)
		}
	}
	p.t.mu.acked += n
	p.t.mu.Unlock()
	p.pump(func(w *window) { w.acked += n })
}

// answered is the sender's OnStanza: an error is a message refused.
func (p *pair) answered(_ *client.Conn, e *xmpp.Element) {
	if e.Name == "message" && e.Attr("type") == "error" {
		p.t.mu.Lock()
		p.t.mu.errors++
		p.t.mu.Unlock()
	}
}

// count is how many have been acknowledged.
func (t *talk) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.mu.acked
}

// clock begins to measure how long messages take, or ends it.
func (t *talk) clock(on bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mu.from = -1
	if on {
		t.mu.from = time.Since(t.begin)
	}
}

// left is how many are under way.
func (t *talk) left() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.mu.sent - min(t.mu.acked, t.mu.arrived)
}
