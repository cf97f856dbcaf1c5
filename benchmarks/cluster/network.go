package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackdaw-im/jackdaw/benchmarks/load"
	"github.com/jackdaw-im/jackdaw/internal/testcluster"
)

// heal ends all cuts, and waits until the cluster is one again, by itself.
func (r *round) heal(ctx context.Context) error {
	if err := r.c.Heal(ctx); err != nil {
		return err
	}
	return r.whole(ctx)
}

// wholeTime is how long a cluster may take to be one again.
const wholeTime = 90 * time.Second

// whole waits until all nodes that run see each other as active, act upon one view, and have all partitions among them, and notes
// how long it took.
func (r *round) whole(ctx context.Context) error {
	begin := time.Now()
	ctx, cancel := context.WithTimeout(ctx, wholeTime)
	defer cancel()
	if err := r.c.WaitWhole(ctx); err != nil {
		return err
	}
	r.result.note("one again after %.1f s", time.Since(begin).Seconds())
	return nil
}

// part parts a part of the cluster from the rest, both ways, long enough that each half forgets the other.
func part(ctx context.Context, r *round) error {
	r.shuffle()
	if err := r.c.Part(ctx, r.order[:len(r.order)/2], r.order[len(r.order)/2:]); err != nil {
		return err
	}
	short := 12 * time.Second
	if len(r.order) > 3 { // gossip waits for more witnesses of a death
		short = 28 * time.Second
	}
	if err := load.Rest(ctx, r.during(60*time.Second, short)); err != nil {
		return err
	}
	return r.heal(ctx)
}

// longCut parts half of the cluster from the other, both with the store, for longer than anybody's patience: what gossip remembers of
// the other half is long gone by then.
func longCut(ctx context.Context, r *round) error {
	r.shuffle()
	half := len(r.order) / 2
	if err := r.c.Part(ctx, r.order[:half], r.order[half:]); err != nil {
		return err
	}
	if err := load.Rest(ctx, r.during(10*time.Minute, time.Minute)); err != nil {
		return err
	}
	return r.heal(ctx)
}

// islandTime is how long the island is cut off: so much longer than the server waits for an outcome that what is sent at first has it by then.
const islandTime = latest + 3*time.Second

// island parts half of the cluster from the other and from the store: it may acknowledge nothing, and must say so of each message.
func island(ctx context.Context, r *round) error {
	r.shuffle()
	half := r.order[:len(r.order)/2]
	if err := r.c.Part(ctx, half, r.order[len(half):]); err != nil {
		return err
	}
	dark := map[string]bool{}
	for _, n := range half {
		if err := r.c.CutStore(ctx, n); err != nil {
			return err
		}
		dark[n.C2STLS] = true
	}
	before := r.w.darken(dark)
	begin := time.Now()
	said := map[string]string{}
	for time.Since(begin) < islandTime {
		if err := load.Rest(ctx, time.Second); err != nil {
			return err
		}
		for _, n := range half {
			if err := n.Ready(ctx); err == nil {
				said[n.Name] = ""
			} else if time.Since(begin) > islandTime/2 {
				said[n.Name] = err.Error()
			}
		}
	}
	for _, n := range half {
		if said[n.Name] == "" {
			r.result.broken("%s was ready without a store", n.Name)
		}
	}
	after := r.w.darken(nil)
	if n := after.acked - before.acked; n > 0 {
		r.result.broken("%d were acknowledged by nodes without a store, the first %s", n, after.first)
	}
	if n := after.arrived - before.arrived; n > 0 {
		r.result.note("%d acknowledged there because their recipients had them", n)
	}
	if n := after.ended - before.ended; n > 0 {
		r.result.broken("%d connections to nodes without a store ended", n)
	}
	if err := r.heal(ctx); err != nil {
		return err
	}
	return r.answers(ctx)
}

// oneWay cuts what one node sends to another: both have to find the way by the third.
func oneWay(ctx context.Context, r *round) error {
	r.shuffle()
	a, b := r.order[0], r.order[1]
	if err := r.c.Cut(ctx, a, b); err != nil {
		return err
	}
	if err := load.Rest(ctx, r.during(30*time.Second, 8*time.Second)); err != nil {
		return err
	}
	if err := r.detoured(ctx, a, b); err != nil {
		return err
	}
	if err := r.detoured(ctx, b, a); err != nil {
		return err
	}
	return r.heal(ctx)
}

// detoured checks that what one node sends to another goes by a third.
func (r *round) detoured(ctx context.Context, from, to *testcluster.Node) error {
	m, err := from.Metrics(ctx)
	if err != nil {
		return err
	}
	series := fmt.Sprintf(`{peer=%q}`, to.Name)
	if m["jackdaw_link_detour"+series] != 1 {
		r.result.broken("%s has found no way to %s by the third node", from.Name, to.Name)
	}
	r.result.note("%.0f frames from %s to %s by the third node", m["jackdaw_link_detoured_total"+series], from.Name, to.Name)
	return nil
}

// shuffle draws an order of the nodes.
func (r *round) shuffle() {
	r.order = append([]*testcluster.Node(nil), r.c.Nodes...)
	r.random.Shuffle(len(r.order), func(i, j int) { r.order[i], r.order[j] = r.order[j], r.order[i] })
}
