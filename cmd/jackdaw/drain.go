package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/jackdaw-im/jackdaw/admin"
	"github.com/jackdaw-im/jackdaw/node"
	"github.com/jackdaw-im/jackdaw/proto/adminpb"
)

func newDrain(c *console) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "drain [NODE]",
		Short: "Empty a node of the cluster, before it is stopped",
		Long: `Empty a node, the one that is asked or any other: its share of the users moves to the other
nodes in batches, then its clients are told, spread over a time, to go on elsewhere. From the
beginning /readyz says that the node isn't ready, so that load balancers send nobody there.
Nothing is lost and no message refused. An empty node can be stopped at once.

The command shows how far it is. Ending it doesn't end the drain; asked again, it goes on
showing. "jackdaw undrain" makes the node take its share again, at any time.`,
		Example: `  jackdaw drain
  jackdaw drain n2 --over 2m --timeout 10m`,
		Args: cobra.MaximumNArgs(1),
	}
	s := folderFlags(cmd)
	over := durationFlag(cmd, "over", node.DefaultDrainOver, "send the clients away over this `TIME`")
	timeout := durationFlag(cmd, "timeout", node.DefaultDrainTime, "give up after this `TIME`: the node then stays as it is")
	noWait := cmd.Flags().Bool("no-wait", false, "begin it, and don't wait")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case *over < 0 || *timeout <= 0:
			return usage("--over and --timeout are times, such as 30s")
		case *over >= *timeout:
			return usage("--over %v leaves no time for the rest: --timeout is %v", *over, *timeout)
		}
		return s.withServer(cmd, c, func(ctx context.Context, client *admin.Client) error {
			req := &adminpb.DrainNode{Node: nodeOf(args), OverMs: over.Milliseconds(), TimeoutMs: timeout.Milliseconds()}
			st, err := client.Drain(ctx, req)
			if err != nil {
				return err
			}
			if *noWait {
				return say(c, "%s: %s", nameOf(st.GetNode()), drainText(st))
			}
			return watch(ctx, c, client, st)
		})
	}
	return cmd
}

func newUndrain(c *console) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "undrain [NODE]",
		Short: "Let a node take its share and clients again",
		Long: `Let a node, the one that is asked or any other, take its share of the users and clients again,
after a drain or in the midst of it.`,
		Example: `  jackdaw undrain
  jackdaw undrain n2`,
		Args: cobra.MaximumNArgs(1),
	}
	s := folderFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return s.withServer(cmd, c, func(ctx context.Context, client *admin.Client) error {
			st, err := client.Undrain(ctx, nodeOf(args))
			if err != nil {
				return err
			}
			return watch(ctx, c, client, st)
		})
	}
	return cmd
}

func nodeOf(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

// The phases of a drain, as adminpb.DrainStatus has them.
const (
	phaseNone       = "none"
	phaseLightening = "lightening"
	phaseLeaving    = "leaving"
	phaseClients    = "clients"
	phaseDrained    = "drained"
	phaseOverdue    = "overdue"
	phaseFailed     = "failed"
	phaseReturning  = "returning"
)

// drainText says how far a drain is.
func drainText(d *adminpb.DrainStatus) string {
	took := (time.Duration(d.GetElapsedMs()) * time.Millisecond).Round(100 * time.Millisecond)
	switch d.GetPhase() {
	case phaseNone:
		return "takes its share of the users, and clients"
	case phaseLightening:
		return fmt.Sprintf("batch %d of %d leaves (weight %d), %d partitions here", d.GetStep(), d.GetSteps(), d.GetWeight(), d.GetPartitions())
	case phaseLeaving:
		return fmt.Sprintf("batch %d of %d leaves, %d partitions here", d.GetStep(), d.GetSteps(), d.GetPartitions())
	case phaseClients:
		return fmt.Sprintf("%d of %d clients told, %d here", d.GetTold(), d.GetClients(), d.GetLeft())
	case phaseDrained:
		return fmt.Sprintf("empty after %v: it can be stopped", took)
	case phaseReturning:
		return fmt.Sprintf("takes its share again, %d partitions here", d.GetPartitions())
	}
	return d.GetPhase() + ": " + d.GetReason()
}

// pollTime is how often a command looks how far something is.
const pollTime = 250 * time.Millisecond

// watch shows how far a drain is until there is nothing to come.
func watch(ctx context.Context, c *console, server admin.Cluster, st *adminpb.DrainStatus) error {
	name, shown := nameOf(st.GetNode()), ""
	tick := time.NewTicker(c.pollTime())
	defer tick.Stop()
	for {
		if text := drainText(st); text != shown {
			shown = text
			if err := say(c, "%s: %s", name, text); err != nil {
				return err
			}
		}
		switch st.GetPhase() {
		case phaseNone, phaseDrained:
			return nil
		case phaseOverdue:
			return fmt.Errorf("%s is not empty: `jackdaw drain` goes on, `jackdaw undrain` lets it take its share again", name)
		case phaseFailed:
			return fmt.Errorf("%s was not emptied", name)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		next, err := server.DrainStatus(ctx, st.GetNode())
		switch {
		case errors.Is(err, admin.ErrBusy): // of another node, which may be busy
			continue
		case err != nil:
			return fmt.Errorf("how far %s is can't be seen any more: %w", name, reading(err))
		}
		st = next
	}
}

// follow waits until all nodes have a version of what they share, and no rotation is under way.
func follow(ctx context.Context, c *console, server admin.Cluster, version uint64, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(c.pollTime())
	defer tick.Stop()
	for shown := ""; ; {
		st, err := server.ClusterStatus(ctx)
		if err != nil && ctx.Err() == nil {
			return reading(err)
		}
		b := st.GetBundle()
		if err == nil {
			if text := b.GetWhat(); b.GetVersion() > version && text != shown {
				shown = text
				if err := say(c, "%s (version %d)", text, b.GetVersion()); err != nil {
					return err
				}
			}
			if !b.GetRotating() && b.GetVersion() >= version && len(b.GetLagging()) == 0 {
				return say(c, "all nodes have version %d", b.GetVersion())
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not all nodes have it after %v; they get it when they can be reached, see `jackdaw cluster`", limit)
		case <-tick.C:
		}
	}
}
