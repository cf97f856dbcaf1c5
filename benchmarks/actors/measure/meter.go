package measure

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/jackdaw-im/jackdaw/internal/testnode"
)

// Meter is a measurement that has begun.
type Meter struct {
	cpu    int64
	allocs int64
	start  time.Time
}

// Begin begins a measurement of this process.
func Begin() (Meter, error) {
	m := Meter{allocs: allocated()}
	cpu, err := cpuTime()
	m.cpu, m.start = cpu, time.Now()
	return m, err
}

// End returns what was spent since Begin on so many operations.
func (m Meter) End(ops int) (Result, error) {
	wall := time.Since(m.start)
	cpu, err := cpuTime()
	return Result{Ops: int64(ops), CPU: cpu - m.cpu, Wall: wall.Nanoseconds(), Allocs: allocated() - m.allocs}, err
}

// cpuTime is the user and system time of this process so far.
func cpuTime() (int64, error) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0, fmt.Errorf("measure: %w", err)
	}
	return usage.Utime.Nano() + usage.Stime.Nano(), nil
}

// allocated counts the objects allocated so far, small ones that share a block too.
func allocated() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Mallocs)
}

// Round is one repetition of a workload. It returns how many operations it did.
type Round func() (ops int, err error)

// Loop repeats a round until span has been measured. A quarter of the span, one round at least, comes before and isn't counted. If
// prepare isn't nil it runs before each round, uncounted.
func Loop(span time.Duration, prepare func() error, round Round) (Result, error) {
	if prepare == nil {
		return loop(span, round)
	}
	if _, err := prepared(span/4, prepare, round); err != nil {
		return Result{}, err
	}
	return prepared(span, prepare, round)
}

// loop measures all rounds at once.
func loop(span time.Duration, round Round) (Result, error) {
	repeat := func(span time.Duration) (Result, error) {
		m, err := Begin()
		if err != nil {
			return Result{}, err
		}
		total := 0
		for {
			ops, err := round()
			if err != nil {
				return Result{}, err
			}
			if total += ops; time.Since(m.start) >= span {
				return m.End(total)
			}
		}
	}
	if _, err := repeat(span / 4); err != nil {
		return Result{}, err
	}
	return repeat(span)
}

// prepared measures each round by itself.
func prepared(span time.Duration, prepare func() error, round Round) (sum Result, err error) {
	for sum.Ops == 0 || sum.Wall < span.Nanoseconds() {
		if err := prepare(); err != nil {
			return Result{}, err
		}
		m, err := Begin()
		if err != nil {
			return Result{}, err
		}
		ops, err := round()
		if err != nil {
			return Result{}, err
		}
		one, err := m.End(ops)
		if err != nil {
			return Result{}, err
		}
		sum.Add(one)
	}
	return sum, nil
}

// few are the actors that Growth starts before it begins to count: they bring the tables and pools that any number needs.
const few = 1000

// Growth builds n actors, numbered from on, and measures what they cost and by how much the resident memory of the process grew. Before
// each reading it collects garbage and gives free memory back, as a server does that has become quiet: what is left is what the
// actors hold, and what the runtime's tables take.
func Growth(n int, build func(from, to int) error) (Result, error) {
	if err := build(0, few); err != nil {
		return Result{}, err
	}
	before, err := Resident()
	if err != nil {
		return Result{}, err
	}
	m, err := Begin()
	if err != nil {
		return Result{}, err
	}
	if err := build(few, few+n); err != nil {
		return Result{}, err
	}
	result, err := m.End(n)
	if err != nil {
		return Result{}, err
	}
	after, err := Resident()
	result.Bytes = after - before
	return result, err
}

// Resident is the resident memory of this process, in bytes, once free memory has been given back.
func Resident() (int64, error) {
	runtime.GC() // pools keep what they hold for one collection more
	debug.FreeOSMemory()
	usage, err := testnode.UsageOf(os.Getpid())
	if err != nil {
		return 0, fmt.Errorf("measure: %w", err)
	}
	return usage.RSS, nil
}
