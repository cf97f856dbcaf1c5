package pebblestore

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/telemetry"
)

// space knows how much room the disk has and what is refused for lack of it. Only the watch goroutine looks; callers read
// two atomic words.
type space struct {
	e       *Engine
	path    string // of the ballast
	free    atomic.Uint64
	level   atomic.Int32 // the least growth that is refused, as a growth; none means that nothing is
	noSpace atomic.Int64 // when the file system last said "no space", in microseconds since 1970
	ballast struct {
		sync.Mutex
		stands bool
	}
	trouble struct {
		sync.Mutex
		failed  string    // why the store can't go on
		stalled time.Time // since when writes stand still; zero = they don't
		errors  int       // of background work since then
		last    error
		logged  time.Time // when such an error was last logged
	}
}

// noSpaceHolds is how long the word of the file system that there is no space counts for more than the free space it
// reports, which knows nothing of quotas.
const noSpaceHolds = 10 * time.Second

func newSpace(e *Engine) *space {
	return &space{e: e, path: e.o.FS.PathJoin(e.dir, ballastFile)}
}

// allows returns ErrFull if a call of that growth is refused now.
func (s *space) allows(g growth) error {
	if g == none {
		return nil
	}
	if l := growth(s.level.Load()); l == none || g < l {
		return nil
	}
	return fmt.Errorf("pebblestore: %w: %d MB are free for folder %s; make room until there are %d MB",
		store.ErrFull, s.free.Load()>>20, s.e.dir, s.e.o.ResumeAbove>>20)
}

// look asks how much is free and moves the marks. It is called by Open and then by the watch goroutine only.
func (s *space) look() {
	free, err := s.e.o.FreeSpace(s.e.dir)
	if err != nil {
		s.e.o.Logger.Debug("free space unknown", zap.Error(err))
		free = math.MaxUint64
	} else {
		s.free.Store(free)
	}
	was := growth(s.level.Load())
	now := s.next(was, free)
	if !s.level.CompareAndSwap(int32(was), int32(now)) {
		return // diskFull was faster; the next look will see
	}
	switch {
	case was == none && now != none:
		s.e.o.Logger.Error("store refuses new messages: disk nearly full", zap.String(telemetry.KeyFolder, s.e.dir), zap.Uint64(telemetry.KeyFree, free))
	case was != none && now == none:
		s.e.o.Logger.Info("store takes messages again", zap.String(telemetry.KeyFolder, s.e.dir), zap.Uint64(telemetry.KeyFree, free))
	}
	if now == none {
		s.fillBallast(free)
	}
}

// next returns the level that follows from the free space. Between the two marks the level stays, so that it doesn't
// flicker; but what was refused below the lowest mark only is taken again.
func (s *space) next(was growth, free uint64) growth {
	last := s.noSpace.Load()
	switch {
	case last != 0 && s.e.o.Now().Sub(time.UnixMicro(last)) < noSpaceHolds, free < s.e.o.StopBelow/4:
		return some
	case free < s.e.o.StopBelow:
		return large
	case free >= s.e.o.ResumeAbove:
		return none
	case was == some:
		return large
	}
	return was
}

// sawNoSpace refuses all growth at once, for the file system has said that there is no space.
func (s *space) sawNoSpace() {
	s.noSpace.Store(s.e.o.Now().UnixMicro())
	s.level.Store(int32(some))
}

// health says how the store is.
func (s *space) health() store.Health {
	h := store.Health{Free: s.free.Load()}
	s.trouble.Lock()
	failed := s.trouble.failed
	s.trouble.Unlock()
	if err := s.allows(large); failed != "" {
		h.State, h.Reason = store.Failed, failed
	} else if err != nil {
		h.State, h.Reason = store.Full, err.Error()
	}
	return h
}

