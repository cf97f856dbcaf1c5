package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackdaw-im/jackdaw/benchmarks/load"
)

// meterPause is how often a meter looks.
const meterPause = 500 * time.Millisecond

// traffic is what went between nodes, repetitions included, since a meter began, and what links hold; unacked of that has been sent.
type traffic struct{ envelopes, held, unacked float64 }

// meter adds up counters that begin anew: a link's do when its peer is back after it was given up. What is counted between the last look and
// that is missed, so it has to look often.
type meter struct {
	sum  float64
	seen map[string]float64 // by node and series
}

// see takes the counters of one node.
func (m *meter) see(node string, metrics map[string]float64) {
	if m.seen == nil {
		m.seen = map[string]float64{}
	}
	for series, now := range metrics {
		if series != `jackdaw_cluster_envelopes_total{fate="sent"}` && !strings.HasPrefix(series, "jackdaw_link_resent_total{") {
			continue
		}
		key := node + " " + series
		if now >= m.seen[key] {
			m.sum += now - m.seen[key]
		} else {
			m.sum += now
		}
		m.seen[key] = now
	}
}

// traffic looks at all nodes once.
func (r *round) traffic(ctx context.Context, m *meter) (traffic, error) {
	var t traffic
	for _, n := range r.c.Nodes {
		if n.PID() == 0 {
			continue
		}
		metrics, err := n.Metrics(ctx)
		if err != nil {
			return t, fmt.Errorf("%s: %w", n.Name, err)
		}
		m.see(n.Name, metrics)
		for series, v := range metrics {
			if strings.HasPrefix(series, "jackdaw_link_queue{") || strings.HasPrefix(series, "jackdaw_link_unacked{") {
				t.held += v
			}
			if strings.HasPrefix(series, "jackdaw_link_unacked{") {
				t.unacked += v
			}
		}
	}
	t.envelopes = m.sum
	return t, nil
}

// watch looks again and again for a while, and returns what it saw at the end. A look before that may fail.
func (r *round) watch(ctx context.Context, m *meter, while time.Duration) (traffic, error) {
	end := time.Now().Add(while)
	for left := while; left > 0; left = time.Until(end) {
		_, _ = r.traffic(ctx, m)
		if err := load.Rest(ctx, min(meterPause, max(time.Until(end), 0))); err != nil {
			return traffic{}, err
		}
	}
	return r.traffic(ctx, m)
}

// quiet waits until nothing waits between nodes: the load is over.
func (r *round) quiet(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, wholeTime)
	defer cancel()
	for {
		now, err := r.traffic(ctx, &meter{})
		if err == nil && now.held == 0 {
			return nil
		}
		if late := load.Rest(ctx, lookPause); late != nil {
			if err != nil {
				return fmt.Errorf("cluster: whether anything still waits between nodes isn't known: %w: %w", late, err)
			}
			return fmt.Errorf("cluster: %.0f envelopes still wait between nodes, and nobody sends any more: %w", now.held, late)
		}
	}
}
