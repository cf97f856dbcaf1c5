package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/jackdaw-im/jackdaw/admin"
	"github.com/jackdaw-im/jackdaw/config"
	"github.com/jackdaw-im/jackdaw/node"
	"github.com/jackdaw-im/jackdaw/store/backup"
)

// storeFolder is where a data folder has its embedded store.
func storeFolder(cfg *config.Config) string { return strings.TrimPrefix(cfg.StoreURL(), "pebble:") }

// lockFile keeps two checkpoints of one data folder from being made at once.
const lockFile = "checkpoint.lock"

// memoryFile holds what a node was promised by the servers of its databases. Restored beside other databases, it would
// refuse them.
var memoryFile = filepath.Join("cluster", "store-memory.json")

// layout is a data folder as backups see it.
func layout(cfg *config.Config) backup.Layout {
	l := backup.Layout{Data: cfg.Data, Store: filepath.Base(storeFolder(cfg)), Skip: []string{lockFile, memoryFile}}
	for _, path := range []string{cfg.SocketFile(), cfg.DumpFolder(), cfg.CheckpointFolder()} {
		l.Skip = append(l.Skip, filepath.Base(path))
	}
	return l
}

// checkpoint is a folder with the store as it was at one moment.
type checkpoint struct {
	folder  string // "" = the store isn't in the data folder
	name    string // of the store
	schema  int
	running bool // a server made it
}

// withCheckpoint makes a checkpoint of the embedded store, with the help of the server that runs on the folder if one does,
// calls f, and removes it.
func (s *settings) withCheckpoint(cmd *cobra.Command, c *console, f func(context.Context, *checkpoint) error) (err error) {
	cfg, err := s.load(c)
	if err != nil {
		return err
	}
	lock, err := lockFolder(cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	cp, err := makeCheckpoint(cmd.Context(), cfg)
	if cp != nil && cp.folder != "" {
		defer func() { err = errors.Join(err, os.RemoveAll(cp.folder)) }()
	}
	if err != nil {
		return err
	}
	return f(cmd.Context(), cp)
}

// lockFolder makes sure that nobody else makes a checkpoint until the returned file is closed.
func lockFolder(cfg *config.Config) (*os.File, error) {
	if _, err := os.Stat(cfg.Data); err != nil {
		return nil, fmt.Errorf("there is no data folder %s: say with --data where the server keeps its data", cfg.Data)
	}
	lock, err := os.OpenFile(filepath.Join(cfg.Data, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("no permission for the data folder: become the user who runs the server (%w)", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("a backup or a check of %s is under way already", cfg.Data), lock.Close())
	}
	return lock, nil
}

func makeCheckpoint(ctx context.Context, cfg *config.Config) (*checkpoint, error) {
	client, err := admin.Dial(ctx, cfg.SocketFile())
	switch {
	case err == nil:
		defer func() { _ = client.Close() }() // it has nothing left to say
		made, err := client.Checkpoint(ctx)
		if err != nil {
			return nil, err
		}
		return &checkpoint{made.GetFolder(), made.GetStore(), int(made.GetSchema()), true}, nil
	case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ECONNREFUSED):
		return nil, err
	}
	if _, err := os.Stat(storeFolder(cfg)); errors.Is(err, fs.ErrNotExist) {
		return &checkpoint{name: "none in the folder"}, nil
	}
	info, err := backup.Checkpoint(ctx, layout(cfg), cfg.CheckpointFolder())
	return &checkpoint{cfg.CheckpointFolder(), info.Name, info.SchemaVersion, false}, err
}

func newBackup(c *console) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup DIR",
		Short: "Copy a data folder, of a running server too",
		Long: `Copy a data folder into DIR, which must be empty or not exist: the embedded store, certificate,
keys and what else the server keeps, but no crash dumps. A server that runs on the folder goes
on; the backup holds all that it had acknowledged when the command began. DIR then holds keys:
guard it as the folder itself.

Of a server whose store is in PostgreSQL it holds the files only. docs/OPERATIONS.md says how
the databases are backed up.`,
		Example: `  jackdaw backup /backup/jackdaw-$(date +%F) --data /var/lib/jackdaw`,
		Args:    oneFolder,
	}
	s := folderFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return s.withCheckpoint(cmd, c, func(ctx context.Context, cp *checkpoint) error {
			cfg, err := s.load(c)
			if err != nil {
				return err
			}
			if err := outside(cfg.Data, args[0]); err != nil {
				return err
			}
			m, err := backup.Make(ctx, layout(cfg), backup.Source{Folder: cp.folder, Name: cp.name, Schema: cp.schema,
				Release: node.CurrentVersion().Version}, args[0], time.Now(), nil)
			if err != nil {
				return err
			}
			if err := say(c, "backed up %d files, %d bytes, to %s", len(m.Files), m.Bytes(), args[0]); err != nil || m.HasStore() {
				return err
			}
			return say(c, "the store isn't among them (%s): back up its databases too", cp.name)
		})
	}
	return cmd
}

func newRestore(c *console) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "restore DIR",
		Short: "Make a data folder from a backup",
		Long: `Copy the backup in DIR into a data folder, which must be empty or not exist. Each file is
compared with the hash that was taken of it.

What was delivered after the backup was made is in it all the same. So all messages are
marked as possibly delivered before; clients get them once more, under the ids they had.
Streams of before can't be resumed: clients log in anew.`,
		Example: `  jackdaw restore /backup/jackdaw-2030-01-01 --data /var/lib/jackdaw`,
		Args:    oneFolder,
	}
	s := folderFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := s.load(c)
		if err != nil {
			return err
		}
		r, err := backup.Restore(cmd.Context(), args[0], layout(cfg), nil)
		if err != nil {
			return err
		}
		m := r.Manifest
		if err := say(c, "restored %d files, %d bytes, of %s to %s", len(m.Files), m.Bytes(), m.Made.Format(time.RFC3339), cfg.Data); err != nil {
			return err
		}
		if m.HasStore() {
			return say(c, "marked %d messages as possibly delivered before", r.Messages)
		}
		return say(c, "the store isn't among them (%s): restore its databases, which stay those of the same cluster, then run \"jackdaw store reconcile\"", m.Store)
	}
	return cmd
}

// oneFolder is the argument of commands about one backup.
func oneFolder(_ *cobra.Command, args []string) error {
	if len(args) != 1 || args[0] == "" {
		return usage("one folder is needed: where the backup is")
	}
	return nil
}

// outside refuses a folder inside the data folder, which would become a part of the next backup.
func outside(data, dir string) error {
	a, err := filepath.Abs(data)
	if err != nil {
		return err
	}
	b, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if rel, err := filepath.Rel(a, b); err == nil && filepath.IsLocal(rel) {
		return usage("the backup can't be inside the data folder %s", data)
	}
	return nil
}
