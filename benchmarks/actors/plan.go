package main

import (
	"slices"
	"strconv"
	"time"
)

// metric is a kind of figure.
type metric string

// The metrics, each for one operation or actor, but for those that are extra figures of one workload.
const (
	cpu    metric = "cpu_ns"
	wall   metric = "wall_ns"
	bytes  metric = "bytes"
	allocs metric = "allocs"
)

// bar is what ours must reach: at most limit, or at most limit times what another contestant has.
type bar struct {
	metric metric
	limit  float64
	of     string
}

// row is one workload of one size.
type row struct {
	name     string // for the command line
	title    string // what one operation is
	workload string
	size     int
	metric   metric        // what the workload is about: cpu, bytes, which is read once, or an extra figure
	span     time.Duration // 0 is what the command line says; otherwise the row is run once
	who      []string      // nobody is everybody who has the workload
	bars     []bar
}

// once says that a row is run in one round only: memory doesn't vary, and the collector is watched for long.
func (r row) once() bool { return r.metric == bytes || r.span > 0 }

// million actors; three of them are what a node is meant to hold.
const million = 1_000_000

// rows is what is measured, each with its contestants.
func rows() []row {
	call := []bar{{cpu, 1, beam}, {allocs, 1, ""}}
	plan := []row{
		{name: "pingpong-1", title: "ping-pong, one pair: a message", workload: "pingpong", size: 1, metric: cpu, bars: []bar{{cpu, 1, beam}}},
		{name: "pingpong-1000", title: "ping-pong, 1,000 pairs: a message", workload: "pingpong", size: 1000, metric: cpu,
			bars: []bar{{cpu, 0.5, beam}}},
		{name: "fanin", title: "fan-in, 100 to 1: a message", workload: "fanin", size: 100, metric: cpu, bars: []bar{{cpu, 1, beam}}},
		{name: "broadcast", title: "broadcast, 1 to 10,000: a message", workload: "broadcast", size: 10_000, metric: cpu,
			bars: []bar{{cpu, 0.6, beam}}},
		{name: "call-inside", title: "call with a deadline, from an actor", workload: "call-inside", size: 1, metric: cpu, bars: call},
		{name: "call-outside", title: "call with a deadline, from outside", workload: "call-outside", size: 1, metric: cpu, bars: call},
		{name: "call-shared", title: "call from outside, a deadline for 1,000", workload: "call-shared", size: 1, metric: cpu,
			who: []string{ours, beam}, bars: call},
		{name: "spawn", title: "spawn, and handle a message", workload: "spawn", size: 100_000, metric: cpu},
		{name: "monitor", title: "monitor, end, down", workload: "monitor", size: 10_000, metric: cpu},
		{name: "restart-dynamic", title: "crash and restart, dynamic supervisor", workload: "restart-dynamic", size: 6400, metric: cpu},
		{name: "restart-static", title: "crash and restart, supervisor with specs", workload: "restart-static", size: 6400, metric: cpu,
			who: []string{ours, beam}},
		{name: "wake", title: "passivate and wake (beam: hibernate)", workload: "wake", size: 10_000, metric: cpu, who: []string{ours, beam}},
		{name: "idle-1m", title: "idle actor, of 1 M", workload: "idle", size: million, metric: bytes},
		{name: "idle-3m", title: "idle actor, of 3 M", workload: "idle", size: 3 * million, metric: bytes, bars: []bar{{bytes, 500, ""}}},
		{name: "supervised-3m", title: "the same under a dynamic supervisor", workload: "supervised", size: 3 * million, metric: bytes,
			who: []string{ours}, bars: []bar{{bytes, 600, ""}}},
		{name: "crash-3m", title: "crash and restart, of one of 3 M", workload: "crash", size: 3 * million, metric: cpu, span: time.Second,
			who: []string{ours}, bars: []bar{{cpu, 10_000, ""}}},
		{name: "poison", title: "200 neighbours of one that crashes 1,000 times a second", workload: "poison", size: 100, metric: "% less", span: 5 * time.Second,
			who: []string{ours}, bars: []bar{{"% less", 5, ""}}},
		{name: "gc-3m", title: "a message of 1 KiB to one of 3 M, 200,000/s", workload: "gc", size: 3 * million, metric: "p99 us", span: time.Minute,
			who: []string{ours}, bars: []bar{{"p99 us", 1000, ""}}},
	}
	for i, r := range plan {
		if r.who == nil {
			plan[i].who = able(r.workload)
		}
	}
	return plan
}

func rowNames() []string {
	var names []string
	for _, r := range rows() {
		names = append(names, r.name)
	}
	return names
}

// variant is one way to run a contestant. A contestant with several is compared by the one that is best for it.
type variant struct {
	name     string
	workload string   // instead of the row's
	flags    []string // for the program, before the job
}

// quiet lets Erlang's schedulers sleep at once instead of looking for work for a while.
var quiet = []string{"+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none"}

// variants are the ways in which a contestant runs a row.
func variants(contestant string, r row) []variant {
	if contestant != beam {
		return []variant{{}}
	}
	if r.metric == bytes {
		return []variant{{}, {name: "hibernated", workload: "hibernated"}}
	}
	v := []variant{{}, {name: "no busy wait", flags: quiet}}
	if r.workload == "fanin" {
		v = append(v, variant{name: "no busy wait, off-heap queues", flags: append(slices.Clip(quiet), "+hmqd", "off_heap")})
	}
	return v
}

// erlangLimit is how many processes an Erlang system has by default, roughly.
const erlangLimit = 200_000

// erlangFlags are those of every run.
func erlangFlags(cores, size int, folder string) []string {
	n := strconv.Itoa(cores)
	flags := []string{"-noshell", "-noinput", "+S", n + ":" + n, "-pa", folder}
	if size > erlangLimit {
		flags = append(flags, "+P", strconv.Itoa(2*size))
	}
	return flags
}
