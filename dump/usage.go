package dump

import (
	"io/fs"
	"math"
	"os"
	"path"
	"runtime/metrics"
	"strconv"
	"strings"
)

// CurrentUsage measures the memory of this process. It takes some ten microseconds.
func CurrentUsage() Usage { return usage(root()) }

// Used is the resident memory or, where the system doesn't tell, what the Go runtime has.
func (u Usage) Used() uint64 {
	if u.RSS > 0 {
		return u.RSS
	}
	return u.Go
}

func usage(at fs.FS) Usage {
	s := []metrics.Sample{
		{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}, {Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}, {Name: "/gc/gomemlimit:bytes"},
	}
	metrics.Read(s)
	n := func(i int) uint64 { return s[i].Value.Uint64() }
	u := Usage{RSS: rss(at), Go: n(0) - n(1), Heap: n(2), Live: n(3), Stack: n(4)}
	if limit := n(5); limit < math.MaxInt64 {
		u.GoLimit = limit
	}
	u.GroupLimit, u.Machine = groupLimit(at), machine(at)
	for _, limit := range []uint64{u.GoLimit, u.GroupLimit, u.Machine} {
		if limit > 0 && (u.Limit == 0 || limit < u.Limit) {
			u.Limit = limit
		}
	}
	return u
}

// rss is the second number of statm, which counts pages (proc_pid_statm(5)).
func rss(at fs.FS) uint64 {
	fields := strings.Fields(read(at, "proc/self/statm"))
	if len(fields) < 2 {
		return 0
	}
	return number(fields[1]) * uint64(os.Getpagesize())
}

// machine is the memory of the machine.
func machine(at fs.FS) uint64 {
	for line := range strings.Lines(read(at, "proc/meminfo")) {
		if rest, ok := strings.CutPrefix(line, "MemTotal:"); ok {
			return number(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB"))) << 10
		}
	}
	return 0
}

// groupLimit is the least limit of the process's control group and those above it, of either version (cgroups(7)).
func groupLimit(at fs.FS) uint64 {
	least := uint64(0)
	for line := range strings.Lines(read(at, "proc/self/cgroup")) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) < 3 {
			continue
		}
		top, file := "sys/fs/cgroup", "memory.max"
		switch {
		case parts[1] == "memory":
			top, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		case parts[0] != "0":
			continue
		}
		// Inside a container the path may be the one outside, which isn't there: then the top is the container's own.
		for group := path.Join("/", parts[2]); ; group = path.Dir(group) {
			limit := number(strings.TrimSpace(read(at, path.Join(top, group, file))))
			if limit > 0 && limit < 1<<60 && (least == 0 || limit < least) { // version 1 writes "none" as a number near 1<<63
				least = limit
			}
			if group == "/" {
				break
			}
		}
	}
	return least
}

// read is a file's text, nothing if it can't be read.
func read(at fs.FS, name string) string {
	text, err := fs.ReadFile(at, name)
	if err != nil {
		return ""
	}
	return string(text)
}

// number is 0 for what is none.
func number(text string) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
