package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/jackdaw-im/jackdaw/admin"
	"github.com/jackdaw-im/jackdaw/cmd/jackdaw/top"
	"github.com/jackdaw-im/jackdaw/proto/adminpb"
)

// shortestInterval is how often a server may be measured: the counts it has are no finer.
const shortestInterval = 100 * time.Millisecond

func newTop(c *console) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Show the busiest actors of the running server, live",
		Long: `Show the running server live, as htop shows processes: its memory, load and actors by kind,
and below them the actors with the longest queues, the oldest waiting messages, the most
messages and the most restarts. DOING is the message being handled and since when, or in
brackets the last one. Measuring asks no actor: it works while all of them are stuck.

Keys: q, a, m and r sort by queue, age, messages and restarts; p pauses; j, k, the arrows and
the page keys scroll; x, Q or Ctrl-C ends. Without a terminal it prints one screen.`,
		Example: `  jackdaw top
  jackdaw top --once --sort age
  jackdaw top --json | jq '.actors[0]'`,
		Args: cobra.NoArgs,
	}
	s := folderFlags(cmd)
	var once, batch bool
	var interval time.Duration
	cmd.Flags().BoolVar(&once, "once", false, "print one screen and end; nothing is cut off")
	cmd.Flags().BoolVarP(&batch, "batch", "b", false, "the same as --once")
	cmd.Flags().DurationVarP(&interval, "interval", "d", time.Second, "measure every `TIME`, such as 500ms or 5s")
	sort := cmd.Flags().String("sort", "queue", "begin sorted by `WHAT`: queue, age, messages or restarts")
	asJSON := jsonFlag(cmd, "one measurement")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		by, ok := top.SortBy(*sort)
		switch {
		case !ok:
			return usage("--sort is queue, age, messages or restarts")
		case interval < shortestInterval:
			return usage("--interval is %v or more", shortestInterval)
		}
		return s.withServer(cmd, c, func(ctx context.Context, client *admin.Client) error {
			ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
			defer stop()
			if once || batch || *asJSON || c.screen == nil {
				return printTop(ctx, c, client, by, interval, *asJSON)
			}
			return showTop(ctx, c, client, by, interval)
		})
	}
	return cmd
}

// printTop prints one screen.
func printTop(ctx context.Context, c *console, server admin.Overview, by top.Key, interval time.Duration, asJSON bool) error {
	measured, err := top.Once(ctx, server.Top, interval)
	switch {
	case err != nil:
		return reading(err)
	case asJSON:
		return sayJSON(c, measured)
	}
	_, err = io.WriteString(c.out, top.Text(measured, by))
	return err
}

// showTop shows the live screen. Whatever happens, the terminal is as it was afterwards.
func showTop(ctx context.Context, c *console, server admin.Overview, by top.Key, interval time.Duration) (err error) {
	tty, err := c.screen()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tty.Close()) }()
	return reading(top.Run(ctx, tty, func(ctx context.Context) (*adminpb.Top, error) { return server.Top(ctx) }, by, interval))
}
