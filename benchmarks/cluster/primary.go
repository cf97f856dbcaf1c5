package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackdaw-im/jackdaw/benchmarks/load"
	"github.com/jackdaw-im/jackdaw/internal/testpg"
)

// primary loses the database's primary. A standby that had been away is promoted first, by mistake: nobody may acknowledge anything on it.
// Then the other one is, and gets a standby. At last the old primary returns: nobody may write to it.
func primary(ctx context.Context, r *round) error {
	p := r.c.Store
	furthest, laggard := p.Standbys[0], p.Standbys[1]
	if r.random.IntN(2) == 0 {
		furthest, laggard = laggard, furthest
	}
	laggard.Kill()
	if err := load.Rest(ctx, calm); err != nil {
		return err
	}
	p.Kill()
	begin := time.Now()
	if err := r.promoteLaggard(ctx, laggard); err != nil {
		return err
	}
	if err := furthest.Promote(ctx); err != nil {
		return err
	}
	successor, err := furthest.AddStandby(ctx)
	if err != nil {
		return err
	}
	if err := furthest.Synchronous(ctx, successor); err != nil {
		return err
	}
	r.result.note("a replicated primary was there after %.1f s", time.Since(begin).Seconds())
	back := time.Now()
	if err := r.c.WaitReady(ctx); err != nil {
		return err
	}
	if err := r.waitAcked(ctx, back); err != nil {
		return err
	}
	r.result.note("served %.1f s later", time.Since(back).Seconds())
	return r.oldPrimary(ctx, p)
}

// promoteLaggard makes a primary of a standby that lacks messages which were acknowledged.
func (r *round) promoteLaggard(ctx context.Context, laggard *testpg.Server) error {
	if err := laggard.Start(ctx); err != nil {
		return err
	}
	if err := laggard.Promote(ctx); err != nil {
		return err
	}
	if err := load.Rest(ctx, calm); err != nil {
		return err
	}
	begin := time.Now()
	if err := load.Rest(ctx, r.during(6*time.Second, 3*time.Second)); err != nil {
		return err
	}
	if n := r.w.ackedSince(begin); n > 0 {
		r.result.broken("%d were acknowledged on a standby that lacks what was acknowledged before", n)
	}
	for _, n := range r.c.Nodes {
		// That it has no standbys is another reason to refuse it, which doesn't count here.
		if err := n.Ready(ctx); err == nil || !strings.Contains(err.Error(), "lacks writes that were acknowledged") {
			r.result.broken("%s doesn't say that the standby lacks writes, but: %v", n.Name, err)
		}
	}
	laggard.Kill()
	return nil
}

// oldPrimary lets the old primary return, looks whether anything is written to it, and deletes its disk.
func (r *round) oldPrimary(ctx context.Context, p *testpg.Server) error {
	if err := p.Start(ctx); err != nil {
		return err
	}
	if err := load.Rest(ctx, r.during(8*time.Second, 4*time.Second)); err != nil {
		return err
	}
	names, err := p.Text(ctx, "SELECT string_agg(datname, ' ') FROM pg_database WHERE NOT datistemplate")
	if err != nil {
		return err
	}
	databases := strings.Fields(names)
	if len(databases) < 2 {
		return fmt.Errorf("the old primary has no databases for mail, only %v", databases)
	}
	for _, name := range databases { // it counts since it was started, as it had been killed
		written, err := p.TextIn(ctx, name, "SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0) FROM pg_stat_user_tables")
		if err != nil {
			return err
		}
		if written != "0" {
			r.result.broken("%s rows were written to %s of the old primary", written, name)
		}
	}
	return p.Destroy()
}

// waitAcked waits until something is acknowledged again.
func (r *round) waitAcked(ctx context.Context, since time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, wholeTime)
	defer cancel()
	for r.w.ackedSince(since) == 0 {
		if load.Rest(ctx, lookPause) != nil {
			return errors.New("nothing is acknowledged again")
		}
	}
	return nil
}
