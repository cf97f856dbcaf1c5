package backup

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// manifestFile is the name of the manifest.
const manifestFile = "backup.json"

// format is the version of backups that this program writes and reads.
const format = 1

// Manifest says what a backup holds.
type Manifest struct {
	Format  int       `json:"format"`
	Made    time.Time `json:"made"`
	Release string    `json:"release"` // of the program that made it
	Store   string    `json:"store"`   // name of the store, for people
	Schema  int       `json:"schema"`  // of the store; 0 if it isn't in the backup
	Files   []File    `json:"files"`
}

// File is one file of a backup.
type File struct {
	Name   string      `json:"name"` // with slashes, below the backup's folder
	Bytes  int64       `json:"bytes"`
	SHA256 string      `json:"sha256"`
	Mode   fs.FileMode `json:"mode"`
}

// Bytes is the size of all files.
func (m *Manifest) Bytes() (n int64) {
	for _, f := range m.Files {
		n += f.Bytes
	}
	return n
}

// HasStore reports whether the backup holds an embedded store.
func (m *Manifest) HasStore() bool { return m.Schema > 0 }

// The errors of reading a backup.
var (
	// ErrNone says that a folder is no backup, or half of one.
	ErrNone = errors.New("backup: the folder holds no complete backup")
	// ErrDamaged says that a backup's files aren't what they were.
	ErrDamaged = errors.New("backup: the backup is damaged")
	// ErrNewer says that a newer program has made the backup.
	ErrNewer = errors.New("backup: made by a newer version of jackdaw; use that version")
)

// Read reads the manifest of a backup.
func Read(dir string) (*Manifest, error) {
	text, err := os.ReadFile(filepath.Join(dir, manifestFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s has no %s", ErrNone, dir, manifestFile)
	}
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	m := &Manifest{}
	if err := json.Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, manifestFile, err)
	}
	if m.Format > format {
		return nil, fmt.Errorf("%w (format %d, this program reads %d)", ErrNewer, m.Format, format)
	}
	for _, f := range m.Files {
		if !filepath.IsLocal(filepath.FromSlash(f.Name)) {
			return nil, fmt.Errorf("%w: it names the file %q", ErrDamaged, f.Name)
		}
	}
	return m, nil
}

// write stores the manifest, durably, once all else is.
func (m *Manifest) write(dir string) error {
	text, err := json.MarshalIndent(m, "", "\t")
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	half := filepath.Join(dir, "."+manifestFile)
	if err := os.WriteFile(half, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if err := errors.Join(syncFile(half), os.Rename(half, filepath.Join(dir, manifestFile)), syncFile(dir)); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return nil
}

func syncFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// copyFile copies one file, durably, and says what it was. from is read as it is at this moment.
func copyFile(from, to string, mode fs.FileMode) (f File, err error) {
	in, err := os.Open(from)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return f, err
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode.Perm())
	if err != nil {
		return f, err
	}
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(out, h), in)
	err = errors.Join(err, out.Sync(), out.Close())
	return File{Bytes: n, SHA256: hex.EncodeToString(h.Sum(nil)), Mode: mode.Perm()}, err
}
