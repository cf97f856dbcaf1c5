package pebblestore_test

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/store/memstore"
	"github.com/jackdaw-im/jackdaw/store/pebblestore"
	"github.com/jackdaw-im/jackdaw/store/storetest"
)

func openFolder(folder string) (store.Engine, error) {
	return pebblestore.Open("pebble:"+folder, pebblestore.Options{Ballast: -1, MemTable: 256 << 10, StopBelow: 1, ResumeAbove: 1})
}

func TestMain(m *testing.M) {
	if exitOnFullDisk() {
		return
	}
	storetest.Main(m, openFolder)
}

// rig is an engine in memory whose clock, ticks and free space belong to the test.
type rig struct {
	*pebblestore.Engine
	o    pebblestore.Options
	now  atomic.Int64 // microseconds
	free atomic.Uint64
	tick chan time.Time
}

func newRig(t *testing.T, change func(*pebblestore.Options)) *rig {
	r := &rig{tick: make(chan time.Time)}
	r.now.Store(1_800_000_000_000_000)
	r.free.Store(100 << 30)
	r.o = pebblestore.Options{
		FS:        vfs.NewMem(),
		MemTable:  256 << 10,
		Ballast:   -1,
		Now:       func() time.Time { return time.UnixMicro(r.now.Load()) },
		FreeSpace: func(string) (uint64, error) { return r.free.Load(), nil },
		Tick:      func(time.Duration) (<-chan time.Time, func()) { return r.tick, func() {} },
		Exit:      func(code int) { t.Errorf("the engine exits with %d", code) },
	}
	if change != nil {
		change(&r.o)
	}
	r.open(t)
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func (r *rig) open(t testing.TB) {
	t.Helper()
	e, err := pebblestore.Open("pebble:/data", r.o)
	if err != nil {
		t.Fatal(err)
	}
	r.Engine = e
}

// look makes the watch goroutine do its work once: it takes the second tick only when it is done with the first.
func (r *rig) look() {
	r.tick <- time.Time{}
	r.tick <- time.Time{}
}

func (r *rig) setFree(bytes uint64) {
	r.free.Store(bytes)
	r.look()
}

func (r *rig) advance(d time.Duration) { r.now.Add(d.Microseconds()) }

func TestConformance(t *testing.T) {
	defer goleak.VerifyNone(t)
	storetest.Run(t, fixture)
}

func TestHistories(t *testing.T) {
	storetest.Histories(t, fixture, func() store.Engine { return memstore.New(memstore.Options{}) })
}

func fixture(t *testing.T) *storetest.Fixture {
	r := newRig(t, nil)
	f := &storetest.Fixture{Engine: r.Engine, Advance: r.advance, SetFree: r.setFree}
	f.Reopen = func(t *testing.T) store.Engine {
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		r.open(t)
		f.Engine = r.Engine
		return r.Engine
	}
	return f
}

func TestKill(t *testing.T) {
	storetest.Kill(t, openFolder, 5)
}

func TestPowerLoss(t *testing.T) {
	runs, cuts := 20, 15
	if testing.Short() {
		runs = 2
	}
	storetest.PowerLoss(t, runs, cuts, func(t *testing.T) storetest.Crashable {
		fs := vfs.NewCrashableMem()
		open := func(fs vfs.FS) (*pebblestore.Engine, error) {
			return pebblestore.Open("pebble:/data", pebblestore.Options{FS: fs, Ballast: -1, MemTable: 64 << 10})
		}
		e, err := open(fs)
		if err != nil {
			t.Fatal(err)
		}
		return storetest.Crashable{Engine: e, Cut: func(seed uint64) func() (store.Engine, error) {
			rng := rand.New(rand.NewPCG(seed, seed))
			clone := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
			return func() (store.Engine, error) { return open(clone) }
		}}
	})
}
