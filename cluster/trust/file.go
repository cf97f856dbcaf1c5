package trust

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// fileMagic begins the bundle's file; the SHA-256 of what follows its line is behind it.
const fileMagic = "jackdaw-trust 1 "

// Load reads a bundle's file. One that others than its user may read is closed to them first. Callers may branch on fs.ErrNotExist.
func Load(file string) (*Bundle, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("trust: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		if err := os.Chmod(file, 0o600); err != nil {
			return nil, fmt.Errorf("trust: %s holds secrets and others may read it: %w", file, err)
		}
	}
	text, err := readAtMost(file, MaxBundle+256)
	if err != nil {
		return nil, err
	}
	head, body, ok := bytes.Cut(text, []byte("\n"))
	sum, magic := strings.CutPrefix(string(head), fileMagic)
	if !ok || !magic {
		return nil, fmt.Errorf("trust: %s is no bundle that this release can read", file)
	}
	body = bytes.TrimSuffix(body, []byte("\n"))
	if got := sha256.Sum256(body); hex.EncodeToString(got[:]) != sum {
		return nil, fmt.Errorf("trust: %s is damaged: move it away and join again with a token", file)
	}
	b, err := Decode(body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return b, nil
}

// Save writes a bundle's file so that it is there whole or as it was before, also after a power cut, and readable for its user only.
func Save(file string, b *Bundle) error {
	body := b.Encode()
	if len(body) > MaxBundle {
		return fmt.Errorf("trust: a bundle of %d bytes is too long, at most %d are possible", len(body), MaxBundle)
	}
	sum := sha256.Sum256(body)
	text := append([]byte(fileMagic+hex.EncodeToString(sum[:])+"\n"), body...)
	return WriteSecret(file, append(text, '\n'))
}

// WriteSecret replaces a file in one step, durably, with one that only its user can read. After an error the file is as it was.
func WriteSecret(file string, text []byte) error { return replaceFile(file, text, 0o600) }

func replaceFile(file string, text []byte, mode fs.FileMode) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("trust: write %s: %w", file, err)
		}
	}()
	f, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".new-*") // 0600
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncFolder(filepath.Dir(file))
}

// syncFolder makes a renaming durable.
func syncFolder(folder string) error {
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// readAtMost reads a file that must not be longer than limit bytes.
func readAtMost(file string, limit int64) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("trust: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("trust: read %s: %w", file, err)
	}
	if int64(len(text)) > limit {
		return nil, fmt.Errorf("trust: %s is longer than %d bytes", file, limit)
	}
	return text, nil
}
