package pebblestore

import (
	"os"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/zap"
)

// The defaults of Options.
const (
	DefaultStopBelow   = 512 << 20
	DefaultResumeAbove = 1 << 30
	DefaultBallast     = 64 << 20
	DefaultCache       = 128 << 20
	DefaultMemTable    = 32 << 20
	DefaultProbeEvery  = time.Second
	DefaultStallLimit  = 30 * time.Second
)

// ExitCode is the exit code of a process whose store can't go on (EX_IOERR of sysexits.h).
const ExitCode = 74

// Options of an embedded store. The zero value is right for a server on a normal disk.
type Options struct {
	Logger *zap.Logger // nil = silent. Pebble's own chatter is at debug level
	// StopBelow is the free space, in bytes, below which appends and new accounts are refused; ResumeAbove, which must
	// not be lower, that above which they are taken again. Below a quarter of StopBelow every change but removals and
	// acknowledgements is refused.
	StopBelow, ResumeAbove uint64
	Ballast                int64 // bytes of the file that is deleted when the disk is full all the same; negative = none
	// Cache is how many bytes of memory the store takes for blocks and memtables together; MemTable is the size of one
	// memtable, of which there are up to four.
	Cache      int64
	MemTable   uint64
	ProbeEvery time.Duration // how often the free space is looked at
	// StallLimit is how long writes may stand still on a disk that returns errors before the process exits.
	StallLimit time.Duration

	// The rest is for tests.

	FS        vfs.FS                                         // nil = the operating system's
	Now       func() time.Time                               // the store's clock; nil = time.Now
	FreeSpace func(folder string) (uint64, error)            // nil = FS.GetDiskUsage; an error means "can't tell", and nothing is refused
	Exit      func(code int)                                 // nil = os.Exit
	Tick      func(time.Duration) (<-chan time.Time, func()) // nil = time.NewTicker
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	setDefault(&o.StopBelow, DefaultStopBelow)
	setDefault(&o.ResumeAbove, max(DefaultResumeAbove, o.StopBelow))
	setDefault(&o.Ballast, DefaultBallast)
	setDefault(&o.Cache, DefaultCache)
	setDefault(&o.MemTable, DefaultMemTable)
	setDefault(&o.ProbeEvery, DefaultProbeEvery)
	setDefault(&o.StallLimit, DefaultStallLimit)
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.FreeSpace == nil {
		fs := o.FS
		o.FreeSpace = func(folder string) (uint64, error) {
			u, err := fs.GetDiskUsage(folder)
			return u.AvailBytes, err
		}
	}
	if o.Exit == nil {
		o.Exit = os.Exit
	}
	if o.Tick == nil {
		o.Tick = func(d time.Duration) (<-chan time.Time, func()) {
			t := time.NewTicker(d)
			return t.C, t.Stop
		}
	}
	return o
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}
