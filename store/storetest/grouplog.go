package storetest

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

func groupMsg(gid ident.GroupID, rev uint64, n int) store.GroupAppend {
	return store.GroupAppend{Group: gid, Rev: rev, ID: ID(n), Ord: int64(n), Sender: user(n), Body: fmt.Appendf(nil, "entry %d", n)}
}

func commitGroup(t testing.TB, e store.Engine, b store.GroupBatch, wanted ...store.GroupOutcome) {
	t.Helper()
	got, err := e.GroupLog().Commit(&b)
	must(t, err)
	if !slices.Equal(got, wanted) {
		t.Fatalf("outcomes %v, want %v", got, wanted)
	}
}

func unfinished(t testing.TB, e store.Engine, gid ident.GroupID) []int64 {
	t.Helper()
	es, err := e.GroupLog().Unfinished(bg, gid, store.GroupPlace{}, 1000)
	must(t, err)
	var out []int64
	for _, e := range es {
		out = append(out, e.Ord)
	}
	return out
}

func testGroupLog(t *testing.T, f *Fixture) {
	const gid = "g@x"
	e, gs := f.Engine, f.Engine.Directory().Groups()
	commitGroup(t, e, store.GroupBatch{Appends: []store.GroupAppend{groupMsg(gid, 1, 1)}}, store.GroupNotFound)
	must(t, gs.Create(&store.Group{ID: gid}, nil))
	commitGroup(t, e, store.GroupBatch{Appends: []store.GroupAppend{groupMsg(gid, 1, 2), groupMsg(gid, 1, 1), groupMsg(gid, 2, 3), groupMsg("no@x", 1, 3), groupMsg(gid, 1, 1)}},
		store.GroupAppended, store.GroupAppended, store.GroupStaleRevision, store.GroupNotFound, store.GroupDuplicate)
	_, err := gs.Change(gid, 1, store.GroupChange{Put: []store.Member{{User: "a@x"}}})
	must(t, err)
	commitGroup(t, e, store.GroupBatch{Appends: []store.GroupAppend{groupMsg(gid, 1, 2), groupMsg(gid, 1, 4), groupMsg(gid, 2, 4)}},
		store.GroupDuplicate, store.GroupStaleRevision, store.GroupAppended)
	es, err := e.GroupLog().Unfinished(bg, gid, store.GroupPlace{}, 2)
	must(t, err)
	wanted := []store.GroupEntry{
		{ID: ID(1), Ord: 1, Rev: 1, Sender: user(1), Body: []byte("entry 1")},
		{ID: ID(2), Ord: 2, Rev: 1, Sender: user(2), Body: []byte("entry 2")},
	}
	if !reflect.DeepEqual(es, wanted) {
		t.Fatalf("entries %+v\nwant %+v", es, wanted)
	}
	es, err = e.GroupLog().Unfinished(bg, gid, store.GroupPlace{Ord: 2, ID: ID(2)}, 2)
	must(t, err)
	if len(es) != 1 || es[0].ID != ID(4) || es[0].Rev != 2 {
		t.Fatalf("the second page is %+v", es)
	}
	_, err = e.GroupLog().Commit(&store.GroupBatch{Appends: []store.GroupAppend{groupMsg(gid, 2, 5), {}}})
	want(t, err, store.ErrInvalid)
	want(t, gs.Delete(gid, 2), store.ErrUnfinished)
	if got := unfinished(t, e, gid); !slices.Equal(got, []int64{1, 2, 4}) {
		t.Fatalf("unfinished %v", got)
	}
}

func testGroupDone(t *testing.T, f *Fixture) {
	const gid = "g@x"
	e, gs := f.Engine, f.Engine.Directory().Groups()
	must(t, gs.Create(&store.Group{ID: gid}, nil))
	a, b, c := groupMsg(gid, 1, 1), groupMsg(gid, 1, 2), groupMsg(gid, 1, 3)
	b.TTL = time.Hour
	all := store.GroupBatch{Appends: []store.GroupAppend{a, b, c}, Done: []store.GroupDone{{Group: gid, IDs: []ident.MessageID{ID(3), ID(9)}}}}
	commitGroup(t, e, all, store.GroupAppended, store.GroupAppended, store.GroupAppended)
	if got := unfinished(t, e, gid); !slices.Equal(got, []int64{1, 2}) {
		t.Fatalf("unfinished %v", got)
	}
	commitGroup(t, e, store.GroupBatch{Done: []store.GroupDone{{Group: gid, IDs: []ident.MessageID{ID(1), ID(2)}}}})
	f.Advance(store.DoneKept - time.Second)
	commitGroup(t, e, all, store.GroupDuplicate, store.GroupDuplicate, store.GroupDuplicate)
	if got := unfinished(t, e, gid); len(got) != 0 {
		t.Fatalf("unfinished %v", got)
	}
	must(t, gs.Delete(gid, 1))
	commitGroup(t, e, all, store.GroupNotFound, store.GroupNotFound, store.GroupNotFound)
}

func testPending(t *testing.T, f *Fixture) {
	e, gs := f.Engine, f.Engine.Directory().Groups()
	var wanted []ident.GroupID
	for n := range 9 {
		gid := ident.GroupID(fmt.Sprintf("g%d@x", n))
		must(t, gs.Create(&store.Group{ID: gid}, nil))
		var b store.GroupBatch
		for i := range n {
			b.Appends = append(b.Appends, groupMsg(gid, 1, i))
			if n%3 == 0 || i == 0 {
				b.Done = append(b.Done, store.GroupDone{Group: gid, IDs: []ident.MessageID{ID(i)}})
			}
		}
		_, err := e.GroupLog().Commit(&b)
		must(t, err)
		if n%3 != 0 && n > 1 {
			wanted = append(wanted, gid)
		}
	}
	for _, limit := range []int{1, 2, 100} {
		var got []ident.GroupID
		for after := ident.GroupID(""); ; after = got[len(got)-1] {
			page, err := e.GroupLog().Pending(bg, after, limit)
			must(t, err)
			if got = append(got, page...); len(page) == 0 {
				break
			}
		}
		if !slices.Equal(got, wanted) {
			t.Fatalf("pending %v, want %v", got, wanted)
		}
	}
}
