package pebblestore

import (
	"strings"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// guardFS ends the process in good order when the write-ahead log can't be written. Pebble by itself learns of it at the
// next flush, which after ack-only batches may be late, and when it changes to a new log file it panics while it holds
// half of its locks, which the runtime reports as a fault of its own.
type guardFS struct {
	vfs.FS
	dir   string      // of the store: the log in a checkpoint's folder is only a copy
	armed atomic.Bool // set once the store is open: before, an error is the answer of Open
	fail  func(reason string)
}

func (g *guardFS) isLog(name string) bool {
	return strings.HasSuffix(name, ".log") && g.PathDir(name) == g.dir
}

func (g *guardFS) look(err error) error {
	if err != nil && g.armed.Load() {
		g.fail("the log can't be written: " + err.Error())
	}
	return err
}

// Create implements vfs.FS.
func (g *guardFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := g.FS.Create(name, c)
	return g.guard(name, f, err)
}

// ReuseForWrite implements vfs.FS.
func (g *guardFS) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := g.FS.ReuseForWrite(oldname, newname, c)
	return g.guard(newname, f, err)
}

func (g *guardFS) guard(name string, f vfs.File, err error) (vfs.File, error) {
	if !g.isLog(name) {
		return f, err
	}
	if g.look(err) != nil {
		return nil, err
	}
	return &guardFile{f, g}, nil
}

// Unwrap implements vfs.FS.
func (g *guardFS) Unwrap() vfs.FS { return g.FS }

// guardFile is a log file.
type guardFile struct {
	vfs.File
	g *guardFS
}

// Write implements vfs.File.
func (f *guardFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	return n, f.g.look(err)
}

// Sync implements vfs.File.
func (f *guardFile) Sync() error { return f.g.look(f.File.Sync()) }

// SyncData implements vfs.File.
func (f *guardFile) SyncData() error { return f.g.look(f.File.SyncData()) }

// SyncTo implements vfs.File.
func (f *guardFile) SyncTo(length int64) (bool, error) {
	full, err := f.File.SyncTo(length)
	return full, f.g.look(err)
}
