package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackdaw-im/jackdaw/benchmarks/load"
)

// readsEach is how often the store may be read for a session until all are back, and for each on average.
const readsEach = 2

// sessions kills the node on which all sessions are, which come back at the others, and counts what the store is asked meanwhile: by the nodes
// in all, and by the database for each user.
func sessions(ctx context.Context, r *round) error {
	victim := r.full
	lost := r.w.onlineAt(victim.C2STLS)
	statements, err := r.c.Store.Statements(ctx)
	if err != nil {
		return err
	}
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
	if err := load.Rest(ctx, calm); err != nil { // they have what waited for them
		return err
	}
	end := time.Now()
	after, err := r.requests(ctx, victim)
	if err != nil {
		return err
	}
	each := asked{}
	if err := each.read(ctx, statements, begin, end); err != nil {
		return err
	}
	reads := after.reads - before.reads
	r.result.note("%d of %d sessions were lost, all back after %.1f s; the store was asked %.2f times for each of all, %.2f for each that was lost (%.0f mailboxes, %.0f bodies, %.0f requests to the directory), and at most %d times for one (%s)",
		lost, r.cfg.users, took.Seconds(), reads/float64(r.cfg.users), reads/float64(max(lost, 1)), after.mailboxes-before.mailboxes, after.bodies-before.bodies,
		after.directory-before.directory, each.most(), each)
	if reads > readsEach*float64(r.cfg.users) {
		r.result.broken("the store was asked %.2f times for each session, more than %d", reads/float64(r.cfg.users), readsEach)
	}
	if each.most() > readsEach {
		r.result.broken("the store was asked %d times for one session, more than %d", each.most(), readsEach)
		for _, what := range each.moreThan(readsEach) {
			r.result.note("%s", what)
		}
	}
	return r.restart(ctx, victim)
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
