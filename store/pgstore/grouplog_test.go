package pgstore

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

// TestSweep: what is done is forgotten once it is old enough, some at a time, and nothing else is.
func TestSweep(t *testing.T) {
	var shift atomic.Int64
	e, err := Open(emptyDatabase(t, "sweep"), Options{AllowUnreplicated: true, Tool: true, Shift: func() time.Duration { return time.Duration(shift.Load()) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	const gid = ident.GroupID("g@x")
	must(e.Directory().Groups().Create(&store.Group{ID: gid}, nil))
	put := func(ids ...byte) []store.GroupOutcome {
		t.Helper()
		var b store.GroupBatch
		for _, id := range ids {
			b.Appends = append(b.Appends, store.GroupAppend{Group: gid, Rev: 1, ID: ident.MessageID{id}, Body: []byte("x")})
		}
		out, err := e.GroupLog().Commit(&b)
		must(err)
		return out
	}
	done := func(ids ...byte) {
		t.Helper()
		d := store.GroupDone{Group: gid}
		for _, id := range ids {
			d.IDs = append(d.IDs, ident.MessageID{id})
		}
		_, err := e.GroupLog().Commit(&store.GroupBatch{Done: []store.GroupDone{d}})
		must(err)
	}
	put(1, 2, 3)
	done(1)
	shift.Store(int64(store.DoneKept / 2))
	done(2)
	must(e.dirDB.sweepGroupLog())
	if out := put(1, 2, 3); fmt.Sprint(out) != fmt.Sprint([]store.GroupOutcome{store.GroupDuplicate, store.GroupDuplicate, store.GroupDuplicate}) {
		t.Fatalf("too early: %v", out)
	}
	shift.Store(int64(store.DoneKept + time.Second))
	must(e.dirDB.sweepGroupLog())
	if out := put(1, 2, 3); fmt.Sprint(out) != fmt.Sprint([]store.GroupOutcome{store.GroupAppended, store.GroupDuplicate, store.GroupDuplicate}) {
		t.Fatalf("the first is old enough: %v", out)
	}
	must(e.dirDB.sweepGroupLog())
	if es, err := e.GroupLog().Unfinished(bg, gid, store.GroupPlace{}, 10); err != nil || len(es) != 2 {
		t.Fatalf("unfinished %+v, %v", es, err)
	}
}

// TestDecide: the outcome of each append follows from what was there, in the order given.
func TestDecide(t *testing.T) {
	const there, gone = ident.GroupID("g"), ident.GroupID("none")
	a := func(gid ident.GroupID, rev uint64, id byte) store.GroupAppend {
		return store.GroupAppend{Group: gid, Rev: rev, ID: ident.MessageID{id}}
	}
	c := &groupCommit{
		b:    &store.GroupBatch{Appends: []store.GroupAppend{a(there, 2, 1), a(there, 1, 2), a(there, 2, 2), a(there, 2, 2), a(there, 1, 2), a(gone, 1, 3), a(there, 9, 4)}},
		revs: map[ident.GroupID]uint64{there: 2}, there: map[entryKey]bool{{there, ident.MessageID{4}}: true}, fresh: map[entryKey]int{},
		outcomes: make([]store.GroupOutcome, 7),
	}
	c.decide()
	want := []store.GroupOutcome{0, store.GroupStaleRevision, 0, store.GroupDuplicate, store.GroupDuplicate, store.GroupNotFound, store.GroupDuplicate}
	if fmt.Sprint(c.outcomes) != fmt.Sprint(want) || len(c.fresh) != 2 {
		t.Fatalf("outcomes %v, want %v; fresh %v", c.outcomes, want, c.fresh)
	}
}
