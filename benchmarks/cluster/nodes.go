package main

import (
	"context"
	"time"

	"github.com/jackdaw-im/jackdaw/benchmarks/load"
	"github.com/jackdaw-im/jackdaw/internal/testcluster"
)

// pauseNode stops a node where it is, for so long that the others give it up.
func pauseNode(ctx context.Context, r *round) error {
	n := r.victim()
	n.Pause()
	err := load.Rest(ctx, r.during(30*time.Second, 10*time.Second))
	n.Resume()
	if err != nil {
		return err
	}
	return r.whole(ctx)
}

// joinAndLeave adds a node, and lets an older one leave for good.
func joinAndLeave(ctx context.Context, r *round) error {
	begin := time.Now()
	n, err := r.c.Add(ctx)
	if err != nil {
		return err
	}
	r.publish()
	r.result.note("%s joined in %.1f s", n.Name, time.Since(begin).Seconds())
	if err := r.whole(ctx); err != nil {
		return err
	}
	if err := load.Rest(ctx, calm); err != nil {
		return err
	}
	if err := r.stop(ctx, r.c.Nodes[r.random.IntN(len(r.c.Nodes)-1)]); err != nil {
		return err
	}
	return r.whole(ctx)
}

// stopTime is how long a node may take to end in order.
const stopTime = 30 * time.Second

// stop ends a node in order.
func (r *round) stop(ctx context.Context, n *testcluster.Node) error {
	begin := time.Now()
	ctx, cancel := context.WithTimeout(ctx, stopTime)
	defer cancel()
	if err := n.Stop(ctx); err != nil {
		return err
	}
	r.result.note("%s left in %.1f s", n.Name, time.Since(begin).Seconds())
	return nil
}

// rolling stops and starts each node.
func rolling(ctx context.Context, r *round) error {
	r.shuffle()
	for _, n := range r.order {
		if err := r.stop(ctx, n); err != nil {
			return err
		}
		if err := r.restart(ctx, n); err != nil {
			return err
		}
		if err := r.whole(ctx); err != nil {
			return err
		}
	}
	return nil
}

// rotate replaces all keys while messages go on.
func rotate(ctx context.Context, r *round) error {
	n := r.victim()
	before, err := n.Metrics(ctx)
	if err != nil {
		return err
	}
	begin := time.Now()
	if _, err := n.Command(ctx, "cluster", "rotate", "--data", n.Data, "--wait", "60s"); err != nil {
		return err
	}
	r.result.note("rotated in %.1f s", time.Since(begin).Seconds())
	after, err := n.Metrics(ctx)
	if err != nil {
		return err
	}
	if after["jackdaw_cluster_bundle_version"] <= before["jackdaw_cluster_bundle_version"] {
		r.result.broken("the rotation made no new version of the keys")
	}
	return r.whole(ctx)
}
