package main

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/jackdaw-im/jackdaw/benchmarks/load"
	"github.com/jackdaw-im/jackdaw/internal/testcluster"
)

// What the links' package says of themselves: a first repetition after linkResend, later ones with pauses that double up to
// linkResendMax, at most linkFrame envelopes at once.
const (
	linkResend    = 0.2 // seconds
	linkResendMax = 5.0
	linkFrame     = 256
	linkClasses   = 3
)

// Senders repeat what has no outcome after retryTime, in seconds.
const retryTime = 5.0

// flapBound is how many envelopes at most may be sent between nodes, repetitions included, while all links of so many nodes fail for
// cut seconds in all, in so many cuts, within span seconds. usual is how many a message takes, messages how many there were, and held the most that waited at any time.
//
// Each message costs what it usually does, and as much again for each time that its sender tries again: at each cut at most once because
// a node is lost, once because it is back, and once for each retryTime. Each link sends what it holds once more after each cut, and probes: one frame,
// and then single envelopes.
func flapBound(nodes, cuts int, cut, span, usual float64, messages, held int) float64 {
	links := float64(nodes * (nodes - 1) * linkClasses)
	probes := float64(cuts)*(1+math.Ceil(math.Log2(linkResendMax/linkResend))) + cut/(0.75*linkResendMax)
	repeated := 1 + 2*float64(cuts) + span/retryTime
	return usual*float64(messages)*repeated + links*(float64(cuts)*linkFrame+probes) + float64(cuts*held)
}

// traffic is what went between nodes.
type traffic struct{ envelopes, held float64 }

func (r *round) traffic(ctx context.Context) (traffic, error) {
	m, err := r.c.Metrics(ctx)
	return traffic{
		envelopes: m[`jackdaw_cluster_envelopes_total{fate="sent"}`] + testcluster.Sum(m, "jackdaw_link_resent_total"),
		held:      testcluster.Sum(m, "jackdaw_link_queue") + testcluster.Sum(m, "jackdaw_link_unacked"),
	}, err
}

// flap cuts all links between nodes at once, again and again.
func flap(ctx context.Context, r *round) error {
	before, err := r.traffic(ctx)
	if err != nil {
		return err
	}
	acked := r.w.ackedSoFar()
	if err := load.Rest(ctx, 2*calm); err != nil {
		return err
	}
	begin, began := time.Now(), r.w.ackedSoFar()
	start, err := r.traffic(ctx)
	if err != nil {
		return err
	}
	usual := (start.envelopes - before.envelopes) / float64(max(began-acked, 1))
	cuts, each := 3, r.during(4*time.Second, 2*time.Second)
	held := 0.0
	for range cuts {
		for i := range r.c.Nodes {
			if err := r.c.Part(ctx, r.c.Nodes[i:i+1], r.c.Nodes[i+1:]); err != nil {
				return err
			}
		}
		if err := load.Rest(ctx, each); err != nil {
			return err
		}
		now, err := r.traffic(ctx)
		if err != nil {
			return err
		}
		held = max(held, now.held)
		if err := r.c.Heal(ctx); err != nil {
			return err
		}
		if err := load.Rest(ctx, time.Second); err != nil {
			return err
		}
	}
	if err := r.whole(ctx); err != nil {
		return err
	}
	after, err := r.traffic(ctx)
	if err != nil {
		return err
	}
	messages := r.w.ackedSoFar() - began + int(held)
	sent := after.envelopes - start.envelopes
	bound := flapBound(len(r.c.Nodes), cuts, float64(cuts)*each.Seconds(), time.Since(begin).Seconds(), usual, messages, int(held))
	r.result.note("%.0f envelopes between nodes, of at most %.0f; %.2f a message without a flap; %.0f waited", sent, bound, usual, held)
	if sent > bound {
		r.result.broken("%.0f envelopes went between nodes, more than %.0f", sent, bound)
	}
	return nil
}

// quiet waits until nothing waits between nodes: the load is over.
func (r *round) quiet(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, wholeTime)
	defer cancel()
	for {
		now, err := r.traffic(ctx)
		if err == nil && now.held == 0 {
			return nil
		}
		if load.Rest(ctx, lookPause) != nil {
			return fmt.Errorf("%.0f envelopes still wait between nodes, %w", now.held, err)
		}
	}
}
