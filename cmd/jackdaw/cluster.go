package main

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jackdaw-im/jackdaw/admin"
	"github.com/jackdaw-im/jackdaw/cluster/trust"
	"github.com/jackdaw-im/jackdaw/proto/adminpb"
)

func newCluster(c *console) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cluster",
		Short: "Show the cluster, let nodes join, change what they share",
		Long: `Show the cluster that the running server belongs to: its nodes and their states, versions and
shares of the users, whether all agree, what waits on its way between them, the busiest
partitions, and what the loss of each node would leave. Any node shows all of them.

A node gets into it by the token that "jackdaw cluster token" prints on any node, and
"jackdaw serve --join HOST:PORT --token TOKEN" on its own machine.`,
		Example: `  jackdaw cluster
  jackdaw cluster --links
  jackdaw cluster --json | jq '.members[] | {name, state, owned}'`,
		Args: cobra.NoArgs,
	}
	s := folderFlags(cmd)
	links := cmd.Flags().Bool("links", false, "show each link between nodes, the quiet ones too")
	asJSON := jsonFlag(cmd, "all of it")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return s.withServer(cmd, c, func(ctx context.Context, client *admin.Client) error {
			st, err := client.ClusterStatus(ctx)
			switch {
			case err != nil:
				return reading(err)
			case *asJSON:
				return sayJSON(c, st)
			}
			_, err = io.WriteString(c.out, clusterText(st, *links))
			return err
		})
	}
	cmd.AddCommand(newClusterToken(c, s), newClusterRotate(c, s), newClusterRevoke(c, s), newClusterReadmit(c, s), newClusterPin(c, s), newClusterUnpin(c, s), newClusterStore(c, s))
	return cmd
}

func newClusterToken(c *console, s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make a token by which nodes join",
		Long: `Make a token by which nodes join, and print it. Whoever has it can become a node until it
expires, and then reads everything: pass it on like a password. One token is good for any
number of nodes. "jackdaw cluster rotate token" makes all tokens void.`,
		Example: `  jackdaw cluster token
  ssh n2 jackdaw serve --join 10.0.0.1:5300 --token "$(jackdaw cluster token --life 5m)"`,
		Args: cobra.NoArgs,
	}
	life := durationFlag(cmd, "life", trust.TokenLife, "`TIME` for which it is good, such as 10m or 7d, which is the most")
	asJSON := jsonFlag(cmd, "the token and when it expires")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *life < trust.MinTokenLife || *life > trust.MaxTokenLife {
			return usage("--life is from %dm to %dd", trust.MinTokenLife/time.Minute, trust.MaxTokenLife/(24*time.Hour))
		}
		return s.withServer(cmd, c, func(ctx context.Context, client *admin.Client) error {
			t, err := client.ClusterToken(ctx, *life)
			switch {
			case err != nil:
				return err
			case *asJSON:
				return sayJSON(c, t)
			}
			// The token alone is what scripts read.
			hint(c, "good until %s; on the new node: jackdaw serve --join %s --token TOKEN", time.UnixMicro(t.GetExpires()).Format(time.DateTime), t.GetSeed())
			return say(c, "%s", t.GetToken())
		})
	}
	return cmd
}

// oneOf makes the check of a command's only argument.
func oneOf(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usage("%s is needed", what)
		}
		return nil
	}
}

// change asks for one change of what the nodes share, and says what was done.
func (s *settings) change(cmd *cobra.Command, c *console, req *adminpb.ChangeCluster, wait time.Duration) error {
	return s.withServer(cmd, c, func(ctx context.Context, client *admin.Client) error {
		done, err := client.ChangeCluster(ctx, req)
		if err != nil {
			return err
		}
		if err := say(c, "%s (version %d)", done.GetWhat(), done.GetVersion()); err != nil || wait == 0 {
			return err
		}
		return follow(ctx, c, client, done.GetVersion(), wait)
	})
}

// waitFlag defines --wait.
func waitFlag(cmd *cobra.Command, d time.Duration) *time.Duration {
	return durationFlag(cmd, "wait", d, "wait `TIME` at most until all nodes have it; 0 doesn't wait")
}

const nodeName = "one node's name, as `jackdaw cluster` shows it,"

