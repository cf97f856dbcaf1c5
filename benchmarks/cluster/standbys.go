package main

import (
	"context"
	"strings"
	"time"

	"github.com/jackdaw-im/jackdaw/benchmarks/load"
)

// underWay is for how long after the last standby was lost what it had already confirmed may still be acknowledged.
const underWay = time.Second

// standbys loses all standbys of the database at once: nothing may be acknowledged that only one disk has, and all nodes have to say why.
// One of them comes back, which is enough, and later the other.
func standbys(ctx context.Context, r *round) error {
	p := r.c.Store
	for _, s := range p.Standbys {
		s.Kill()
	}
	if err := load.Rest(ctx, underWay); err != nil {
		return err
	}
	begin := time.Now()
	if err := load.Rest(ctx, r.during(10*time.Second, 4*time.Second)); err != nil {
		return err
	}
	if n := r.w.ackedSince(begin); n > 0 {
		r.result.broken("%d were acknowledged that are on one disk only", n)
	}
	for _, n := range r.c.Nodes {
		if err := n.Ready(ctx); err == nil || !strings.Contains(err.Error(), "is not replicated") {
			r.result.broken("%s doesn't say that its store isn't replicated, but: %v", n.Name, err)
		}
	}
	back := time.Now()
	first := r.random.IntN(len(p.Standbys))
	if err := p.Standbys[first].Start(ctx); err != nil {
		return err
	}
	if err := r.c.WaitReady(ctx); err != nil {
		return err
	}
	if err := r.waitAcked(ctx, back); err != nil {
		return err
	}
	r.result.note("served %.1f s after a standby was told to start", time.Since(back).Seconds())
	for i, s := range p.Standbys {
		if i == first {
			continue
		}
		if err := s.Start(ctx); err != nil {
			return err
		}
		if err := p.WaitStreaming(ctx, s); err != nil {
			return err
		}
	}
	return nil
}
