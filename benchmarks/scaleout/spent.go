package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/jackdaw-im/jackdaw/internal/testcluster"
	"github.com/jackdaw-im/jackdaw/internal/testnode"
)

// reading is what a cluster and this process have spent up to a moment.
type reading struct {
	at                       time.Time
	server, database, driver time.Duration // processor time
	metrics                  map[string]float64
	wire                     int64 // bytes between nodes, TLS and all; -1 if that can't be known
}

// take reads everything now. What costs the nodes something, their metrics, comes first.
func take(ctx context.Context, c *testcluster.Cluster) (r reading, err error) {
	if r.metrics, err = c.Metrics(ctx); err != nil {
		return r, err
	}
	r.wire = wireBytes(ctx, c)
	for _, n := range c.Nodes {
		if n.PID() == 0 {
			continue
		}
		u, err := n.Usage()
		if err != nil {
			return r, err
		}
		r.server += u.CPU
	}
	if r.database, err = c.Store.CPU(); err != nil {
		return r, err
	}
	for _, s := range c.Store.Standbys {
		used, err := s.CPU()
		if err != nil {
			return r, err
		}
		r.database += used
	}
	own, err := testnode.UsageOf(os.Getpid())
	r.driver, r.at = own.CPU, time.Now()
	return r, err
}

// spent is what went between two readings.
type spent struct {
	wall                     time.Duration
	server, database, driver time.Duration
	envelopes, resent        float64
	commits                  float64
	wire                     float64 // bytes; below 0 if unknown
}

// until subtracts. Envelopes are those that left a node; each of them arrives at another.
func (r reading) until(to reading) spent {
	grown := func(name string) float64 { return testcluster.Sum(to.metrics, name) - testcluster.Sum(r.metrics, name) }
	s := spent{wall: to.at.Sub(r.at), server: to.server - r.server, database: to.database - r.database, driver: to.driver - r.driver,
		envelopes: grown("jackdaw_link_sent_total"), resent: grown("jackdaw_link_resent_total"), commits: grown("jackdaw_commit_seconds_count"), wire: -1}
	if r.wire >= 0 && to.wire >= r.wire {
		s.wire = float64(to.wire - r.wire)
	}
	return s
}

// each are the figures of a message, of n.
func (s spent) each(part string, n int) []figure {
	per := func(v float64) float64 { return v / float64(max(n, 1)) }
	us := func(d time.Duration) float64 { return per(float64(d) / float64(time.Microsecond)) }
	figures := []figure{
		{part, "CPU of all nodes, a message", "us", us(s.server)},
		{part, "CPU of PostgreSQL, a message", "us", us(s.database)},
		{part, "CPU of the clients, a message", "us", us(s.driver)},
		{part, "messages acknowledged", "a second", float64(n) / s.wall.Seconds()},
		{part, "commits, a message", "", per(s.commits)},
		{part, "envelopes between nodes, a message", "", per(s.envelopes)},
		{part, "of them sent again", "", per(s.resent)},
	}
	if s.wire >= 0 {
		figures = append(figures, figure{part, "bytes between nodes, a message", "bytes", per(s.wire)})
	}
	return figures
}

// carriagePort is where a node takes the carriage of others: the port after its cluster's.
const carriagePort = "5301"

// wireBytes asks the kernel for the bytes of all living connections between nodes, both directions, each once: at the end that dialled.
func wireBytes(ctx context.Context, c *testcluster.Cluster) int64 {
	out, err := exec.CommandContext(ctx, "ss", "-tinHO", "state", "established", "dport = :"+carriagePort).Output()
	if err != nil {
		return -1 // without iproute2, or not on Linux
	}
	hosts := map[string]bool{}
	for _, n := range c.Nodes {
		hosts[n.Host+":"+carriagePort] = true
	}
	bytes, err := parseWire(string(out), hosts)
	if err != nil {
		return -1
	}
	return bytes
}

// parseWire adds up what ss says of connections to some addresses.
func parseWire(text string, to map[string]bool) (sum int64, err error) {
	for line := range strings.Lines(text) {
		wanted := false
		for _, word := range strings.Fields(line) {
			if to[word] {
				wanted = true
			}
			for _, name := range []string{"bytes_sent:", "bytes_received:"} {
				number, ok := strings.CutPrefix(word, name)
				if !ok || !wanted {
					continue
				}
				n, err := strconv.ParseInt(number, 10, 64)
				if err != nil {
					return 0, fmt.Errorf("scaleout: ss: %w", err)
				}
				sum += n
			}
		}
	}
	return sum, nil
}
