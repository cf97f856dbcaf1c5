package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/jackdaw-im/jackdaw/admin"
)

// shownBad is how many bad lines are told one by one.
const shownBad = 100

func newUserImport(c *console, s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "import FILE",
		Short: "Add many users from a list",
		Long: `Add many users from a list; - is standard input. Each line is

  name@domain,password

as CSV: a password that holds a comma or a quote stands in quotes. A user who exists gets the
password of the list, so an import that was interrupted can simply be repeated. A line that
makes no sense is told with its number and left out; the exit code is then 1.

Making keys of passwords is slow on purpose: about 500 users a second on each core.`,
		Example: `  jackdaw user import users.csv
  jackdaw user import - < users.csv`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("one file is needed, with lines of name@domain,password; - is standard input")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			from := c.in
			if args[0] != "-" {
				file, err := os.Open(args[0])
				if err != nil {
					return fmt.Errorf("the list can't be read: %w", err)
				}
				defer func() { _ = file.Close() }() // only read
				from = file
			}
			return s.withUsers(cmd, c, true, func(ctx context.Context, a *admin.Access) error { return importUsers(ctx, c, a, from) })
		},
	}
}

// importUsers imports a list and tells how it goes.
func importUsers(ctx context.Context, c *console, a *admin.Access, from io.Reader) error {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	start, bad := time.Now(), 0
	im := admin.Import{
		Users: a.Users, Tick: ticker.C,
		Bad: func(line int, err error) {
			if bad++; bad <= shownBad {
				_, _ = fmt.Fprintf(c.err, "line %d: %v\n", line, err)
			}
		},
		Progress: func(i admin.Imported) {
			_, _ = fmt.Fprintf(c.err, "%d users, %.0f/s\n", i.Done(), float64(i.Done())/time.Since(start).Seconds())
		},
	}
	if a.Certain {
		im.Domain = a.Domain
	}
	done, err := im.Run(ctx, from)
	took := time.Since(start)
	if done.Done() > 0 || err == nil {
		if err := say(c, "imported %d users (%d new, %d changed) in %v, %.0f/s", done.Done(), done.Created, done.Changed,
			took.Round(time.Millisecond), float64(done.Done())/took.Seconds()); err != nil {
			return err
		}
	}
	switch {
	case err != nil:
		return fmt.Errorf("the import stopped: %w", err)
	case bad > 0:
		return fmt.Errorf("%d lines of the list were not taken", bad)
	}
	return nil
}
