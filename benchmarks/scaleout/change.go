package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackdaw-im/jackdaw/benchmarks/load"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/internal/testcluster"
)

// The sections of the table about changes. They belong to the part crowd.
const (
	joining = "join"
	leaving = "leave"
	losing  = "loss"
)

const (
	// viewPause is how often a node is asked whether it acts upon another view, and changeTime how long a change may take.
	viewPause  = 10 * time.Millisecond
	changeTime = time.Minute
)

// changes lets a node join, leave again in order, and then an older one be lost with the connections to it.
func (t *throng) changes(ctx context.Context) error {
	n := len(t.v.c.Nodes)
	var added *testcluster.Node
	err := t.change(ctx, joining, n+1, nil, func(ctx context.Context) (err error) {
		added, err = t.v.c.Add(ctx)
		return err
	})
	if err != nil {
		return err
	}
	if err := t.change(ctx, leaving, n+1, nil, func(ctx context.Context) error { return added.Stop(ctx) }); err != nil || n == 1 {
		return err
	}
	lost := t.v.c.Nodes[1]
	return t.change(ctx, losing, n, lost, func(context.Context) error {
		lost.Kill()
		return nil
	})
}

// situation is who has what.
type situation struct {
	names []string
	mine  map[string]float64 // partitions, by node
	reads map[string]float64 // what each node has asked the store, beside commits
	views float64            // of the observer
	// late are the actors that didn't leave in time, on the nodes that run.
	late float64
}

// observer is a node that is there all the time.
func (v *visit) observer() *testcluster.Node { return v.c.Nodes[0] }

func (v *visit) situation(ctx context.Context) (situation, error) {
	s := situation{mine: map[string]float64{}, reads: map[string]float64{}}
	for _, n := range v.running() {
		m, err := n.Metrics(ctx)
		if err != nil {
			return s, err
		}
		s.names = append(s.names, n.Name)
		s.mine[n.Name] = m[`jackdaw_cluster_partitions{phase="mine"}`]
		s.reads[n.Name] = testcluster.Sum(m, "jackdaw_store_requests_total")
		s.late += m["jackdaw_cluster_overdue_total"]
		if n == v.observer() {
			s.views = m["jackdaw_cluster_views_total"]
		}
	}
	return s, nil
}

// moved is how many partitions have another owner, as far as the counts of each node tell: those that nodes have less.
func (s situation) moved(to situation) (n float64) {
	for name, had := range s.mine {
		n += max(0, had-to.mine[name])
	}
	return n
}

// read is how often the nodes that are there in the end have asked the store meanwhile.
func (s situation) read(to situation) (n float64) {
	for name, has := range to.reads {
		n += has - s.reads[name]
	}
	return n
}

// change lets the cluster change, and measures how long it takes until all users are served. nodes is how many share the partitions while there
// are most. gone is a node that is lost by it, nil if none is: then users begin to send at once, otherwise when the view changes.
func (t *throng) change(ctx context.Context, section string, nodes int, gone *testcluster.Node, act func(context.Context) error) (err error) {
	ctx, cancel := context.WithTimeout(ctx, changeTime+sweepTime)
	defer cancel()
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", section, err)
		}
	}()
	before, err := t.v.situation(ctx)
	if err != nil {
		return err
	}
	begin, observer := time.Now(), t.v.observer()
	acting, viewed := make(chan error, 1), make(chan time.Time, 1)
	if gone != nil {
		acting <- act(ctx)
	} else {
		go func() { acting <- act(ctx) }()
	}
	go func() { viewed <- nextView(ctx, observer, before.views) }()
	var view time.Time
	if gone == nil {
		view = <-viewed
	}
	r, err := t.sweep(ctx, gone)
	err = errors.Join(err, <-acting)
	if gone != nil {
		view = <-viewed
	}
	if err = errors.Join(err, ctx.Err()); err != nil {
		return err
	}
	if err := t.v.c.WaitWhole(ctx); err != nil {
		return err
	}
	settled := time.Now()
	after, err := t.v.situation(ctx)
	if err != nil {
		return err
	}
	t.v.add(t.figures(section, before, after, nodes, times{begin, view, settled}, r)...)
	return nil
}

// times are the moments of a change.
type times struct{ begin, view, settled time.Time }

// nextView waits until a node acts upon another view, and returns when; at the latest when ctx ends.
func nextView(ctx context.Context, n *testcluster.Node, views float64) time.Time {
	for {
		m, err := n.Metrics(ctx)
		if err == nil && m["jackdaw_cluster_views_total"] > views || load.Rest(ctx, viewPause) != nil {
			return time.Now()
		}
	}
}

// figures are what a change has shown.
func (t *throng) figures(section string, before, after situation, nodes int, at times, r round) []figure {
	var online, all []string
	for user := range t.v.cfg.users + t.v.cfg.resting {
		all = append(all, t.v.accounts.JID(user))
		if user < t.v.cfg.users {
			online = append(online, t.v.accounts.JID(user))
		}
	}
	from, to := placed(before.names), placed(after.names)
	actors := float64(from.moved(to, mailboxKind, all) + from.moved(to, accountKind, online))
	ideal, moved := float64(ident.Partitions)/float64(nodes), before.moved(after)
	served := r.begin.Add(r.last).Sub(at.view)
	since := func(d time.Duration) float64 { return r.begin.Add(d).Sub(at.begin).Seconds() }
	list := []figure{
		{section, "partitions moved", "", moved},
		{section, "of the ideal", "%", 100 * moved / ideal},
		{section, "from the beginning to another view", "s", at.view.Sub(at.begin).Seconds()},
		{section, "from the beginning until half are served", "s", since(r.served.Percentile(50))},
		{section, "from the beginning until all are served", "s", since(r.last)},
		{section, "from the view until all are served", "s", served.Seconds()},
		{section, "from the view until no partition moves", "s", at.settled.Sub(at.view).Seconds()},
		{section, "activated, with a message for everybody", "a second", actors / max(served.Seconds(), viewPause.Seconds())},
		{section, "requests to the store meanwhile", "", before.read(after)},
		{section, "mailboxes and accounts that moved", "", actors},
	}
	if section == joining {
		list = append(list, figure{section, "of them, not gone in time from where they were", "", after.late - before.late})
	}
	return list
}