func newClusterRevoke(c *console, s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "revoke NODE",
		Short: "Shut a node out for good, and rotate all keys",
		Long: `Shut a node out: the others close its connections, take nothing from it any more, and take
over its share. All keys are rotated, because the node knows them; the passwords of the stores
are the databases' own business: change them there, and tell the nodes with
"jackdaw cluster store". Drain the node first if it can still be trusted.`,
		Example: `  jackdaw cluster revoke n3`,
		Args:    oneOf(nodeName),
	}
	wait := waitFlag(cmd, time.Minute)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return s.change(cmd, c, &adminpb.ChangeCluster{Kind: &adminpb.ChangeCluster_Revoke{Revoke: args[0]}}, *wait)
	}
	return cmd
}

func newClusterReadmit(c *console, s *settings) *cobra.Command {
	return &cobra.Command{
		Use:     "readmit NODE",
		Short:   "Let a node that was shut out join again",
		Long:    "Let a node of that name join again. It needs a new token and an empty data folder.",
		Example: "  jackdaw cluster readmit n3",
		Args:    oneOf(nodeName),
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.change(cmd, c, &adminpb.ChangeCluster{Kind: &adminpb.ChangeCluster_Readmit{Readmit: args[0]}}, 0)
		},
	}
}

// rotations are what can be rotated, by the word for it.
var rotations = map[string]adminpb.Rotate_What{
	"all": adminpb.Rotate_ALL, "gossip": adminpb.Rotate_GOSSIP, "authority": adminpb.Rotate_AUTHORITY, "tickets": adminpb.Rotate_TICKETS, "token": adminpb.Rotate_TOKEN,
}

func newClusterRotate(c *console, s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate [all|gossip|authority|tickets|token]",
		Short: "Replace keys, while all nodes run",
		Long: `Replace keys of the cluster, all of them unless one kind is named: that of gossip, the authority
that signs the nodes' certificates, those of clients' TLS session tickets, that of join tokens.
New keys of gossip and a new authority are known to all nodes before they are used, and the
old ones go when all use the new: nothing is interrupted. A node that is away for all of it
needs a new token. An authority that was made by hand is replaced by "jackdaw cert rotate".`,
		Example: `  jackdaw cluster rotate
  jackdaw cluster rotate authority --wait 5m`,
		Args: cobra.MaximumNArgs(1),
	}
	wait := waitFlag(cmd, time.Minute)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		what, ok := adminpb.Rotate_ALL, true
		if len(args) == 1 {
			what, ok = rotations[args[0]]
		}
		if !ok {
			return usage("%q can't be rotated: there are all, gossip, authority, tickets and token", args[0])
		}
		return s.change(cmd, c, &adminpb.ChangeCluster{Kind: &adminpb.ChangeCluster_Rotate{Rotate: &adminpb.Rotate{What: what}}}, *wait)
	}
	return cmd
}

// pinOf reads what is pinned.
func pinOf(text, node string) (*adminpb.ChangeCluster, error) {
	kind, id, ok := strings.Cut(text, "/")
	if !ok || kind == "" || id == "" {
		return nil, usage("%q names no actor that could be pinned: write kind/id, as in mailbox/juliet@localhost", text)
	}
	return &adminpb.ChangeCluster{Kind: &adminpb.ChangeCluster_Pin{Pin: &adminpb.Pin{Kind: kind, Id: id, Node: node}}}, nil
}

func newClusterPin(c *console, s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "pin KIND/ID NODE",
		Short: "Put one hot actor on a node",
		Long: `Put one actor on a node, wherever its partition is: one that is too much for the partition's
owner. While no node of that name is there, the partition's owner has it.`,
		Example: `  jackdaw cluster pin mailbox/news@example.org n3`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usage("an actor and a node are needed, as in mailbox/news@example.org n3")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			req, err := pinOf(args[0], args[1])
			if err != nil {
				return err
			}
			return s.change(cmd, c, req, 0)
		},
	}
}

func newClusterUnpin(c *console, s *settings) *cobra.Command {
	return &cobra.Command{
		Use:     "unpin KIND/ID",
		Short:   "Let an actor go with its partition again",
		Long:    "Let an actor that was pinned go with its partition again.",
		Example: "  jackdaw cluster unpin mailbox/news@example.org",
		Args:    oneOf("one actor, as in mailbox/news@example.org,"),
		RunE: func(cmd *cobra.Command, args []string) error {
			req, err := pinOf(args[0], "")
			if err != nil {
				return err
			}
			return s.change(cmd, c, req, 0)
		},
	}
}
