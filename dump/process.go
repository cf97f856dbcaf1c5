package dump

import (
	"bytes"
	"fmt"
	"io/fs"
	"math"
	"os"
	"runtime/metrics"
	"runtime/pprof"
	"strconv"
	"strings"
)

// root is the file system, for what Linux tells of processes.
func root() fs.FS { return os.DirFS("/") }

// goroutines are all stacks, equal ones together: with functions and lines, and without arguments.
func goroutines() (string, error) {
	var b bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&b, 1); err != nil {
		return b.String(), fmt.Errorf("dump: goroutines: %w", err)
	}
	return b.String(), nil
}

// samples are all of runtime/metrics, but for those that count uses of old behaviour.
func samples() []Sample {
	var wanted []metrics.Sample
	for _, d := range metrics.All() {
		if !strings.HasPrefix(d.Name, "/godebug/") {
			wanted = append(wanted, metrics.Sample{Name: d.Name})
		}
	}
	metrics.Read(wanted)
	var all []Sample
	for _, m := range wanted {
		s := Sample{Name: m.Name}
		switch m.Value.Kind() {
		case metrics.KindUint64:
			s.Value = float64(m.Value.Uint64())
		case metrics.KindFloat64:
			s.Value = m.Value.Float64()
		case metrics.KindFloat64Histogram:
			s.distribution(m.Value.Float64Histogram())
		default:
			continue
		}
		all = append(all, s)
	}
	return all
}

// distribution sums up a histogram. Its quantiles are upper bounds.
func (s *Sample) distribution(h *metrics.Float64Histogram) {
	var count uint64
	for _, n := range h.Counts {
		count += n
	}
	s.Value = float64(count)
	if count == 0 {
		return
	}
	var seen uint64
	for i, n := range h.Counts {
		if n == 0 {
			continue
		}
		bound := h.Buckets[i+1]
		if math.IsInf(bound, 1) {
			bound = h.Buckets[i]
		}
		before := seen
		seen += n
		for _, q := range []struct {
			share float64
			to    *float64
		}{{.5, &s.P50}, {.99, &s.P99}, {1, &s.Max}} {
			if rank := uint64(math.Ceil(q.share * float64(count))); before < rank && rank <= seen {
				*q.to = bound
			}
		}
	}
}

// descriptors counts what the process has open, by kind. What is open is not told.
func descriptors(at fs.FS) (*Descriptors, error) {
	entries, err := fs.ReadDir(at, "proc/self/fd")
	if err != nil {
		return nil, fmt.Errorf("dump: descriptors: %w", err)
	}
	d := &Descriptors{Kinds: map[string]int{}, Limit: descriptorLimit(at)}
	for _, e := range entries {
		target, err := fs.ReadLink(at, "proc/self/fd/"+e.Name())
		if err != nil {
			continue // closed meanwhile: the listing itself, at least
		}
		kind, _, special := strings.Cut(target, ":")
		if !special || strings.HasPrefix(target, "/") {
			kind = "file"
		}
		d.Open++
		d.Kinds[strings.TrimSuffix(kind, "_inode")]++
	}
	return d, nil
}

// descriptorLimit is how many there may be, 0 if that isn't known.
func descriptorLimit(at fs.FS) int {
	text, err := fs.ReadFile(at, "proc/self/limits")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "Max open files"); ok {
			if f := strings.Fields(rest); len(f) > 0 {
				n, _ := strconv.Atoi(f[0]) // unlimited is 0
				return n
			}
		}
	}
	return 0
}
