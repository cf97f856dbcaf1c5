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

// lateTime is how long the last messages may take.
const lateTime = 10 * time.Second

// stopwatch collects the times of an open loop. All times are since begin.
type stopwatch struct {
	begin time.Time
	mu    struct {
		sync.Mutex
		on                       bool
		from                     time.Duration // what was sent earlier doesn't count
		sent                     int
		delivered, acked, behind load.Latencies
	}
}

// stamp is a body of 100 bytes that tells when it was sent.
func stamp(at time.Duration) string {
	s := strconv.FormatInt(int64(at), 10) + " "
	return s + text[len(s):]
}

// unstamp reads a body made by stamp.
func unstamp(body string) (time.Duration, bool) {
	number, _, _ := strings.Cut(body, " ")
	n, err := strconv.ParseInt(number, 10, 64)
	return time.Duration(n), err == nil
}

// paced measures 1:1 messages at a fixed rate, with stream management: how long they take, and what they cost.
func paced(ctx context.Context, cfg *settings, server *load.Server) ([]result, error) {
	var fleet load.Fleet
	defer fleet.Close()
	watch := &stopwatch{begin: time.Now()}
	senders, err := watch.login(ctx, cfg, server, &fleet)
	if err != nil {
		return nil, err
	}
	if err := watch.send(ctx, cfg, server, senders, cfg.warm); err != nil {
		return nil, err
	}
	watch.measure()
	meter, err := server.Meter()
	if err != nil {
		return nil, err
	}
	if err := watch.send(ctx, cfg, server, senders, cfg.measure); err != nil {
		return nil, err
	}
	spent, err := meter.Stop()
	if err != nil {
		return nil, err
	}
	for limit := time.Now().Add(lateTime); watch.underWay() > 0 && time.Now().Before(limit); {
		if err := load.Rest(ctx, time.Millisecond); err != nil {
			return nil, err
		}
	}
	if err := fleet.Ended(); err != nil {
		return nil, fmt.Errorf("c2s: open loop: %w", err)
	}
	return watch.results(cfg, spent)
}

// login logs everybody in. Users 0, 2, .. send to users 1, 3, ..
func (w *stopwatch) login(ctx context.Context, cfg *settings, server *load.Server, fleet *load.Fleet) ([]*client.Conn, error) {
	config := func(i int) *client.Config {
		c := server.Config(i)
		c.Management = true
		c.OnStanza, c.OnAck = w.arrived, w.acked
		return c
	}
	_, err := fleet.LoginAll(ctx, cfg.pairs, func(i int) *client.Config { return config(2*i + 1) },
		func(_ int, c *client.Conn) error { return c.Presence(0) })
	if err != nil {
		return nil, fmt.Errorf("c2s: recipients: %w", err)
	}
	senders, err := fleet.LoginAll(ctx, cfg.pairs, func(i int) *client.Config { return config(2 * i) }, nil)
	if err != nil {
		return nil, fmt.Errorf("c2s: senders: %w", err)
	}
	return senders, nil
}

// send sends at the rate for a while, whatever becomes of the messages.
func (w *stopwatch) send(ctx context.Context, cfg *settings, server *load.Server, senders []*client.Conn, during time.Duration) error {
	start := time.Since(w.begin)
	step := time.Second / time.Duration(cfg.rate)
	for i := range int(during / step) {
		due := start + time.Duration(i)*step
		if wait := due - time.Since(w.begin); wait > 0 {
			if err := load.Rest(ctx, wait); err != nil {
				return err
			}
		}
		pair := i % len(senders)
		now := time.Since(w.begin)
		err := senders[pair].Batch(func() {
			m := client.Message{To: server.JID(2*pair + 1), OriginID: client.NewID(), Body: stamp(now)}
			_ = senders[pair].SendMessage(&m, now) // a sender that is gone shows in RequestAck
			_ = senders[pair].RequestAck()
		})
		if err != nil {
			return fmt.Errorf("c2s: open loop: %w", err)
		}
		w.mu.Lock()
		if w.mu.on {
			w.mu.sent++
			w.mu.behind.Add(now - due)
		}
		w.mu.Unlock()
	}
	return nil
}

// arrived is the recipients' OnStanza.
func (w *stopwatch) arrived(_ *client.Conn, e *xmpp.Element) {
	body := e.Child(xmpp.NSClient, "body")
	if e.Name != "message" || e.Attr("type") == "error" || body == nil {
		return
	}
	at, ok := unstamp(body.Text())
	now := time.Since(w.begin)
	w.mu.Lock()
	defer w.mu.Unlock()
	if ok && w.mu.on && at >= w.mu.from {
		w.mu.delivered.Add(now - at)
	}
}

// acked is the senders' OnAck.
func (w *stopwatch) acked(_ *client.Conn, sent []client.Sent) {
	now := time.Since(w.begin)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range sent {
		if at, ok := s.Tag.(time.Duration); ok && w.mu.on && at >= w.mu.from {
			w.mu.acked.Add(now - at)
		}
	}
}

// measure begins to count what is sent from now on.
func (w *stopwatch) measure() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mu.on, w.mu.from = true, time.Since(w.begin)
}

// underWay is how many of the counted messages haven't arrived, or aren't acknowledged.
func (w *stopwatch) underWay() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.sent - min(w.mu.delivered.Len(), w.mu.acked.Len())
}

func (w *stopwatch) results(cfg *settings, spent load.Spent) ([]result, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.mu.sent
	if got, acked := w.mu.delivered.Len(), w.mu.acked.Len(); got < n || acked < n {
		return nil, fmt.Errorf("c2s: open loop: %d sent, %d arrived, %d acknowledged within %v", n, got, acked, lateTime)
	}
	name := fmt.Sprintf("1:1 at %d/s", cfg.rate)
	ms := func(l *load.Latencies, p float64) float64 {
		return float64(l.Percentile(p)) / float64(time.Millisecond)
	}
	return []result{
		{Name: name + ", CPU each", Value: micros(spent.Each(n)), Unit: "us", FirstBar: 120, Goal: 60, Note: "0198, durable"},
		{Name: name + ", p50", Value: ms(&w.mu.delivered, 50), Unit: "ms", Note: "from the sender's write to the recipient's read"},
		{Name: name + ", p99", Value: ms(&w.mu.delivered, 99), Unit: "ms",
			Note: fmt.Sprintf("the driver sent %.2f ms late (p99)", ms(&w.mu.behind, 99))},
		{Name: name + ", p99.9", Value: ms(&w.mu.delivered, 99.9), Unit: "ms"},
		{Name: name + ", acknowledged, p50", Value: ms(&w.mu.acked, 50), Unit: "ms", Note: "from the sender's write to the server's <a/>"},
		{Name: name + ", acknowledged, p99", Value: ms(&w.mu.acked, 99), Unit: "ms"},
	}, nil
}
