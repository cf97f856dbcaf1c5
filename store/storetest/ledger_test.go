package storetest

import (
	"maps"
	"slices"
	"testing"

	"github.com/jackdaw-im/jackdaw/store/memstore"
)

func TestPromise(t *testing.T) {
	l := newLedger()
	l.add('A', 1, 2, 3)
	l.add('R', 0, 7)
	l.add('D', 2)
	l.add('A', 4)
	l.add('G', 9)
	l.add('D', 1)
	for _, c := range []struct {
		n, upto int
		rows    []int
		roster  uint64
		groups  int
	}{
		{0, 0, nil, 0, 0},
		{1, 1, []int{1, 2, 3}, 0, 0},
		{1, 3, []int{1, 3}, 0, 0}, // a delete that began while the picture was taken may be in it
		{6, 6, []int{3, 4}, 7, 1},
		{4, 6, []int{3, 4}, 7, 0},
	} {
		p := l.promise(c.n, c.upto)
		if got := slices.Sorted(maps.Keys(p.rows)); !slices.Equal(got, c.rows) || p.roster[0] != c.roster || len(p.groups) != c.groups {
			t.Errorf("promise of %d and %d events: %+v", c.n, c.upto, p)
		}
	}
}

// The workload of the crash tests keeps its own promises on a store that doesn't crash, which is also how many rows it
// leaves: a workload that deleted everything would find every store good.
func TestWorkloadKeepsItsPromises(t *testing.T) {
	e, l := memstore.New(memstore.Options{}), newLedger()
	must(t, prepareCrash(e))
	for w := range crashWriters {
		must(t, write(e, w, 0, l.add, func() bool { return l.len() > 200*(w+1) }))
	}
	p := l.promise(l.len(), l.len())
	p.check(t, e, "without a crash")
	if len(p.rows) < crashWriters*30 || len(p.groups) < 10 || p.roster[0] == 0 {
		t.Errorf("%d rows, %d group entries and a roster at %d are too few to find anything with", len(p.rows), len(p.groups), p.roster[0])
	}
}

func TestParseEvent(t *testing.T) {
	if e, err := parseEvent("A 1 22\n"); err != nil || e.kind != 'A' || !slices.Equal(e.ns, []int{1, 22}) {
		t.Errorf("%+v, %v", e, err)
	}
	for _, bad := range []string{"", "A", "AB 1", "A x"} {
		if _, err := parseEvent(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
