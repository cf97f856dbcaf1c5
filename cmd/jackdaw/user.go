package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jackdaw-im/jackdaw/admin"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/telemetry"
)

func newUser(c *console) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "user",
		Short: "Add, change, list, remove and import users",
		Long: `Add, change, list, remove and import users. If a server runs on the data folder, it does
the work, and at once; if none runs, the folder is changed directly.

Name the folder with --data if the server was given one. A name without @domain is taken to
be at the domain that the server serves, or served last; before its first start at --domain.`,
		Example: `  jackdaw user add juliet@localhost
  jackdaw user list --data /var/lib/jackdaw`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	s := dataFlags(cmd)
	cmd.AddCommand(newUserAdd(c, s), newUserPasswd(c, s), newUserList(c, s), newUserRemove(c, s), newUserImport(c, s))
	return cmd
}

// withUsers opens the way to the users and calls f. create says whether a data folder may be made.
func (s *settings) withUsers(cmd *cobra.Command, c *console, create bool, f func(context.Context, *admin.Access) error) (err error) {
	cfg, err := s.load(c)
	if err != nil {
		return err
	}
	log, err := telemetry.NewLogger("warn", "console", os.Stderr)
	if err != nil {
		return err
	}
	access, err := admin.Open(cmd.Context(), cfg, create, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, access.Close()) }()
	return f(cmd.Context(), access)
}

// oneUser is the argument of commands about one user.
func oneUser(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usage("one user's address is needed, such as juliet@localhost")
	}
	return nil
}

func newUserAdd(c *console, s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add USER",
		Short: "Add a user",
		Long:  "Add a user. The password is asked for; it can also come from standard input, or be made up.",
		Example: `  jackdaw user add juliet@localhost
  jackdaw user add romeo@localhost --generate
  pass show romeo | jackdaw user add romeo@localhost --password-stdin`,
		Args: oneUser,
	}
	p := passwordFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return s.withPassword(cmd, c, p, args[0], true, func(ctx context.Context, a *admin.Access, u admin.User) error {
			if err := a.Create(ctx, u); err != nil {
				return explain(u.ID, err)
			}
			return say(c, "added %s", u.ID)
		})
	}
	return cmd
}

func newUserPasswd(c *console, s *settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "passwd USER",
		Short: "Change a user's password",
		Long:  "Change a user's password. Who is logged in stays so. The password is given as with \"jackdaw user add\".",
		Example: `  jackdaw user passwd juliet@localhost
  jackdaw user passwd juliet@localhost --generate`,
		Args: oneUser,
	}
	p := passwordFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return s.withPassword(cmd, c, p, args[0], false, func(ctx context.Context, a *admin.Access, u admin.User) error {
			if err := a.SetPassword(ctx, u); err != nil {
				return explain(u.ID, err)
			}
			return say(c, "changed the password of %s", u.ID)
		})
	}
	return cmd
}

// withPassword opens the way to the users, gets the password, and calls f with its keys.
func (s *settings) withPassword(cmd *cobra.Command, c *console, p *password, name string, create bool,
	f func(context.Context, *admin.Access, admin.User) error) error {
	if err := p.check(c); err != nil {
		return err
	}
	if _, err := admin.ParseUser(name, "localhost"); err != nil {
		return usage("%v", err) // before anybody is asked for anything
	}
	text, err := p.read(c)
	if err != nil {
		return err
	}
	return s.withUsers(cmd, c, create, func(ctx context.Context, a *admin.Access) error {
		id, err := admin.ParseUser(name, a.Domain)
		if err != nil {
			return err
		}
		u, err := admin.NewUser(id, text)
		if err != nil {
			return err
		}
		if err := f(ctx, a, u); err != nil {
			return err
		}
		if p.generate {
			return say(c, "password: %s", text)
		}
		return nil
	})
}

func newUserList(c *console, s *settings) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List all users",
		Long:    "List all users in alphabetical order, one a line: the address, and when it was added (UTC).",
		Example: "  jackdaw user list",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.withUsers(cmd, c, false, func(ctx context.Context, a *admin.Access) error { return listUsers(ctx, c.out, a) })
		},
	}
}

// listPage is how many users are asked for at a time.
const listPage = 1000

func listUsers(ctx context.Context, out io.Writer, users admin.Users) error {
	after := ident.UserID("")
	for {
		page, err := users.List(ctx, after, listPage)
		if err != nil || len(page) == 0 {
			return err
		}
		var b strings.Builder
		for _, e := range page {
			fmt.Fprintf(&b, "%s\t%s", e.ID, e.Created.UTC().Format(time.DateTime))
			if e.Disabled {
				b.WriteString("\tdisabled")
			}
			b.WriteByte('\n')
		}
		if _, err := io.WriteString(out, b.String()); err != nil {
			return err
		}
		after = page[len(page)-1].ID
	}
}

func newUserRemove(c *console, s *settings) *cobra.Command {
	return &cobra.Command{
		Use:     "remove USER",
		Short:   "Remove a user with everything the account owns",
		Long:    "Remove a user: sessions end, and the roster, waiting messages and everything else of the account are\ndeleted. There is no way back.",
		Example: "  jackdaw user remove romeo@localhost",
		Args:    oneUser,
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.withUsers(cmd, c, false, func(ctx context.Context, a *admin.Access) error {
				id, err := admin.ParseUser(args[0], a.Domain)
				if err != nil {
					return usage("%v", err)
				}
				if err := a.Remove(ctx, id); err != nil {
					return explain(id, err)
				}
				return say(c, "removed %s", id)
			})
		},
	}
}

// say writes one line of result.
func say(c *console, format string, args ...any) error {
	_, err := fmt.Fprintf(c.out, format+"\n", args...)
	return err
}

// explain names the user that a refusal is about.
func explain(user ident.UserID, err error) error { return fmt.Errorf("%s: %w", user, err) }

// madeUp is a random password of 130 bits, easy to type.
func madeUp() string { return strings.ToLower(rand.Text()) }
