package pebblestore

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/jackdaw-im/jackdaw/store"
)

// Scheme begins the URLs that Open takes: "pebble:FOLDER".
const Scheme = "pebble"

// schema is the version of the keys and values that this code writes.
const schema = 1

// format pins Pebble's own on-disk format, so that a newer Pebble doesn't upgrade a folder unasked.
const format = pebble.FormatTableFormatV6

// ownerFile says, for people, which process holds the folder's lock; ballastFile is there to be deleted.
const (
	ownerFile   = "owner"
	ballastFile = "ballast"
)

// Open opens the store in the folder of a URL, "pebble:FOLDER" or "pebble:///FOLDER", and makes the folder if there is
// none. Only one process at a time can have it open. Errors a caller may branch on: store.ErrLocked, store.ErrNewer,
// store.ErrCorrupt.
func Open(url string, o Options) (*Engine, error) {
	dir, ok := strings.CutPrefix(url, Scheme+":")
	dir = strings.TrimPrefix(dir, "//")
	if !ok || dir == "" {
		return nil, fmt.Errorf("pebblestore: %q is not a url of the form %s:FOLDER", url, Scheme)
	}
	o = o.withDefaults()
	if o.ResumeAbove < o.StopBelow {
		return nil, fmt.Errorf("pebblestore: appends can't resume above %d bytes and stop below %d", o.ResumeAbove, o.StopBelow)
	}
	if err := o.FS.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("pebblestore: making the data folder: %w", err)
	}
	lock, err := pebble.LockDirectory(dir, o.FS)
	if err != nil {
		return nil, lockError(o.FS, dir, err)
	}
	e, err := openLocked(dir, lock, o)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return e, nil
}

// openLocked opens a folder whose lock is held.
func openLocked(dir string, lock *pebble.Lock, o Options) (*Engine, error) {
	fresh, err := inspect(dir, o.FS)
	if err != nil {
		return nil, err
	}
	e := newEngine(dir, lock, o)
	db, err := pebble.Open(dir, e.pebbleOptions())
	if err != nil {
		return nil, openError(dir, err)
	}
	e.db = db
	if err := e.prepare(fresh); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	writeOwner(o.FS, dir)
	e.guard.armed.Store(true)
	e.space.look()
	e.start()
	return e, nil
}

// inspect reports whether the folder is one to make a new store in. A folder that has lost the file which says what is
// in it must not be taken for a new one.
func inspect(dir string, fs vfs.FS) (fresh bool, err error) {
	desc, err := pebble.Peek(dir, fs)
	if err != nil {
		return false, openError(dir, err)
	}
	if desc.Exists {
		return false, nil
	}
	names, err := fs.List(dir)
	if err != nil {
		return false, fmt.Errorf("pebblestore: reading the data folder: %w", err)
	}
	for _, n := range names {
		if strings.HasSuffix(n, ".sst") || strings.HasSuffix(n, ".log") {
			return false, fmt.Errorf("pebblestore: %w: folder %s holds data, but not the file that says which of it is valid", store.ErrCorrupt, dir)
		}
	}
	return true, nil
}

// openError gives Pebble's errors of opening a folder one of the store's names.
func openError(dir string, err error) error {
	text := err.Error()
	switch {
	case strings.Contains(text, "unknown format major version"):
		return fmt.Errorf("pebblestore: %w: folder %s: %w", store.ErrNewer, dir, err)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("pebblestore: no permission for the data folder %s: %w", dir, err)
	case vfs.IsNoSpaceError(err):
		return fmt.Errorf("pebblestore: opening folder %s: %w: %w", dir, store.ErrFull, err)
	case pebble.IsCorruptionError(err), errors.Is(err, os.ErrNotExist), errors.Is(err, io.ErrUnexpectedEOF),
		strings.Contains(text, "corrupt"), strings.Contains(text, "invalid"), strings.Contains(text, "checksum"):
		return fmt.Errorf("pebblestore: %w: folder %s: %w", store.ErrCorrupt, dir, err)
	}
	return fmt.Errorf("pebblestore: opening folder %s: %w", dir, err)
}

