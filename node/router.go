package node

import (
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/actors/account"
	"github.com/jackdaw-im/jackdaw/actors/mailbox"
	"github.com/jackdaw-im/jackdaw/cluster"
	"github.com/jackdaw-im/jackdaw/cluster/entry"
	"github.com/jackdaw-im/jackdaw/cluster/trust"
	"github.com/jackdaw-im/jackdaw/config"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// placedKinds are the kinds of actors that are on one node of a cluster, the owner of their partition, as long as their Refs name no node.
// All others are on the node that asks.
func placedKinds() []string {
	return []string{
		mailbox.Kind,
		account.Kind,
	}
}

// newCluster makes the router, and on a node of a cluster what connects it with the others.
func (n *Node) newCluster(live *trust.Live) (err error) {
	opts := cluster.Options{System: n.sys, Placed: placedKinds(), Claim: n.claim, Reunited: n.reunited,
		GivenUp: func() { n.givenUp.Add(1) }}
	if claims, ok := n.engine.(interface{ Owners() []ident.NodeID }); ok {
		opts.Owners = claims.Owners
	}
	if n.cluster, err = cluster.New(opts); err != nil {
		return err
	}
	n.sys.SetRouter(n.cluster)
	if live != nil {
		n.peers = &peers{n: n, live: live, fatal: make(chan error, 1)}
		n.drain = newDrainer(n)
		n.peers.entry = entry.New(entry.Config{Live: live, Gossip: gossip{n.peers}, Host: n.drain, Logger: n.log})
	}
	return nil
}

// claim makes the store know that partitions are this node's. A database that is away holds up its own only.
func (n *Node) claim(list []ident.Partition, done func([]ident.Partition)) {
	shards := map[int][]ident.Partition{}
	sharded, _ := n.engine.(store.Sharded)
	for _, p := range list {
		shard := 0
		if sharded != nil {
			shard = sharded.ShardOf(p)
		}
		shards[shard] = append(shards[shard], p)
	}
	for _, part := range shards {
		n.lanes.Claim(part, func(err error) {
			if err != nil { // the store is closed: nothing more is to be opened
				n.log.Warn("partitions can't be claimed in the store", zap.Error(err))
				return
			}
			done(part)
		})
	}
}

// stale looks who has claimed partitions that this node writes to.
func (n *Node) stale(list []ident.Partition) {
	claims, ok := n.engine.(interface{ Owners() []ident.NodeID })
	if !ok || n.cluster == nil {
		return
	}
	owners := claims.Owners()
	for _, p := range list {
		if int(p) < len(owners) {
			n.cluster.Stale(p, owners[p])
		}
	}
}

// owned are the partitions whose mailboxes this node looks after; nil: all.
func (n *Node) owned() []ident.Partition {
	if n.peers == nil {
		return nil
	}
	return append([]ident.Partition{}, n.cluster.Owned()...)
}

// peerServices are the parts of the tree that a node of a cluster has.
func (n *Node) peerServices() []supervision.ChildSpec {
	if n.peers == nil {
		return nil
	}
	return []supervision.ChildSpec{supervision.Service("peers", peersStop, func() (supervision.Runner, error) { return n.peers, nil })}
}

// peersStop is for the others to hear that this node leaves.
const peersStop = 2 * time.Second

// Fatal gets the reason if the node has to end: another one has its name. Stop is due then.
func (n *Node) Fatal() <-chan error {
	if n.peers == nil {
		return nil
	}
	return n.peers.fatal
}

// clusterDomain is the domain that the cluster serves. A node that is configured for another is told so.
func clusterDomain(cfg *config.Config, own string, b *trust.Bundle) (string, error) {
	switch {
	case b.Domain == "" || b.Domain == own:
		return own, nil
	case own == config.DefaultDomain:
		return b.Domain, nil
	}
	return "", fmt.Errorf("node: this node is configured for the domain %s, and its cluster serves %s: leave the domain out", own, b.Domain)
}
