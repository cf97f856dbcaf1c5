package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/jackdaw-im/jackdaw/cluster/trust"
	"github.com/jackdaw-im/jackdaw/config"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/store/pebblestore"
	"github.com/jackdaw-im/jackdaw/store/pgstore"
	"github.com/jackdaw-im/jackdaw/store/transfer"
	"github.com/jackdaw-im/jackdaw/telemetry"
)

func newStore(c *console) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "store",
		Short: "Check, move, migrate and mend stores",
		Long: `Check, move, migrate and mend stores: the embedded one in a data folder, or one in PostgreSQL,
which --store and --directory name as they do for "jackdaw serve". In the data folder of a
cluster's node they needn't be named. Passwords needn't stand in the URLs: the file ~/.pgpass
and the variables of PostgreSQL's own tools are read too.`,
		Example: `  jackdaw store check --data /var/lib/jackdaw
  jackdaw store move --data /var/lib/jackdaw --store postgres://db1/mail --directory postgres://db1/directory`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	s := folderFlags(cmd)
	t := &stores{settings: s}
	f := cmd.PersistentFlags()
	f.String("store", "", "`URL` of PostgreSQL, or several separated by commas: the databases of messages")
	f.String("directory", "", "`URL` of the database of accounts and groups; empty is the first of --store")
	f.BoolVar(&t.unreplicated, "allow-unreplicated", false, "write although no synchronous standby has a copy")
	cmd.AddCommand(newStoreCheck(c, t), newStoreMove(c, t), newStoreMigrate(c, t), newStoreReconcile(c, t), newStoreRelease(c, t))
	return cmd
}

// stores say which store is meant.
type stores struct {
	*settings
	unreplicated bool

	// Set by find.
	cfg             *config.Config
	list, directory string // of a store in PostgreSQL; empty: the embedded one
	cluster         string // whose store it is, if the data folder says so
}

// find reads the configuration, and what a node knows of its cluster's store. needed says that a store in PostgreSQL must
// be named; its node may know one.
func (t *stores) find(c *console, needed bool) (err error) {
	if t.cfg, err = t.load(c); err != nil {
		return err
	}
	t.list, t.directory = t.cfg.Store.URL, t.cfg.Store.Directory
	t.unreplicated = t.unreplicated || t.cfg.Store.AllowUnreplicated
	if _, err := os.Stat(t.cfg.BundleFile()); err == nil && t.list == "" {
		b, err := trust.Load(t.cfg.BundleFile())
		if err != nil {
			return err
		}
		var list []string
		for _, s := range b.Stores {
			list = append(list, s.Reveal())
		}
		t.list, t.directory, t.cluster = strings.Join(list, ","), b.Directory.Reveal(), b.Cluster
	}
	switch {
	case t.list == "" && needed:
		return usage("--store says which store in PostgreSQL is meant")
	case t.list != "" && !pgstore.Is(t.list):
		return usage("--store is postgres://.., and the embedded store is named by --data")
	}
	return nil
}

// options are those of a tool that opens a store in PostgreSQL.
func (t *stores) options() pgstore.Options {
	return pgstore.Options{Directory: t.directory, Node: ident.NodeID(fmt.Sprintf("tool@%d", time.Now().UnixMicro())),
		AllowUnreplicated: t.unreplicated, Tool: true, Cluster: t.cluster}
}

// openShared opens the store in PostgreSQL.
func (t *stores) openShared() (store.Engine, error) {
	e, err := pgstore.Open(t.list, t.options())
	if err != nil {
		return nil, err // an interface that holds no nil pointer
	}
	return e, nil
}

// openFolder opens an embedded store, which must be there.
func openFolder(folder string) (store.Engine, error) {
	if _, err := os.Stat(folder); err != nil {
		return nil, fmt.Errorf("there is no store in %s: say with --data where the server keeps its data", folder)
	}
	log, err := telemetry.NewLogger("warn", "console", os.Stderr)
	if err != nil {
		return nil, err
	}
	e, err := pebblestore.Open(pebblestore.Scheme+":"+folder, pebblestore.Options{Logger: log, Ballast: -1})
	if err != nil {
		return nil, err // an interface that holds no nil pointer
	}
	return e, nil
}

