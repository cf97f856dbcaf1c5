package testcluster

import (
	"context"
	"errors"
	"os"
)

// ErrNoCuts is the error of cutting a network that isn't private.
var ErrNoCuts = errors.New("testcluster: nothing can be cut here: it needs root on Linux, with iproute2 and nftables, and Private")

// IsPrivate reports whether this process has a network of its own, in which clusters can be cut.
func IsPrivate() bool { return os.Getenv(privateEnv) != "" }

// CanCut reports whether the network can be cut.
func (c *Cluster) CanCut() bool { return c.net.private }

// Cut drops all that goes from one node to another, until Heal. The other way stays open.
func (c *Cluster) Cut(ctx context.Context, from, to *Node) error {
	if !c.net.private {
		return ErrNoCuts
	}
	return to.at.drop(ctx, from.Host)
}

// Part cuts both ways between each node of one group and each of the other.
func (c *Cluster) Part(ctx context.Context, one, other []*Node) error {
	for _, a := range one {
		for _, b := range other {
			if err := errors.Join(c.Cut(ctx, a, b), c.Cut(ctx, b, a)); err != nil {
				return err
			}
		}
	}
	return nil
}

// CutStore parts a node from all database servers. Connections hang, as they do when a cable is pulled.
func (c *Cluster) CutStore(ctx context.Context, n *Node) error {
	if !c.net.private {
		return ErrNoCuts
	}
	return errors.Join(n.at.drop(ctx, c.net.store), n.at.dropTo(ctx, c.net.store))
}

// Heal ends all cuts.
func (c *Cluster) Heal(ctx context.Context) error {
	var errs []error
	for _, n := range c.Nodes {
		errs = append(errs, n.at.heal(ctx))
	}
	return errors.Join(errs...)
}
