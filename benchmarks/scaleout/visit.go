package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/jackdaw-im/jackdaw/benchmarks/load"
	"github.com/jackdaw-im/jackdaw/client"
	"github.com/jackdaw-im/jackdaw/internal/testcluster"
	"github.com/jackdaw-im/jackdaw/internal/testnode"
)

const (
	// startTime is how long a cluster may take until it is one, and lookPause how often it is looked at.
	startTime = 2 * time.Minute
	lookPause = 50 * time.Millisecond
)

// visit is one cluster with its users, for as long as it takes to measure something.
type visit struct {
	cfg      *settings
	c        *testcluster.Cluster
	accounts load.Accounts
	figures  []figure
}

// visitCluster starts a cluster with so many users, lets measure use it, and ends it. What was measured before an error is returned with it.
func visitCluster(ctx context.Context, cfg *settings, n, users int, measure func(context.Context, *visit) error) (_ []figure, err error) {
	data, err := os.MkdirTemp("", "jackdaw-scaleout-")
	if err != nil {
		return nil, fmt.Errorf("scaleout: %w", err)
	}
	defer func() { _ = os.RemoveAll(data) }() // temporary
	v := &visit{cfg: cfg, accounts: load.Accounts{Domain: "localhost", Prefix: "u", Password: "benchmark", Mechanism: "SCRAM-SHA-1"}}
	v.accounts.Open()
	start, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	standbys := 0
	if cfg.standby {
		standbys = 1
	}
	v.c, err = testcluster.Start(start, testcluster.Config{Nodes: n, Standbys: standbys, Fsync: true, Data: data, Binary: cfg.binary})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, v.c.Close()) }()
	if err := v.c.WaitWhole(start); err != nil {
		return nil, err
	}
	if err := v.c.Nodes[0].Import(start, testnode.Users(v.accounts.Prefix, v.accounts.Domain, users, v.accounts.Password)); err != nil {
		return nil, err
	}
	err = measure(ctx, v)
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, lastWords(v.c))
	}
	return v.figures, err
}

// add keeps figures.
func (v *visit) add(figures ...figure) { v.figures = append(v.figures, figures...) }

// config is user i's client, logging in on a node.
func (v *visit) config(user int, at *testcluster.Node) *client.Config {
	cfg := v.accounts.Config(user)
	cfg.Addr, cfg.Management = at.C2STLS, true
	return cfg
}

// running are the nodes that run.
func (v *visit) running() (list []*testcluster.Node) {
	for _, n := range v.c.Nodes {
		if n.PID() != 0 {
			list = append(list, n)
		}
	}
	return list
}

// names are what nodes are called.
func names(nodes []*testcluster.Node) []string {
	list := make([]string, len(nodes))
	for i, n := range nodes {
		list[i] = n.Name
	}
	return list
}

// lastWords are the ends of what the nodes have said, a few lines of each.
func lastWords(c *testcluster.Cluster) string {
	const most = 5
	var b strings.Builder
	for _, n := range c.Nodes {
		lines := strings.Split(strings.TrimSpace(n.Output()), "\n")
		fmt.Fprintf(&b, "%s: %s\n", n.Name, strings.Join(lines[max(0, len(lines)-most):], "\n    "))
	}
	return b.String()
}