// with opens the store that is meant, for changes, and calls f.
func (t *stores) with(cmd *cobra.Command, f func(context.Context, store.Engine) error) (err error) {
	var e store.Engine
	if t.list != "" {
		e, err = t.openShared()
	} else {
		e, err = openFolder(storeFolder(t.cfg))
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	return f(cmd.Context(), e)
}

// progress prints to stderr how far a long run has come, once a second.
func progress(c *console) transfer.Progress {
	last := time.Now()
	return func(what string, part store.Part, n int64) {
		if now := time.Now(); now.Sub(last) >= time.Second {
			last = now
			_, _ = fmt.Fprintf(c.err, "%s %d entries of %s\n", what, n, part)
		}
	}
}

func newStoreCheck(c *console, t *stores) *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Read all of a store and say what is in it and what is wrong",
		Long: `Read all of a store, and print how many entries of which kind it holds, with a hash that is the
same for the same content in any engine, and what is wrong: entries that can't be read or are
in the wrong place, and such that belong to users and groups that don't exist. Nothing is
changed. The exit code is 1 if something is wrong.

It may run beside servers. Of an embedded store that a server uses, it reads a checkpoint.`,
		Example: `  jackdaw store check --data /var/lib/jackdaw
  jackdaw store check --store postgres://db1/mail,postgres://db2/mail --directory postgres://db1/directory`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := t.find(c, false); err != nil {
				return err
			}
			check := func(ctx context.Context, e store.Engine) error { return checkStore(ctx, c, e) }
			if t.list != "" {
				t.unreplicated = true // it only reads
				return t.with(cmd, check)
			}
			return t.withCheckpoint(cmd, c, func(ctx context.Context, from *checkpoint) (err error) {
				if from.folder == "" {
					return fmt.Errorf("the server's store is %s: name it with --store and --directory", from.name)
				}
				e, err := openFolder(from.folder)
				if err != nil {
					return err
				}
				defer func() { err = errors.Join(err, e.Close()) }()
				return check(ctx, e)
			})
		},
	}
}

// checkStore checks a store and prints the report.
func checkStore(ctx context.Context, c *console, e store.Engine) error {
	r, err := transfer.Check(ctx, e, progress(c))
	if err != nil {
		return err
	}
	if err := errors.Join(say(c, "%s, schema %d", r.Store, r.Schema), printDigests(c.out, r.Parts)); err != nil || r.OK() {
		return err
	}
	total := int64(0)
	for _, p := range r.Problems {
		total += p.Count
		if err := say(c, "\n%d %s", p.Count, p.What); err != nil {
			return err
		}
		for _, text := range p.Examples {
			if err := say(c, "  %s", text); err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("the store has problems, %d in all; \"jackdaw store reconcile\" mends those that a restored backup leaves", total)
}

// printDigests prints what the parts of a store hold.
func printDigests(to io.Writer, parts [store.Parts]transfer.Digest) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	for part, d := range parts {
		if store.Part(part) != store.PartIndexes {
			_, _ = fmt.Fprintf(w, "%s\t%d\t%d bytes\t%s\t\n", store.Part(part), d.Entries, d.Bytes, d) // Flush returns the error
		}
	}
	return w.Flush()
}

func newStoreMove(c *console, t *stores) *cobra.Command {
	return &cobra.Command{
		Use:   "move",
		Short: "Copy a data folder's store into PostgreSQL",
		Long: `Copy all that the embedded store of a data folder holds into a store in PostgreSQL, so that one
server can become a cluster. No server may use either. The databases must be empty; tables
are made. At the end both stores are read and compared, by counts and hashes.

A move that was interrupted is repeated with the same command and goes on where it was; until
it has come to its end, no server opens the databases. The folder isn't changed: keep it until
the cluster runs, and start no server on its embedded store any more.`,
		Example: `  jackdaw store move --data /var/lib/jackdaw --store postgres://db1/mail,postgres://db2/mail --directory postgres://db1/directory`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if err := t.find(c, true); err != nil {
				return err
			}
			folder, err := filepath.Abs(storeFolder(t.cfg))
			if err != nil {
				return err
			}
			from, err := openFolder(folder)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, from.Close()) }()
			return t.with(cmd, func(ctx context.Context, to store.Engine) error {
				m, err := transfer.Move(ctx, from, to, folder, progress(c))
				if err != nil {
					return err
				}
				how := "moved"
				if m.Resumed {
					how = "moved, going on where it was interrupted,"
				}
				if err := say(c, "%s %s to %s", how, folder, to.Info().Name); err != nil {
					return err
				}
				if err := os.WriteFile(t.cfg.MovedFile(), []byte(to.Info().Name+"\n"), 0o600); err != nil {
					return fmt.Errorf("it is moved, but that can't be written down in the folder, so that no server serves it alone: %w", err)
				}
				return printDigests(c.out, m.Parts)
			})
		},
	}
}

