package dump

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/telemetry"
)

// pause is the least time between two dumps for which nobody asked.
const pause = time.Minute

// panicTime is how long a panic is held back for its dump.
const panicTime = 20 * time.Second

// DefaultKeep is how many dumps a folder keeps if it isn't told.
const DefaultKeep = 10

// ErrTooSoon is the error of a dump that nobody asked for, less than a minute after another one like it.
var ErrTooSoon = errors.New("dump: there was one a moment ago")

// Config says where dumps go, and what they are made of.
type Config struct {
	// Dir is made with the first dump.
	Dir string
	// Keep is how many dumps are kept; the oldest goes first. 0 is DefaultKeep.
	Keep int
	// About is this server.
	About About
	// Source is the running system.
	Source Source
	// Logger is for dumps that nobody waits for; nil is silence.
	Logger *zap.Logger
}

// Folder keeps the dumps of one server. Its methods may be called from any goroutine; one dump is made at a time.
type Folder struct {
	cfg  Config
	turn chan struct{} // holds a value while a dump is made

	catching atomic.Bool

	mu struct {
		sync.Mutex
		last    time.Time // of the automatic ones
		written map[Reason]int64
	}
}

// NewFolder returns a folder. It touches no disk.
func NewFolder(cfg Config) *Folder {
	if cfg.Keep <= 0 {
		cfg.Keep = DefaultKeep
	}
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	f := &Folder{cfg: cfg, turn: make(chan struct{}, 1)}
	f.mu.written = map[Reason]int64{}
	return f
}

// Write makes a dump and returns its path. It waits while another is made. After an error of writing the path names what could be
// written, or is empty; ErrTooSoon is only for the reasons Memory and Panic. What takes long, Collect says.
func (f *Folder) Write(ctx context.Context, reason Reason) (string, error) {
	select {
	case f.turn <- struct{}{}:
		defer func() { <-f.turn }()
	case <-ctx.Done():
		return "", fmt.Errorf("dump: another one is being made: %w", ctx.Err())
	}
	now := time.Now()
	if reason.automatic() && !f.due(now) {
		return "", ErrTooSoon
	}
	file, err := f.create(now, reason)
	if err != nil {
		return "", err
	}
	err = Collect(ctx, file, Head{Reason: reason, When: now, About: f.cfg.About}, f.cfg.Source)
	if err = errors.Join(err, file.Close()); err == nil {
		f.count(reason)
	}
	return file.Name(), errors.Join(err, f.trim())
}

// Send writes a dump to w and keeps none. It waits while another is made.
func (f *Folder) Send(ctx context.Context, w io.Writer, reason Reason) error {
	select {
	case f.turn <- struct{}{}:
		defer func() { <-f.turn }()
	case <-ctx.Done():
		return fmt.Errorf("dump: another one is being made: %w", ctx.Err())
	}
	err := Collect(ctx, w, Head{Reason: reason, When: time.Now(), About: f.cfg.About}, f.cfg.Source)
	if err == nil {
		f.count(reason)
	}
	return err
}

// Record makes a dump and logs its path, or why there is none.
func (f *Folder) Record(ctx context.Context, reason Reason) {
	path, err := f.Write(ctx, reason)
	switch {
	case errors.Is(err, ErrTooSoon):
	case err != nil:
		f.cfg.Logger.Warn("crash dump is not complete", zap.String(telemetry.KeyReason, string(reason)), zap.String(telemetry.KeyFile, path), zap.Error(err))
	default:
		f.cfg.Logger.Warn("crash dump written", zap.String(telemetry.KeyReason, string(reason)), zap.String(telemetry.KeyFile, path))
	}
}

// Guard calls run. If run panics, a dump is made before the panic goes on and ends the process.
func (f *Folder) Guard(run func()) {
	returned := false
	defer func() {
		if !returned { // the panic isn't recovered, so that Go's traceback is of it, and not of here
			ctx, cancel := context.WithTimeout(context.Background(), panicTime)
			defer cancel()
			f.Record(ctx, Panic)
		}
	}()
	run()
	returned = true
}

