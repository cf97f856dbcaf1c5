package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/jackdaw-im/jackdaw/benchmarks/load"
	"github.com/jackdaw-im/jackdaw/internal/testcluster"
)

// lateTime is how long the last messages may take.
const lateTime = 40 * time.Second

// underLoad measures a cluster under both kinds of load, as far as they are wanted.
func underLoad(ctx context.Context, v *visit) error {
	c := crossings(v.cfg.pairs, names(v.c.Nodes), func(pair int) string { return v.accounts.JID(2*pair + 1) })
	for _, part := range []string{paced, full} {
		if !v.cfg.wants(part) {
			continue
		}
		t := &talk{v: v}
		if part == full {
			t.window = v.cfg.window
		}
		err := t.measure(ctx, part)
		t.close()
		t.fleet.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", part, err)
		}
		if part == paced || !v.cfg.wants(paced) {
			v.add(figure{part, "messages that go to another node's mailbox", "%", 100 * c.in},
				figure{part, "messages that go to another node's recipient", "%", 100 * c.out},
				figure{part, "messages that do either", "%", 100 * c.either})
		}
	}
	return nil
}

// measure lets the pairs talk: for a while to warm up, for a while that counts, and until all has arrived.
func (t *talk) measure(ctx context.Context, part string) error {
	if err := t.online(ctx); err != nil {
		return err
	}
	if err := t.during(ctx, t.v.cfg.warm, func() error { return nil }); err != nil {
		return err
	}
	before, err := take(ctx, t.v.c)
	if err != nil {
		return err
	}
	acked := t.count()
	t.clock(true)
	if err := t.during(ctx, t.v.cfg.measure, func() error { return t.v.profile(ctx, part) }); err != nil {
		return err
	}
	acked = t.count() - acked
	after, err := take(ctx, t.v.c)
	if err != nil {
		return err
	}
	t.close()
	if err := t.finish(ctx); err != nil {
		return err
	}
	t.v.add(before.until(after).each(part, acked)...)
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	t.mu.Lock()
	defer t.mu.Unlock()
	t.v.add(figure{part, "acknowledgement, p50", "ms", ms(t.mu.ack.Percentile(50))}, figure{part, "acknowledgement, p99", "ms", ms(t.mu.ack.Percentile(99))},
		figure{part, "delivery, p50", "ms", ms(t.mu.delivery.Percentile(50))}, figure{part, "delivery, p99", "ms", ms(t.mu.delivery.Percentile(99))})
	return nil
}

// during lets the pairs talk for a while, and besides runs f, which takes no longer.
func (t *talk) during(ctx context.Context, d time.Duration, f func() error) error {
	var group errgroup.Group
	group.Go(f)
	var err error
	if t.window > 0 {
		for _, p := range t.pairs {
			p.pump(func(w *window) { w.open = true })
		}
		err = load.Rest(ctx, d)
	} else {
		err = t.pace(ctx, d)
	}
	return errors.Join(err, group.Wait(), t.fleet.Ended())
}

// pace sends at the rate for a while, whatever becomes of the messages. When it is late, it makes up for it.
func (t *talk) pace(ctx context.Context, during time.Duration) error {
	step := time.Second / time.Duration(t.v.cfg.rate)
	start := time.Now()
	for i := range int(during / step) {
		if wait := time.Until(start.Add(time.Duration(i) * step)); wait > 0 {
			if err := load.Rest(ctx, wait); err != nil {
				return err
			}
		}
		t.pairs[i%len(t.pairs)].send(1)
	}
	return nil
}

// close closes the windows: nothing new is sent.
func (t *talk) close() {
	for _, p := range t.pairs {
		p.mu.Lock()
		p.mu.flow.open = false
		p.mu.Unlock()
	}
}

// finish waits until all that was sent is acknowledged and has arrived.
func (t *talk) finish(ctx context.Context) error {
	for limit := time.Now().Add(lateTime); t.left() > 0 && time.Now().Before(limit); {
		if err := load.Rest(ctx, time.Millisecond); err != nil {
			return err
		}
	}
	if err := t.fleet.Ended(); err != nil {
		return fmt.Errorf("scaleout: a connection ended: %w", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.arrived < t.mu.sent || t.mu.acked < t.mu.sent || t.mu.errors > 0 {
		return fmt.Errorf("scaleout: %d sent, %d acknowledged, %d arrived, %d refused, %v after the last", t.mu.sent, t.mu.acked, t.mu.arrived, t.mu.errors, lateTime)
	}
	return nil
}

// profile writes a processor profile of every node over the time that counts, if profiles are wanted.
func (v *visit) profile(ctx context.Context, part string) error {
	if v.cfg.profile == "" {
		return nil
	}
	seconds := max(1, int(v.cfg.measure/time.Second))
	var group errgroup.Group
	for _, n := range v.c.Nodes {
		name := fmt.Sprintf("%s-%dnodes-%s.pprof", part, len(v.c.Nodes), n.Name)
		group.Go(func() error { return fetchProfile(ctx, n, seconds, filepath.Join(v.cfg.profile, name)) })
	}
	return group.Wait()
}

func fetchProfile(ctx context.Context, n *testcluster.Node, seconds int, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", n.Admin, seconds), nil)
	if err != nil {
		return fmt.Errorf("scaleout: profile: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("scaleout: profile: %w", err)
	}
	defer resp.Body.Close()
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("scaleout: profile: %w", err)
	}
	_, err = io.Copy(f, resp.Body)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("scaleout: profile: %w", err)
	}
	return nil
}