func newStoreMigrate(c *console, t *stores) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Show and change the schema of a store in PostgreSQL",
		Long: `Show the version of the schema of each database of a store in PostgreSQL, and take the steps
that it lacks. Servers take them by themselves when they start; it is for those that aren't
allowed to, and for steps with --contract.

Servers of the version before go on working behind all steps but those that contract, which
remove what only they use. Take these once no older server runs.`,
		Example: `  jackdaw store migrate --show --store postgres://db1/mail --directory postgres://db1/directory
  jackdaw store migrate --contract --store postgres://db1/mail --directory postgres://db1/directory`,
		Args: cobra.NoArgs,
	}
	show := cmd.Flags().Bool("show", false, "change nothing")
	contract := cmd.Flags().Bool("contract", false, "also take steps behind which older servers can't go on")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := t.find(c, true); err != nil {
			return err
		}
		before, err := pgstore.Schemas(cmd.Context(), t.list, t.options())
		if err != nil {
			return err
		}
		after := before
		if !*show {
			if after, err = pgstore.Migrate(cmd.Context(), t.list, t.options(), *contract); err != nil {
				return err
			}
		}
		return printSchemas(c, before, after)
	}
	return cmd
}

// printSchemas prints where databases stand, and what has changed.
func printSchemas(c *console, before, after []pgstore.Schema) error {
	for i, a := range after {
		if err := say(c, "%s (%s): schema %d of %d", a.Database, a.Place, a.Version, a.Latest); err != nil {
			return err
		}
		for _, s := range before[i].Steps {
			state := "taken"
			if s.Version > a.Version {
				state = "to be taken"
			}
			if s.Contract {
				state += ", contracts"
			}
			if err := say(c, "  %d: %s (%s)", s.Version, s.What, state); err != nil {
				return err
			}
		}
	}
	return nil
}

func newStoreReconcile(c *console, t *stores) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reconcile",
		Short: "Mend what doesn't fit together after backups were restored",
		Long: `Mend what doesn't fit together after the databases of a store were restored from backups of
different moments: messages of users who have no account are removed, such users leave their
groups, and what waits in logs of groups that don't exist is dropped. All messages are marked
as possibly delivered before, because those that were delivered and deleted after the backup
are there again. No server may use the store. It may be repeated.

"jackdaw restore" needs none of this: it marks the messages itself, and the folder is of one
moment.`,
		Example: `  jackdaw store reconcile --store postgres://db1/mail --directory postgres://db1/directory`,
		Args:    cobra.NoArgs,
	}
	unmarked := cmd.Flags().Bool("unmarked", false, "don't mark the messages: nothing was restored")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := t.find(c, false); err != nil {
			return err
		}
		return t.with(cmd, func(ctx context.Context, e store.Engine) error {
			m, err := transfer.Reconcile(ctx, e, !*unmarked, progress(c))
			if err != nil {
				return err
			}
			return say(c, `removed %d messages of %d users who have no account
removed %d members of groups who have no account
dropped %d messages of groups that don't exist
marked %d messages as possibly delivered before`, m.Mail, m.Mailboxes, m.Left, m.GroupEntries, m.Restored)
		})
	}
	return cmd
}

func newStoreRelease(c *console, t *stores) *cobra.Command {
	return &cobra.Command{
		Use:   "release",
		Short: "Let another cluster have a store in PostgreSQL",
		Long: `Let another cluster have a store in PostgreSQL. The databases of a store hold the id of the
cluster whose nodes opened them first, and nodes of others are refused: two clusters at work
on the same users would not know of each other. After this command the databases are those
of the cluster whose node opens them next.

It is for what is left of a cluster none of whose data folders is left, and for copies of a
cluster's databases that are to serve another one. No server may use the store.`,
		Example: `  jackdaw store release --store postgres://db1/mail --directory postgres://db1/directory
  jackdaw serve --cluster 10.0.0.1:5300 --store postgres://db1/mail --directory postgres://db1/directory`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := t.find(c, true); err != nil {
				return err
			}
			nodes, err := pgstore.Nodes(cmd.Context(), t.list, t.directory)
			if err != nil {
				return err
			}
			if len(nodes) > 0 {
				var names []string
				for _, n := range nodes {
					names = append(names, n.Name())
				}
				return fmt.Errorf("nothing is changed: these are at work on the store: %s", strings.Join(names, ", "))
			}
			t.cluster, t.unreplicated = "", true // it is not this folder's cluster that counts
			e, err := pgstore.Open(t.list, t.options())
			if err != nil {
				return err
			}
			had, err := e.Release(cmd.Context())
			if err = errors.Join(err, e.Close()); err != nil {
				return err
			}
			if had == "" {
				return say(c, "the store is nobody's: the next cluster that opens it has it")
			}
			return say(c, "the store is nobody's any more, and was the cluster's %s: the next one that opens it has it", had)
		},
	}
}
