package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
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
	if err := load.Rest(ctx, v.cfg.settle); err != nil {
		return err
	}
	before, err := take(ctx, v.c)
	if err != nil {
		return err
	}
	if err := load.Rest(ctx, v.cfg.settle); err != nil {
		return err
	}
	after, err := take(ctx, v.c)
	if err != nil {
		return err
	}
	all, own, err := v.memory()
	if err != nil {
		return err
	}
	n, s := float64(len(v.c.Nodes)), before.until(after)
	v.add(figure{crowd, "memory of a node without users (RSS)", "MB", all / n / 1e6},
		figure{crowd, "of it, not shared with other nodes here", "MB", own / n / 1e6},
		figure{crowd, "CPU of a node without users", "ms a second", float64(s.server.Milliseconds()) / n / s.wall.Seconds()},
		figure{crowd, "PostgreSQL meanwhile", "ms a second", float64(s.database.Milliseconds()) / s.wall.Seconds()},
		figure{crowd, "envelopes between nodes without users", "a second", s.envelopes / s.wall.Seconds()})
	return nil
}

// memory is the resident memory of all nodes together, in bytes, and what of it is theirs alone: without the program's code, which processes
// of one program share.
func (v *visit) memory() (all, own float64, err error) {
	for _, n := range v.running() {
		u, err := n.Usage()
		if err != nil {
			return 0, 0, err
		}
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.PID()))
		if err != nil {
			return 0, 0, fmt.Errorf("scaleout: %w", err)
		}
		anonymous, err := parseAnonymous(string(status))
		if err != nil {
			return 0, 0, err
		}
		all, own = all+float64(u.RSS), own+anonymous
	}
	return all, own, nil
}

// parseAnonymous finds the resident memory, in bytes, that is no file's, in /proc/PID/status (proc_pid_status(5)).
func parseAnonymous(status string) (float64, error) {
	for line := range strings.Lines(status) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 64)
			if err != nil {
				return 0, fmt.Errorf("scaleout: memory: %w", err)
			}
			return n * 1024, nil
		}
	}
	return 0, errors.New("scaleout: memory: the system doesn't say what is a process's own")
}

// memory logs a sixth of the users in, then all, and reads how the memory of all nodes has grown.
func (t *throng) memory(ctx context.Context) error {
	few := t.v.cfg.users / 6
	var at [2]float64
	for i, n := range []struct{ from, to int }{{0, few}, {few, t.v.cfg.users}} {
		begin := time.Now()
		if err := t.enter(ctx, n.from, n.to); err != nil {
			return err
		}
		if i == 1 {
			t.v.add(figure{crowd, "logins, sixteen at a time", "a second", float64(n.to-n.from) / time.Since(begin).Seconds()})
		}
		if err := load.Rest(ctx, t.v.cfg.settle); err != nil {
			return err
		}
		var err error
		if _, at[i], err = t.v.memory(); err != nil {
			return err
		}
	}
	t.v.add(figure{crowd, "memory of an idle connection", "kB", (at[1] - at[0]) / float64(t.v.cfg.users-few) / 1e3})
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
