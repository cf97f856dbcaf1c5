package backup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/store/pebblestore"
)

// Layout says where things are in a data folder. Names are of its direct entries.
type Layout struct {
	Data  string
	Store string // the embedded store
	// Skip are entries that a backup doesn't hold: sockets, dumps, the checkpoint itself.
	Skip []string
}

// Progress hears of each file that was copied. May be nil.
type Progress func(f File)

func (p Progress) tell(f File) {
	if p != nil {
		p(f)
	}
}

// Source is where a backup's store comes from.
type Source struct {
	// Folder is a checkpoint of the store, empty if it isn't embedded. Make copies it and doesn't remove it.
	Folder string
	// Name and Schema are the store's.
	Name   string
	Schema int
	// Release is the program's.
	Release string
}

// Make copies a data folder, and a checkpoint of its store, into dir, which must be empty or not exist. After an error what
// is there is no backup and can be removed.
func Make(ctx context.Context, l Layout, from Source, dir string, now time.Time, progress Progress) (*Manifest, error) {
	if err := empty(dir); err != nil {
		return nil, err
	}
	m := &Manifest{Format: format, Made: now.UTC().Truncate(time.Second), Release: from.Release, Store: from.Name}
	c := copier{ctx: ctx, to: dir, progress: progress, files: &m.Files}
	if from.Folder != "" {
		m.Schema = from.Schema
		if err := c.tree(from.Folder, l.Store, nil); err != nil {
			return nil, fmt.Errorf("backup: copying the store: %w", err)
		}
	}
	if err := c.tree(l.Data, "", append([]string{l.Store}, l.Skip...)); err != nil {
		return nil, fmt.Errorf("backup: copying the data folder: %w", err)
	}
	return m, m.write(dir)
}

// empty makes a folder, or refuses one that holds something.
func empty(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	names, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if len(names) > 0 {
		return fmt.Errorf("backup: the folder %s is not empty: name another, or empty it first", dir)
	}
	return nil
}

// copier copies trees of files.
type copier struct {
	ctx      context.Context
	to       string
	progress Progress
	files    *[]File
}

// tree copies the regular files of a folder, but for those of its direct entries that are skipped, into the folder below
// under the backup's, and flushes each folder.
func (c *copier) tree(from, below string, skip []string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err == nil {
			err = c.ctx.Err()
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		switch {
		case slices.Contains(skip, rel) && d.IsDir():
			return filepath.SkipDir
		case slices.Contains(skip, rel), strings.HasPrefix(rel, ".") && rel != ".":
			return nil // hidden files are half-written ones
		case d.IsDir():
			return nil
		case !d.Type().IsRegular():
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name := filepath.Join(below, rel)
		f, err := copyFile(path, filepath.Join(c.to, name), info.Mode())
		if err != nil {
			return err
		}
		f.Name = filepath.ToSlash(name)
		*c.files = append(*c.files, f)
		c.progress.tell(f)
		return syncFile(filepath.Dir(filepath.Join(c.to, name)))
	})
}

// Restored says what Restore did.
type Restored struct {
	Manifest *Manifest
	Messages int // marked as possibly delivered before
}

// Restore copies a backup into a data folder, which must be empty or not exist, and marks the messages of its store. Every
// file is compared with the manifest. An error after the copying has begun leaves a folder that no server should use: empty
// it, and repeat.
func Restore(ctx context.Context, dir string, l Layout, progress Progress) (*Restored, error) {
	m, err := Read(dir)
	if err != nil {
		return nil, err
	}
	if err := empty(l.Data); err != nil {
		return nil, err
	}
	files := slices.Clone(m.Files)
	slices.SortStableFunc(files, func(a, b File) int { return cmp.Compare(marker(a), marker(b)) })
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("backup: %w", err)
		}
		name := filepath.FromSlash(f.Name)
		got, err := copyFile(filepath.Join(dir, name), filepath.Join(l.Data, name), f.Mode)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("%w: %s is missing", ErrDamaged, f.Name)
		case err != nil:
			return nil, fmt.Errorf("backup: restoring %s: %w", f.Name, err)
		case got.Bytes != f.Bytes || got.SHA256 != f.SHA256:
			return nil, fmt.Errorf("%w: %s has changed since", ErrDamaged, f.Name)
		}
		progress.tell(f)
	}
	if err := syncFile(l.Data); err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	r := &Restored{Manifest: m}
	if m.HasStore() {
		r.Messages, err = mark(ctx, filepath.Join(l.Data, l.Store))
	}
	return r, err
}

// marker is 1 of files of the store that say which of the others are valid. They are restored last: without them the engine
// refuses the folder.
func marker(f File) int {
	if strings.HasPrefix(filepath.Base(f.Name), "marker.") {
		return 1
	}
	return 0
}

// mark opens a restored store and marks its messages. That it can be opened is the last proof.
func mark(ctx context.Context, folder string) (n int, err error) {
	e, err := pebblestore.Open(pebblestore.Scheme+":"+folder, pebblestore.Options{Ballast: -1})
	if err != nil {
		return 0, fmt.Errorf("backup: opening the restored store: %w", err)
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	return store.Restored(e).MarkRestored(ctx)
}

// Checkpoint makes a checkpoint of the store of a server that isn't running, beside it. The caller removes it.
func Checkpoint(ctx context.Context, l Layout, folder string) (info store.Info, err error) {
	e, err := pebblestore.Open(pebblestore.Scheme+":"+filepath.Join(l.Data, l.Store), pebblestore.Options{Ballast: -1})
	if err != nil {
		return store.Info{}, err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	if err := os.RemoveAll(folder); err != nil { // of a backup that was interrupted
		return store.Info{}, fmt.Errorf("backup: %w", err)
	}
	return e.Info(), e.Checkpoint(ctx, folder)
}
