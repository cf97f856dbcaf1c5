package pebblestore_test

import (
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/store/storetest"
)

// TestWalkFindsDamage changes the keys of a store behind the store's back.
func TestWalkFindsDamage(t *testing.T) {
	r := newRig(t, nil)
	storetest.Fill(t, r.Engine, 30)
	must(t, r.Close())
	db, err := pebble.Open("/data", &pebble.Options{FS: r.o.FS, Logger: silent{}})
	must(t, err)
	first := func(prefix string, n int) (k, v []byte) {
		it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte(prefix), UpperBound: []byte(prefix + "\xff\xff")})
		must(t, err)
		defer func() { must(t, it.Close()) }()
		it.First()
		for range n {
			it.Next()
		}
		return slices.Clone(it.Key()), slices.Clone(it.Value())
	}
	del := func(k, _ []byte) { must(t, db.Delete(k, pebble.Sync)) }
	set := func(k, v []byte) { must(t, db.Set(k, v, pebble.Sync)) }
	body, _ := first("b|", 3)
	del(body, nil)                                                          // a message without its body
	row, _ := first("m|", 0)                                                // a body without its message
	del(row, nil)                                                           //
	k, v := first("m|", 8)                                                  // a message that can't be read
	set(k, v[:5])                                                           //
	k, v = first("m|", 12)                                                  // in the wrong partition
	k[3]++                                                                  //
	set(k, v)                                                               //
	del(first("ug|", 2))                                                    // a member whose other half is missing
	set([]byte("ug|x@x\x00nogroup@x"), nil)                                 // and one without the first half
	set([]byte("k|x@x\x000123456789abcdefphone"), nil)                      // an acknowledgement of nothing
	set([]byte("d|x@x\x00phone"), []byte{1, 0, 0, 0, 0})                    // a device of nobody
	set([]byte("gm|none@x\x00late@x"), []byte{1, 0, 1})                     // a member of nothing
	set([]byte("ug|late@x\x00none@x"), nil)                                 //
	k, v = first("g|", 5)                                                   // a group that has lost a member
	v[2]++                                                                  //
	set(k, v)                                                               //
	_, v = first("l|", 0)                                                   // a message of a later revision
	v[2] = 9                                                                //
	set(append([]byte("l|group1@x\x00"), []byte("0123456789abcdef")...), v) //
	must(t, db.Close())
	r.open(t)
	damage, entries := map[store.Part]int{}, map[store.Part]int{}
	for part := range store.Parts {
		for after := ""; ; {
			page, err := r.Walk(t.Context(), store.WalkQuery{Part: part, After: after, Limit: 3})
			must(t, err)
			damage[part] += len(page.Damage)
			entries[part] += len(page.Entries)
			if after = page.Next; after == "" {
				break
			}
		}
	}
	want := map[store.Part]int{store.PartMembers: 1, store.PartMail: 3, store.PartIndexes: 3}
	for part := range store.Parts {
		if damage[part] != want[part] {
			t.Errorf("%d damaged %v, want %d", damage[part], part, want[part])
		}
	}
	if entries[store.PartMail] < 50 || entries[store.PartDevices] < 30 {
		t.Errorf("the rest isn't there: %v", entries)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// silent is a log that nobody reads.
type silent struct{}

func (silent) Infof(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(string, ...any) {}
