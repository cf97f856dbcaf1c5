package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackdaw-im/jackdaw/benchmarks/load"
	"github.com/jackdaw-im/jackdaw/internal/testcluster"
)

// readsEach is how often the store may be read for each session until all are back.
const readsEach = 2

// sessions kills a node under very many sessions, which come back at the others, and counts what the store is asked meanwhile.
func sessions(ctx context.Context, r *round) error {
	victim := r.victim()
	lost := r.w.onlineAt(victim.C2STLS)
	before, err := r.requests(ctx, victim)
	if err != nil {
		return err
	}
	begin := time.Now()
	victim.Kill()
	ctx, cancel := context.WithTimeout(ctx, crowdTime)
	defer cancel()
	// A user whose connection has ended is offline; who is online elsewhere is back.
	for r.w.onlineAt("") < r.cfg.users || r.w.onlineAt(victim.C2STLS) > 0 {
		if err := load.Rest(ctx, lookPause); err != nil {
			return fmt.Errorf("%d of %d users are back: %w", r.w.onlineAt(""), r.cfg.users, err)
		}
	}
	took := time.Since(begin)
	after, err := r.requests(ctx, victim)
	if err != nil {
		return err
	}
	reads := after.reads - before.reads
	r.result.note("%d of %d sessions were lost, all back after %.1f s; the store was read %.2f times for each of all, %.2f for each that was lost (%.0f mailboxes, %.0f bodies, %.0f requests to the directory)",
		lost, r.cfg.users, took.Seconds(), reads/float64(r.cfg.users), reads/float64(max(lost, 1)), after.mailboxes-before.mailboxes, after.bodies-before.bodies, after.directory-before.directory)
	if reads > readsEach*float64(r.cfg.users) {
		r.result.broken("the store was read %.2f times for each session, more than %d", reads/float64(r.cfg.users), readsEach)
	}
	return r.restart(ctx, victim)
}

// requests is what the nodes have asked the store, beside commits.
type requests struct{ reads, mailboxes, bodies, directory float64 }

// requests sums up what all nodes but one have asked.
func (r *round) requests(ctx context.Context, but *testcluster.Node) (sum requests, err error) {
	for _, n := range r.c.Nodes {
		if n == but {
			continue
		}
		m, err := n.Metrics(ctx)
		if err != nil {
			return sum, err
		}
		sum.reads += testcluster.Sum(m, "jackdaw_store_requests_total")
		sum.mailboxes += m[`jackdaw_store_requests_total{kind="mailbox"}`]
		sum.bodies += m[`jackdaw_store_requests_total{kind="bodies"}`]
		sum.directory += m[`jackdaw_store_requests_total{kind="directory"}`]
	}
	return sum, nil
}

// onlineAt counts the users who are online at an address, "": at any.
func (w *world) onlineAt(addr string) (n int) {
	for _, u := range w.users {
		if at, ok := u.device.At(); ok && (addr == "" || at == addr) {
			n++
		}
	}
	return n
}
