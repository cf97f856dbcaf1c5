package dump

import (
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"testing/fstest"
)

func system(files map[string]string) fstest.MapFS {
	m := fstest.MapFS{}
	for name, text := range files {
		m[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return m
}

func TestLimits(t *testing.T) {
	const meminfo = "MemFree:        1 kB\nMemTotal:       16384 kB\n"
	for _, c := range []struct {
		name                  string
		files                 map[string]string
		group, machine, limit uint64
	}{
		{"nothing is known", nil, 0, 0, 0},
		{"a machine", map[string]string{"proc/meminfo": meminfo}, 0, 16 << 20, 16 << 20},
		{"version 2", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/memory.max": "1048576\n", "sys/fs/cgroup/a/b/memory.max": "max\n"}, 1 << 20, 16 << 20, 1 << 20},
		{"the lowest group has the least", map[string]string{"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/memory.max": "2000\n", "sys/fs/cgroup/a/b/memory.max": "1000\n"}, 1000, 0, 1000},
		{"a container that sees its own group as the top", map[string]string{"proc/self/cgroup": "0::/outside/x\n", "sys/fs/cgroup/memory.max": "3000\n"}, 3000, 0, 3000},
		{"version 1", map[string]string{"proc/self/cgroup": "12:cpu:/x\n4:memory:/a\n0::/\n", "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "5000\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 5000, 0, 5000},
		{"a group above the machine", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "99999999\n"}, 99999999, 16 << 20, 16 << 20},
		{"nonsense", map[string]string{"proc/meminfo": "MemTotal: lots\n", "proc/self/cgroup": "0\nx\n0::/\n", "sys/fs/cgroup/memory.max": "?"}, 0, 0, 0},
	} {
		if u := usage(system(c.files)); u.GroupLimit != c.group || u.Machine != c.machine || u.Limit != c.limit {
			t.Errorf("%s: group %d, machine %d, limit %d", c.name, u.GroupLimit, u.Machine, u.Limit)
		}
	}
}

func TestGoLimit(t *testing.T) {
	old := debug.SetMemoryLimit(1 << 40)
	defer debug.SetMemoryLimit(old)
	if u := usage(system(map[string]string{"proc/meminfo": "MemTotal: 2147483648 kB\n"})); u.GoLimit != 1<<40 || u.Limit != 1<<40 {
		t.Errorf("%+v", u)
	}
}

func TestUsed(t *testing.T) {
	u := usage(system(map[string]string{"proc/self/statm": "900 300 200 1 0 100 0\n"}))
	if want := uint64(300 * os.Getpagesize()); u.RSS != want || u.Used() != want {
		t.Errorf("%+v", u)
	}
	for _, statm := range []string{"", "900", "900 x"} {
		if u := usage(system(map[string]string{"proc/self/statm": statm})); u.RSS != 0 || u.Used() != u.Go || u.Go == 0 {
			t.Errorf("%q: %+v", statm, u)
		}
	}
	if testing.AllocsPerRun(10, func() { CurrentUsage() }) > 200 {
		t.Error("it is measured every other second, and should cost little")
	}
}

func TestDescriptors(t *testing.T) {
	at := system(map[string]string{"proc/self/limits": "Limit                     Soft Limit           Hard Limit           Units\nMax open files            1024                 4096                 files\n"})
	for name, target := range map[string]string{"0": "/dev/null", "3": "socket:[1]", "4": "socket:[2]", "5": "anon_inode:[eventpoll]", "6": "/data/a:b", "7": "pipe:[9]"} {
		at["proc/self/fd/"+name] = &fstest.MapFile{Data: []byte(target), Mode: os.ModeSymlink}
	}
	d, err := descriptors(at)
	if err != nil || d.Open != 6 || d.Limit != 1024 || d.Kinds["socket"] != 2 || d.Kinds["file"] != 2 || d.Kinds["anon"] != 1 || d.Kinds["pipe"] != 1 {
		t.Errorf("%+v, %v", d, err)
	}
	if _, err := descriptors(system(nil)); err == nil {
		t.Error("there is no such folder")
	}
	for _, limits := range []string{"", "Max open files", "Max open files   unlimited   unlimited   files\n"} {
		if n := descriptorLimit(system(map[string]string{"proc/self/limits": limits})); n != 0 {
			t.Errorf("%q: %d", limits, n)
		}
	}
}

func TestDistribution(t *testing.T) {
	for _, c := range []struct {
		counts []uint64
		want   Sample
	}{
		{[]uint64{0, 0, 0}, Sample{}},
		{[]uint64{1, 0, 0}, Sample{Value: 1, P50: 1, P99: 1, Max: 1}},
		{[]uint64{98, 1, 1}, Sample{Value: 100, P50: 1, P99: 2, Max: 2}}, // the last has no upper bound
		{[]uint64{1, 2, 0}, Sample{Value: 3, P50: 2, P99: 2, Max: 2}},
	} {
		var got Sample
		got.distribution(&metrics.Float64Histogram{Counts: c.counts, Buckets: []float64{0, 1, 2, math.Inf(1)}})
		if got != c.want {
			t.Errorf("%v: %+v, want %+v", c.counts, got, c.want)
		}
	}
}

func TestDuration(t *testing.T) {
	var d Duration
	if err := d.UnmarshalText([]byte("1m30s")); err != nil || d != Duration(90e9) {
		t.Errorf("%v, %v", d, err)
	}
	if d.UnmarshalText([]byte("soon")) == nil {
		t.Error("soon is no time")
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[uint64]string{0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 5 << 20: "5.0 MiB", 3 << 30: "3.0 GiB"} {
		if got := size(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}