// lockError says who holds the folder, as far as its owner file tells.
func lockError(fs vfs.FS, dir string, err error) error {
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("pebblestore: no permission for the data folder %s: %w", dir, err)
	}
	who := "an unknown process"
	if f, ferr := fs.Open(fs.PathJoin(dir, ownerFile)); ferr == nil {
		text, rerr := io.ReadAll(io.LimitReader(f, 200))
		if cerr := f.Close(); cerr == nil && rerr == nil && len(text) > 0 {
			who = strings.TrimSpace(string(text))
		}
	}
	return fmt.Errorf("pebblestore: %w: folder %s is held by %s (%w)", store.ErrLocked, dir, who, err)
}

// writeOwner leaves word of this process for lockError. It is a courtesy, so its own errors don't matter.
func writeOwner(fs vfs.FS, dir string) {
	f, err := fs.Create(fs.PathJoin(dir, ownerFile), vfs.WriteCategoryUnspecified)
	if err != nil {
		return
	}
	_, _ = fmt.Fprintf(f, "process %d, since %s\n", os.Getpid(), time.Now().UTC().Format(time.RFC3339))
	_ = f.Close()
}

// pebbleOptions are chosen for many small rows that live about a second, in little memory: 32 MB memtables in which most
// appends meet their deletes before they ever reach a table, bloom filters on every level since every append asks whether
// its key is there, and room for bursts in level 0.
func (e *Engine) pebbleOptions() *pebble.Options {
	fs := vfs.FS(e.o.FS)
	if e.o.Ballast > 0 {
		fs = vfs.OnDiskFull(fs, e.space.diskFull)
	}
	e.guard = &guardFS{FS: fs, dir: fs.PathDir(fs.PathJoin(e.dir, ownerFile)), fail: e.space.fail}
	po := &pebble.Options{
		FS:                          e.guard,
		Lock:                        e.lock,
		Logger:                      logger{e},
		EventListener:               e.events(),
		FormatMajorVersion:          format,
		CacheSize:                   e.o.Cache,
		MemTableSize:                e.o.MemTable,
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       4,
		L0StopWritesThreshold:       64,
		LBaseMaxBytes:               64 << 20,
		MaxOpenFiles:                1000,
		BytesPerSync:                1 << 20,
		CompactionConcurrencyRange:  func() (int, int) { return 1, 2 },
	}
	for i := range po.Levels {
		po.TargetFileSizes[i] = 4 << 20 // filters are read whole: in the large tables that are usual they crowd the cache
		po.Levels[i].BlockSize = 16 << 10
		po.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		po.Levels[i].FilterType = pebble.TableFilter
	}
	return po
}

// prepare checks the schema, writes it into a fresh store, and learns which mailboxes have acknowledgements waiting.
func (e *Engine) prepare(fresh bool) error {
	v, closer, err := e.db.Get([]byte(keySchema))
	switch {
	case err == nil:
		rev, derr := decodeRev(v)
		if cerr := closer.Close(); cerr != nil {
			return fmt.Errorf("pebblestore: %w", cerr)
		}
		if derr != nil {
			return fmt.Errorf("folder %s: %w", e.dir, derr)
		}
		if rev > schema {
			return fmt.Errorf("pebblestore: %w: folder %s has schema %d, and this program knows %d", store.ErrNewer, e.dir, rev, schema)
		}
	case errors.Is(err, pebble.ErrNotFound):
		empty, err := e.empty()
		if err != nil {
			return err
		}
		if !fresh && !empty {
			return fmt.Errorf("pebblestore: %w: folder %s holds a store that is not jackdaw's, or has lost its schema", store.ErrCorrupt, e.dir)
		}
		if err := e.db.Set([]byte(keySchema), encodeRev(schema), pebble.Sync); err != nil {
			return fmt.Errorf("pebblestore: writing the schema: %w", err)
		}
	default:
		return openError(e.dir, err)
	}
	return e.loadAcked()
}

func (e *Engine) empty() (bool, error) {
	it, err := e.db.NewIter(nil)
	if err != nil {
		return false, fmt.Errorf("pebblestore: %w", err)
	}
	some := it.First()
	if err := it.Close(); err != nil {
		return false, openError(e.dir, err)
	}
	return !some, nil
}
