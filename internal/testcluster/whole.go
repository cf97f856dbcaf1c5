package testcluster

import (
	"context"
	"fmt"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
)

// wholePoll is how often nodes are asked whether they are one cluster.
const wholePoll = 20 * time.Millisecond

// WaitWhole waits until some nodes, or all that run if none is named, are one cluster in good order: each knows as many active
// nodes, all act upon one view, and each partition is with exactly one of them.
func (c *Cluster) WaitWhole(ctx context.Context, nodes ...*Node) error {
	if len(nodes) == 0 {
		for _, n := range c.Nodes {
			if n.PID() != 0 {
				nodes = append(nodes, n)
			}
		}
	}
	tick := time.NewTicker(wholePoll)
	defer tick.Stop()
	for {
		why := apart(ctx, nodes)
		if why == "" {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("testcluster: %s: %w", why, ctx.Err())
		}
	}
}

// apart says why nodes are not one cluster; "" if they are.
func apart(ctx context.Context, nodes []*Node) string {
	mine := 0.0
	for _, n := range nodes {
		m, err := n.Metrics(ctx)
		if err != nil {
			return n.Name + ": " + err.Error()
		}
		mine += m[`jackdaw_cluster_partitions{phase="mine"}`]
		if why := restless(m, len(nodes)); why != "" {
			return n.Name + " " + why
		}
	}
	if mine != ident.Partitions {
		return fmt.Sprintf("the nodes have %v partitions of %d", mine, ident.Partitions)
	}
	return ""
}

// restless says by a node's metrics why it isn't at peace in a cluster of so many; "" if it is.
func restless(m map[string]float64, nodes int) string {
	switch active := m[`jackdaw_cluster_members{state="active"}`]; {
	case active != float64(nodes):
		return fmt.Sprintf("knows %v active nodes of %d", active, nodes)
	case m["jackdaw_cluster_agreed"] != 1:
		return "doesn't act upon the others' view"
	case m[`jackdaw_cluster_partitions{phase="waiting"}`]+m[`jackdaw_cluster_partitions{phase="leaving"}`] > 0:
		return "has partitions on their way"
	}
	return ""
}
