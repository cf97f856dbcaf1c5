package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackdaw-im/jackdaw/benchmarks/load"
	"github.com/jackdaw-im/jackdaw/internal/testcluster"
)

// pauseNode stops a node where it is, for so long that the others give it up. The other nodes aren't parted: what users sent through them alone
// has its order, whoever it is for, and whoever had the mailbox. Who was on the node that stands still sends the same by another one meanwhile.
func pauseNode(ctx context.Context, r *round) error {
	n := r.victim()
	r.apart = map[string]bool{n.C2STLS: true}
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

// rotate replaces all keys while messages go on. What was handed out before is worth nothing then.
func rotate(ctx context.Context, r *round) error {
	n := r.victim()
	token, err := n.Token(ctx)
	if err != nil {
		return err
	}
	took, err := rotated(ctx, n, rotateTime)
	if err != nil {
		return err
	}
	r.result.note("rotated in %.1f s", took.Seconds())
	late, err := r.c.Prepare("late", func(l *testcluster.Node) []string {
		return []string{"--node", l.Name, "--cluster", l.Cluster(), "--advertise", l.Cluster(), "--join", n.Cluster(), "--token", token}
	})
	if err != nil {
		return err
	}
	if err := late.Start(ctx); err == nil || !strings.Contains(err.Error(), "rotated since") {
		r.result.broken("a token of before was taken: %v", err)
	}
	return r.whole(ctx)
}

// turnover replaces all keys while a node joins and another one is lost and comes back, which has the old keys only.
func turnover(ctx context.Context, r *round) error {
	r.shuffle()
	asked, lost := r.order[0], r.order[1]
	lost.Kill()
	var took time.Duration
	rotation := make(chan error, 1)
	go func() {
		var err error
		took, err = rotated(ctx, asked, 2*rotateTime)
		rotation <- err
	}()
	err := r.comeAndGo(ctx, lost)
	if err := errors.Join(err, <-rotation); err != nil {
		return err
	}
	r.result.note("rotated in %.1f s", took.Seconds())
	if err := r.whole(ctx); err != nil {
		return err
	}
	return r.agreed(ctx)
}

// comeAndGo adds a node, and starts one that was lost.
func (r *round) comeAndGo(ctx context.Context, lost *testcluster.Node) error {
	begin := time.Now()
	n, err := r.c.Add(ctx)
	if err != nil && ctx.Err() == nil { // its token was older than the rotation, and is refused then
		r.c.Nodes = r.c.Nodes[:len(r.c.Nodes)-1]
		n, err = r.c.Add(ctx)
	}
	if err != nil {
		return err
	}
	r.publish()
	r.result.note("%s joined in %.1f s", n.Name, time.Since(begin).Seconds())
	return r.restart(ctx, lost) // the rotation goes on: it waits until the lost one is given up
}

// rotateTime is how long a rotation may take in which every node answers.
const rotateTime = time.Minute

// bundleVersion is the metric with the version of the keys that a node has.
const bundleVersion = "jackdaw_cluster_bundle_version"

// rotated has a node replace all keys, and waits until it says that all have them.
func rotated(ctx context.Context, n *testcluster.Node, wait time.Duration) (took time.Duration, err error) {
	before, err := n.Metrics(ctx)
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	if _, err := n.Command(ctx, "cluster", "rotate", "--data", n.Data, "--wait", wait.String()); err != nil {
		return 0, err
	}
	took = time.Since(begin)
	after, err := n.Metrics(ctx)
	if err == nil && after[bundleVersion] <= before[bundleVersion] {
		err = errors.New("cluster: the rotation made no new version of the keys")
	}
	return took, err
}

// agreed checks that all nodes have the same keys.
func (r *round) agreed(ctx context.Context) error {
	versions := map[float64]string{}
	for _, n := range r.c.Nodes {
		m, err := n.Metrics(ctx)
		if err != nil {
			return fmt.Errorf("cluster: %s: %w", n.Name, err)
		}
		versions[m[bundleVersion]] = n.Name
	}
	if len(versions) != 1 {
		r.result.broken("after the rotation nodes have different keys: %v", versions)
	}
	return nil
}
