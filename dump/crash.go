package dump

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/telemetry"
)

// The files that a running server has beside its dumps. They are removed when it ends in good order.
const (
	runningFile  = "running"  // the head of a dump, and behind it Go's last words
	snapshotFile = "snapshot" // how the server was a moment ago
)

// CatchCrash makes Go write its last words, whatever goroutine's fault it is, into the folder, where the next CatchCrash finds them. It
// also looks for what the last run has left: if that one did not end in good order, a dump is made of what there is, and its path
// logged. The caller holds the folder's server's lock, and calls Release at the end.
//
// This is for the whole process: a process has one folder that catches.
func (f *Folder) CatchCrash() error {
	if err := os.MkdirAll(f.cfg.Dir, 0o700); err != nil {
		return fmt.Errorf("dump: %w", err)
	}
	err := f.recognise()
	file, openErr := os.OpenFile(f.path(runningFile), os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600)
	if openErr != nil {
		return errors.Join(err, fmt.Errorf("dump: %w", openErr))
	}
	head := Head{Version: Version, Reason: Fatal, When: time.Now(), About: f.cfg.About}
	text := appendSection(appendSection(nil, sectionHead, made{}, head), sectionTraceback, made{}, nil)
	_, writeErr := file.Write(text)
	if writeErr = errors.Join(writeErr, debug.SetCrashOutput(file, debug.CrashOptions{}), file.Close()); writeErr != nil { // Go has its own copy of the descriptor
		return errors.Join(err, fmt.Errorf("dump: catching crashes: %w", writeErr))
	}
	f.catching.Store(true)
	return err
}

// Release ends what CatchCrash has begun: the process ends in good order.
func (f *Folder) Release() error {
	f.catching.Store(false)
	err := debug.SetCrashOutput(nil, debug.CrashOptions{})
	for _, name := range []string{runningFile, snapshotFile} {
		if e := os.Remove(f.path(name)); !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	if err != nil {
		return fmt.Errorf("dump: %w", err)
	}
	return nil
}

func (f *Folder) path(name string) string { return filepath.Join(f.cfg.Dir, name) }

// recognise makes a dump of what a run left that did not end in good order.
func (f *Folder) recognise() error {
	info, err := os.Stat(f.path(runningFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("dump: %w", err)
	}
	running, runErr := load(f.path(runningFile))
	snapshot, snapErr := load(f.path(snapshotFile))
	if errors.Is(snapErr, fs.ErrNotExist) {
		snapErr = nil
	}
	text, reason, when := assemble(running, snapshot, info.ModTime())
	if text == nil {
		f.cfg.Logger.Info("the last run did not end in good order")
		return errors.Join(runErr, snapErr, f.removeLeft())
	}
	file, err := f.create(when, reason)
	if err != nil {
		return errors.Join(runErr, snapErr, err)
	}
	_, err = file.Write(text)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return errors.Join(runErr, snapErr, fmt.Errorf("dump: %w", err))
	}
	f.count(reason)
	words := "the last run ended without last words"
	if reason == Fatal {
		words = "the last run ended in a fatal error"
	}
	f.cfg.Logger.Warn(words, zap.String(telemetry.KeyFile, file.Name()))
	return errors.Join(runErr, snapErr, f.trim(), f.removeLeft())
}

// removeLeft removes the last run's snapshot, which the next dump must not take for its own.
func (f *Folder) removeLeft() error {
	if err := os.Remove(f.path(snapshotFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("dump: %w", err)
	}
	return nil
}

// load reads a file that may be cut off anywhere.
func load(name string) ([]part, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("dump: %w", err)
	}
	parts, _ := split(bytes.NewReader(text)) // only reading could fail
	return parts, nil
}

// assemble makes a dump of a run's last words, which came at died, and of its snapshot. There may be one, or both; with neither there
// is nothing to tell.
func assemble(running, snapshot []part, died time.Time) (text []byte, reason Reason, when time.Time) {
	head, snap := headOf(running), headOf(snapshot)
	if snap.Node != head.Node || snap.When.IsZero() {
		snapshot = nil // of another run, or damaged
	}
	var last []byte
	for _, p := range running {
		if p.name == sectionTraceback {
			last = bytes.TrimSpace(p.body)
		}
	}
	switch {
	case len(last) > 0:
		reason, when = Fatal, died
	case len(snapshot) > 0:
		reason, when = Killed, snap.When
	default:
		return nil, "", time.Time{}
	}
	head.Version, head.Reason, head.When = Version, reason, when
	text = appendSection(nil, sectionHead, made{}, head)
	if len(last) > 0 {
		text = appendSection(text, sectionTraceback, made{}, string(last))
	}
	for i, p := range snapshot {
		if i == 0 {
			p.name = sectionSnapshot
		}
		if p.name != sectionEnd {
			text = p.appendTo(text)
		}
	}
	return appendSection(text, sectionEnd, made{}, nil), reason, when
}

// headOf is the first section, as far as it can be read.
func headOf(parts []part) (h Head) {
	if len(parts) > 0 {
		_ = json.Unmarshal(parts[0].body, &h) // what is cut off tells nothing
	}
	return h
}
