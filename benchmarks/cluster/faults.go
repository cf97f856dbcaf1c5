package main

import (
	"context"
	"time"

	"github.com/jackdaw-im/jackdaw/benchmarks/load"
	"github.com/jackdaw-im/jackdaw/internal/testcluster"
)

// fault is something that befalls a cluster.
type fault struct {
	name, what      string
	nodes, standbys int
	packed          bool // all users are on one node until it strikes
	cuts            bool // it needs a network that can be cut
	once            bool // it takes long: one round has to do, and the tests leave it out
	parts           bool // it parts the cluster, so that order isn't promised meanwhile, but for what round.apart and round.together say
	env             []string
	settings        func(*settings)
	do              func(context.Context, *round) error
}

// swift makes gossip forget and rejoin within seconds, so that a cut of less than a minute shows what a long one does.
var swift = []string{"JACKDAW_CLUSTER_FORGET=3s", "JACKDAW_CLUSTER_REJOIN=4s"}

// faults are all there are, in the order in which they are shown.
func faults() []fault {
	return []fault{
		{name: "none", what: "nothing", nodes: 3, do: func(context.Context, *round) error { return nil }},
		{name: "kill", what: "kill -9 of a node, which comes back", nodes: 3, do: kill},
		{name: "pause", what: "a node stands still for half a minute", nodes: 3, parts: true, do: pauseNode},
		{name: "part", what: "one node is parted from two, all reach the store", nodes: 3, cuts: true, parts: true, env: swift, do: part},
		{name: "halves", what: "two nodes are parted from two, all reach the store", nodes: 4, cuts: true, parts: true, env: swift, do: part},
		{name: "island", what: "two nodes are parted from two and from the store", nodes: 4, cuts: true, parts: true, env: swift,
			settings: func(s *settings) { s.patience = time.Hour }, do: island},
		{name: "oneway", what: "nothing of one node reaches another one", nodes: 3, cuts: true, do: oneWay},
		{name: "flap", what: "all links between nodes fail at once, for a moment, again and again", nodes: 4, cuts: true, parts: true, do: flap},
		{name: "join", what: "a node joins, and another one leaves", nodes: 3, do: joinAndLeave},
		{name: "rolling", what: "each node is stopped and started, one after the other", nodes: 3, do: rolling},
		{name: "primary", what: "the database's primary is lost, a lagging standby promoted, then the other; the old primary returns", nodes: 3, standbys: 2, do: primary},
		{name: "standbys", what: "all standbys of the database are lost, and come back", nodes: 3, standbys: 2, do: standbys},
		{name: "sessions", what: "kill -9 of the node on which very many sessions are", nodes: 3, packed: true, do: sessions, settings: func(s *settings) {
			// As many messages as otherwise, from as many more users.
			s.interval = s.interval * time.Duration(max(s.sessions/s.users, 1))
			s.users, s.patience, s.crowd = s.sessions, time.Minute, true
		}},
		{name: "longcut", what: "two nodes are parted from two for ten minutes", nodes: 4, cuts: true, parts: true, once: true, do: longCut,
			settings: func(s *settings) { s.interval *= 10 }},
		{name: "rotate", what: "all keys of the cluster are rotated", nodes: 3, do: rotate},
		{name: "turnover", what: "all keys are rotated while a node joins and another one is lost and comes back", nodes: 3, do: turnover},
	}
}

// faultCalled finds one by its name.
func faultCalled(name string) (fault, bool) {
	for _, f := range faults() {
		if f.name == name {
			return f, true
		}
	}
	return fault{}, false
}

func names() (list []string) {
	for _, f := range faults() {
		list = append(list, f.name)
	}
	return list
}

// victim is a node drawn at random.
func (r *round) victim() *testcluster.Node { return r.c.Nodes[r.random.IntN(len(r.c.Nodes))] }

// during chooses the length of a fault.
func (r *round) during(full, short time.Duration) time.Duration {
	if r.cfg.short {
		return short
	}
	return full
}

func kill(ctx context.Context, r *round) error {
	n := r.victim()
	if err := load.Rest(ctx, time.Duration(r.random.Int64N(int64(time.Second)))); err != nil {
		return err
	}
	n.Kill()
	if err := load.Rest(ctx, r.during(8*time.Second, 4*time.Second)); err != nil {
		return err
	}
	if err := r.restart(ctx, n); err != nil {
		return err
	}
	return r.whole(ctx)
}

// restart starts a node that has ended, and notes how long it takes until it has its share of the users.
func (r *round) restart(ctx context.Context, n *testcluster.Node) error {
	begin := time.Now()
	if err := n.Start(ctx); err != nil {
		return err
	}
	r.result.note("%s ready after %.1f s", n.Name, time.Since(begin).Seconds())
	return nil
}