// diskFull is called by Pebble's file system when a write finds no space, before the write is tried once more.
func (s *space) diskFull() {
	s.sawNoSpace()
	s.ballast.Lock()
	defer s.ballast.Unlock()
	if !s.ballast.stands {
		return
	}
	s.ballast.stands = false
	err := s.e.o.FS.Remove(s.path)
	s.e.o.Logger.Error("disk full: ballast deleted to gain time", zap.String(telemetry.KeyFolder, s.e.dir), zap.Error(err))
}

// fillBallast makes the ballast file if it is not there and there is ample room for it.
func (s *space) fillBallast(free uint64) {
	s.ballast.Lock()
	defer s.ballast.Unlock()
	size := s.e.o.Ballast
	if s.ballast.stands || size <= 0 || free < s.e.o.ResumeAbove+uint64(size) {
		return
	}
	if st, err := s.e.o.FS.Stat(s.path); err == nil && st.Size() == size {
		s.ballast.stands = true
		return
	}
	if err := writeBallast(s.e.o.FS, s.path, size); err != nil {
		s.e.o.Logger.Warn("no ballast file", zap.String(telemetry.KeyFolder, s.e.dir), zap.Error(err))
		return
	}
	s.ballast.stands = true
}

// writeBallast fills a file with bytes that no file system stores for less than they are.
func writeBallast(fs vfs.FS, path string, size int64) error {
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	block := make([]byte, 1<<20)
	seed := uint64(0x9e3779b97f4a7c15)
	for size > 0 {
		for i := range block {
			seed ^= seed << 13
			seed ^= seed >> 7
			seed ^= seed << 17
			block[i] = byte(seed >> 32)
		}
		n := min(size, int64(len(block)))
		if _, err := f.Write(block[:n]); err != nil {
			_ = f.Close()
			_ = fs.Remove(path)
			return err
		}
		size -= n
	}
	return f.Close()
}

// stallBegan and stallEnded follow whether Pebble makes writers wait.
func (s *space) stallBegan(now time.Time) {
	s.trouble.Lock()
	defer s.trouble.Unlock()
	s.trouble.stalled, s.trouble.errors = now, 0
}

func (s *space) stallEnded() {
	s.trouble.Lock()
	defer s.trouble.Unlock()
	s.trouble.stalled = time.Time{}
}

// backgroundError is told of a flush or compaction that did not work and will be tried again.
// Pebble tries again at once, so it is logged once a second only.
func (s *space) backgroundError(err error) {
	if vfs.IsNoSpaceError(err) {
		s.sawNoSpace()
	}
	s.trouble.Lock()
	defer s.trouble.Unlock()
	s.trouble.errors++
	s.trouble.last = err
	if now := s.e.o.Now(); now.Sub(s.trouble.logged) >= time.Second {
		s.trouble.logged = now
		s.e.o.Logger.Warn("store work in the background failed and is tried again", zap.String(telemetry.KeyFolder, s.e.dir), zap.Error(err))
	}
}

// hopeless returns why the process must end: writes have stood still for the stall limit while background work fails.
func (s *space) hopeless(now time.Time) string {
	s.trouble.Lock()
	defer s.trouble.Unlock()
	if s.trouble.stalled.IsZero() || s.trouble.errors == 0 || now.Sub(s.trouble.stalled) < s.e.o.StallLimit {
		return ""
	}
	return fmt.Sprintf("writes stand still since %s: %v", s.trouble.stalled.UTC().Format(time.RFC3339), s.trouble.last)
}

// fail records why the store can't go on and ends the process.
func (s *space) fail(reason string) {
	s.trouble.Lock()
	s.trouble.failed = reason
	s.trouble.Unlock()
	s.e.o.Logger.Error("store can't go on: process ends", zap.String(telemetry.KeyFolder, s.e.dir), zap.String(telemetry.KeyReason, reason), zap.Int(telemetry.KeyExitCode, ExitCode))
	_ = s.e.o.Logger.Sync() // the process ends whether or not it works
	s.e.o.Exit(ExitCode)
}
