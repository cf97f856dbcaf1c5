package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"time"

	"github.com/jackdaw-im/jackdaw/benchmarks/load"
	"github.com/jackdaw-im/jackdaw/internal/testcluster"
	"github.com/jackdaw-im/jackdaw/internal/testnode"
)

// calm is how long the load runs before a fault, and after it.
const calm = 2 * time.Second

// databases is how many the messages are spread over, if not all is in one; accounts have one of their own.
const databases = 2

// round is one fault, shown once: a cluster with its load.
type round struct {
	cfg      settings
	fault    fault
	seed     uint64
	c        *testcluster.Cluster
	w        *world
	random   *rand.Rand
	order    []*testcluster.Node // drawn by shuffle
	full     *testcluster.Node   // where all users are, if the fault wants that
	apart    map[string]bool     // addresses of the nodes that were parted from the others, but not those from each other; nil: any two may have been parted
	together bool                // no node was given up after all, so order is promised
	at       atomic.Pointer[[]string]
	result   result
}

// show shows one fault. An error means that the round could not be finished; what was found wrong is in the result.
func show(ctx context.Context, cfg settings, f fault, seed uint64) (result, error) {
	r := &round{cfg: cfg, fault: f, seed: seed, random: rand.New(rand.NewPCG(seed, 0)), result: result{Fault: f.name, Seed: seed}}
	if f.settings != nil {
		f.settings(&r.cfg)
	}
	r.cfg.seed = seed
	data, err := os.MkdirTemp("", "jackdaw-cluster-")
	if err != nil {
		return r.result, fmt.Errorf("cluster: %w", err)
	}
	defer func() { _ = os.RemoveAll(data) }() // temporary
	setup := testcluster.Config{Nodes: f.nodes, Databases: databases, Standbys: f.standbys, Data: data, Binary: cfg.binary, Env: f.env}
	if !cfg.short { // as one in use does
		setup.Fsync, setup.Standbys = true, max(f.standbys, 1)
	}
	r.c, err = testcluster.Start(ctx, setup)
	if err != nil {
		return r.result, err
	}
	err = r.run(ctx)
	if cfg.keep != "" {
		err = errors.Join(err, r.c.WriteOutputs(cfg.keep))
	}
	return r.result, errors.Join(err, r.c.Close())
}

// run puts the cluster under load, does what the fault does, and judges.
func (r *round) run(ctx context.Context) error {
	accounts := load.Accounts{Domain: "localhost", Prefix: "u", Password: "benchmark"}
	if err := r.c.WaitReady(ctx); err != nil {
		return err
	}
	if err := r.c.Nodes[0].Import(ctx, testnode.Users(accounts.Prefix, accounts.Domain, r.cfg.users+r.cfg.sleepers, accounts.Password)); err != nil {
		return err
	}
	r.publish()
	if r.fault.packed {
		r.full = r.victim()
		r.at.Store(&[]string{r.full.C2STLS})
	}
	r.w = newWorld(ctx, r.cfg, accounts, func() []string { return *r.at.Load() })
	defer r.w.close()
	begin := time.Now()
	r.w.start()
	if err := r.online(ctx); err != nil {
		return err
	}
	r.publish()
	if err := load.Rest(ctx, calm); err != nil {
		return err
	}
	broke := time.Now()
	if err := r.fault.do(ctx, r); err != nil {
		return fmt.Errorf("cluster: %s: %w", r.fault.name, err)
	}
	now, cancel := context.WithTimeout(ctx, afterTime)
	err := r.c.WaitWhole(now)
	cancel()
	if err != nil {
		r.result.broken("after all of it: %v", err)
	}
	if r.fault.parts && !r.together {
		r.w.excuse(broke, time.Now().Add(calm), r.apart)
		err = load.Rest(ctx, 2*calm) // of which the second half has to be in order again
	} else {
		err = load.Rest(ctx, calm)
	}
	if err != nil {
		return err
	}
	r.result.Seconds = time.Since(begin).Seconds()
	err = r.w.settle(ctx)
	if err == nil {
		r.result.Stuck, err = r.w.drain(ctx)
	}
	r.result.judge(r.w)
	if err == nil {
		err = r.quiet(ctx)
	}
	return err
}

// publish lets clients find the nodes: all there ever were, in the order of their age.
func (r *round) publish() {
	list := make([]string, 0, len(r.c.Nodes))
	for _, n := range r.c.Nodes {
		list = append(list, n.C2STLS)
	}
	r.at.Store(&list)
}

// afterTime is how long the cluster may still take to be one when a fault is over and mended.
const afterTime = 10 * time.Second

// onlineTime is how long the logins at the beginning may take before the round is given up; more than slowOnline is a fault.
const (
	onlineTime = 90 * time.Second
	slowOnline = 20 * time.Second
	crowdTime  = 10 * time.Minute
)

// online waits until every user has been acknowledged something: then all are served.
func (r *round) online(ctx context.Context) error {
	begin := time.Now()
	slow, limit := slowOnline, onlineTime
	if r.cfg.crowd {
		slow, limit = crowdTime, crowdTime
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		if r.w.served() == r.cfg.users {
			if d := time.Since(begin); d > slow {
				r.result.broken("it took %.0f s until all users were served: %s", d.Seconds(), r.w.troubled())
			}
			r.w.forgetWaits()
			return nil
		}
		if err := load.Rest(ctx, lookPause); err != nil {
			return fmt.Errorf("cluster: %d of %d users are online: %w; %v", r.w.served(), r.cfg.users, err, r.w.troubled())
		}
	}
}
