package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jackdaw-im/jackdaw/admin"
	"github.com/jackdaw-im/jackdaw/dump"
)

func newDump(c *console) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dump",
		Short: "Write a crash dump of the running server, and show one",
		Long: `Write a crash dump of the running server, which goes on, and print its path: the supervision
tree, the busiest actors with their queues and last messages, states as behaviours show
them, goroutines and runtime metrics. It holds names of users, and neither what they write
nor keys. The server also writes one by itself when it gets SIGQUIT, when it dies of a fault,
and when its memory runs short.`,
		Example: `  jackdaw dump
  jackdaw dump -o before.dump
  jackdaw dump view before.dump`,
		Args: cobra.NoArgs,
	}
	s := folderFlags(cmd)
	file := cmd.Flags().StringP("output", "o", "", "write it to `FILE` instead of the server's folder")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return s.withServer(cmd, c, func(ctx context.Context, client *admin.Client) error {
			if *file != "" {
				return writeDump(ctx, c, client, *file)
			}
			done, err := client.Dump(ctx)
			if err != nil {
				return reading(err)
			}
			return say(c, "%s", done.GetFile())
		})
	}
	cmd.AddCommand(newDumpView(c))
	return cmd
}

// writeDump writes a dump to a file that only its owner can read. After an error there is no file.
func writeDump(ctx context.Context, c *console, server admin.Overview, name string) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("the dump can't be written: %w", err)
	}
	if err := errors.Join(reading(server.DumpTo(ctx, file)), file.Close()); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return say(c, "%s", name)
}

func newDumpView(c *console) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "view FILE",
		Short: "Show a crash dump",
		Long: `Show a crash dump: the busiest actors, the tree, states, memory and goroutines. Long sections
are cut short, and the configuration is left out, unless --all or --section asks for them.
The file itself is text.`,
		Example: `  jackdaw dump view before.dump
  jackdaw dump view before.dump --section goroutines --all`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("one file is needed, which `jackdaw dump` has written")
			}
			return nil
		},
	}
	var o dump.Options
	cmd.Flags().BoolVar(&o.All, "all", false, "print every line of a section")
	cmd.Flags().StringArrayVar(&o.Sections, "section", nil, "print `NAME` only, one of "+strings.Join(dump.Sections(), ", ")+"; may be repeated")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		for _, name := range o.Sections {
			if !slices.Contains(dump.Sections(), name) {
				return usage("no section is called %q: there are %s", name, strings.Join(dump.Sections(), ", "))
			}
		}
		file, err := os.Open(args[0])
		if err != nil {
			return fmt.Errorf("the dump can't be read: %w", err)
		}
		defer func() { _ = file.Close() }() // only read
		return dump.View(c.out, file, o)
	}
	return cmd
}