// Written counts the dumps made since the process started, by reason.
func (f *Folder) Written() map[Reason]int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	counts := map[Reason]int64{}
	for _, r := range Reasons {
		counts[r] = f.mu.written[r]
	}
	return counts
}

func (f *Folder) count(r Reason) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mu.written[r]++
}

// due reports whether an automatic dump may be made, and notes it.
func (f *Folder) due(now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.mu.last.IsZero() && now.Sub(f.mu.last) < pause {
		return false
	}
	f.mu.last = now
	return true
}

const (
	ending = ".dump"
	stamp  = "20060102T150405.000Z"
)

// create makes a file for a dump. Its name holds the time, in UTC and so that names sort by it, and the reason.
func (f *Folder) create(when time.Time, reason Reason) (*os.File, error) {
	if err := os.MkdirAll(f.cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("dump: %w", err)
	}
	for {
		name := when.UTC().Format(stamp) + "-" + string(reason) + ending
		file, err := os.OpenFile(filepath.Join(f.cfg.Dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			when = when.Add(time.Millisecond)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("dump: %w", err)
		}
		return file, nil
	}
}

// trim removes what is too many: first what killed runs left, which tells least, and then the oldest.
func (f *Folder) trim() error {
	all, err := List(f.cfg.Dir)
	if err != nil {
		return err
	}
	slices.SortStableFunc(all, func(a, b Entry) int {
		switch {
		case (a.Reason == Killed) == (b.Reason == Killed):
			return b.When.Compare(a.When)
		case a.Reason == Killed:
			return 1
		}
		return -1
	})
	for _, e := range all[min(len(all), f.cfg.Keep):] {
		err = errors.Join(err, os.Remove(e.Path))
	}
	if err != nil {
		return fmt.Errorf("dump: removing old ones: %w", err)
	}
	return nil
}

// Entry is a dump in a folder.
type Entry struct {
	Path   string
	When   time.Time
	Reason Reason
	Size   int64
}

// List returns the dumps in a folder, the newest first. A folder that isn't there has none.
func List(dir string) ([]Entry, error) {
	files, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("dump: %w", err)
	}
	var all []Entry
	for _, file := range files {
		name, ok := strings.CutSuffix(file.Name(), ending)
		at, reason, dash := strings.Cut(name, "-")
		when, err := time.Parse(stamp, at)
		if !ok || !dash || err != nil {
			continue
		}
		info, err := file.Info()
		if err != nil {
			continue // gone meanwhile
		}
		all = append(all, Entry{filepath.Join(dir, file.Name()), when, Reason(reason), info.Size()})
	}
	slices.Reverse(all) // their names sort by time
	return all, nil
}

// Snapshot leaves word of how the server is, for the dump that the next start makes if this process ends without a chance to write
// one. It replaces the one before. It costs some calls to supervisors and a small file, and is not flushed to the disk. It does nothing
// but between CatchCrash and Release, because nobody else would look for it.
func (f *Folder) Snapshot(ctx context.Context) error {
	if !f.catching.Load() {
		return nil
	}
	var b bytes.Buffer
	b.Write(appendSection(nil, sectionHead, made{}, Head{Version: Version, When: time.Now(), About: f.cfg.About}))
	c := &collector{source: f.cfg.Source, about: f.cfg.About}
	if err := errors.Join(c.snapshot(ctx, &b), ctx.Err()); err != nil {
		return fmt.Errorf("dump: snapshot: %w", err)
	}
	name := filepath.Join(f.cfg.Dir, snapshotFile)
	if err := os.WriteFile(name+".new", b.Bytes(), 0o600); err != nil {
		return fmt.Errorf("dump: snapshot: %w", err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		return fmt.Errorf("dump: snapshot: %w", err)
	}
	return nil
}
