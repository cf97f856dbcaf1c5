package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackdaw-im/jackdaw/benchmarks/load"
)

// inACrowd measures memory, of nodes and of idle connections; activation; and what it takes to change the cluster under these users.
func inACrowd(ctx context.Context, v *visit) error {
	if err := v.alone(ctx); err != nil {
		return err
	}
	t := newThrong(v)
	defer t.fleet.Cut()
	if err := t.memory(ctx); err != nil {
		return err
	}
	if err := t.wake(ctx); err != nil {
		return err
	}
	return t.changes(ctx)
}

// alone measures nodes without users.
func (v *visit) alone(ctx context.Context) error {
	if err := rest(ctx, v.cfg.settle); err != nil {
		return err
	}
	before, err := take(ctx, v.c)
	if err != nil {
		return err
	}
	if err := rest(ctx, v.cfg.settle); err != nil {
		return err
	}
	after, err := take(ctx, v.c)
	if err != nil {
		return err
	}
	rss, err := v.rss()
	if err != nil {
		return err
	}
	n, s := float64(len(v.c.Nodes)), before.until(after)
	v.add(figure{crowd, "memory of a node without users (RSS)", "MB", rss / n / 1e6},
		figure{crowd, "CPU of a node without users", "ms a second", float64(s.server.Milliseconds()) / n / s.wall.Seconds()},
		figure{crowd, "PostgreSQL meanwhile", "ms a second", float64(s.database.Milliseconds()) / s.wall.Seconds()},
		figure{crowd, "envelopes between nodes without users", "a second", s.envelopes / s.wall.Seconds()})
	return nil
}

// rss is the resident memory of all nodes together, in bytes.
func (v *visit) rss() (sum float64, err error) {
	for _, n := range v.running() {
		u, err := n.Usage()
		if err != nil {
			return 0, err
		}
		sum += float64(u.RSS)
	}
	return sum, nil
}

// memory logs a sixth of the users in, then all, and reads how the memory of all nodes has grown.
func (t *throng) memory(ctx context.Context) error {
	few := t.v.cfg.users / 6
	var at [2]float64
	begin := time.Now()
	for i, n := range []struct{ from, to int }{{0, few}, {few, t.v.cfg.users}} {
		begin = time.Now()
		if err := t.enter(ctx, n.from, n.to); err != nil {
			return err
		}
		if i == 1 {
			t.v.add(figure{crowd, "logins, sixteen at a time", "a second", float64(n.to-n.from) / time.Since(begin).Seconds()})
		}
		if err := rest(ctx, t.v.cfg.settle); err != nil {
			return err
		}
		var err error
		if at[i], err = t.v.rss(); err != nil {
			return err
		}
	}
	t.v.add(figure{crowd, "memory of an idle connection (RSS)", "kB", (at[1] - at[0]) / float64(t.v.cfg.users-few) / 1e3})
	return nil
}

// enter logs users in, on the nodes in turn.
func (t *throng) enter(ctx context.Context, from, to int) error {
	nodes := t.v.running()
	return load.Each(ctx, to-from, loginWidth, func(ctx context.Context, i int) error {
		if err := t.login(ctx, from+i, nodes[(from+i)%len(nodes)]); err != nil {
			return fmt.Errorf("scaleout: idle connections: %w", err)
		}
		return nil
	})
}

// wake sends everybody a message, and once more: the first time, the mailboxes of those who are not online have to be activated.
func (t *throng) wake(ctx context.Context) error {
	var used [2]spent
	var last [2]time.Duration
	for i := range used {
		before, err := take(ctx, t.v.c)
		if err != nil {
			return err
		}
		r, err := t.sweep(ctx, nil)
		if err != nil {
			return err
		}
		after, err := take(ctx, t.v.c)
		if err != nil {
			return err
		}
		used[i], last[i] = before.until(after), r.last
	}
	n := float64(min(t.v.cfg.resting, t.v.cfg.users))
	each := func(of func(spent) time.Duration) float64 {
		return float64((of(used[0]) - of(used[1])).Microseconds()) / n
	}
	t.v.add(figure{crowd, "a message from each to one online and one offline", "s", last[1].Seconds()},
		figure{crowd, "the same, with resting mailboxes to activate", "s", last[0].Seconds()},
		figure{crowd, "resting mailboxes activated, with their messages", "a second", n / last[0].Seconds()},
		figure{crowd, "CPU of all nodes, an activation", "us", each(func(s spent) time.Duration { return s.server })},
		figure{crowd, "CPU of PostgreSQL, an activation", "us", each(func(s spent) time.Duration { return s.database })})
	return nil
}
