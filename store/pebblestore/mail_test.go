package pebblestore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/store/pebblestore"
	"github.com/jackdaw-im/jackdaw/store/storetest"
)

// A resend finds the row of a first write that is visible but not yet on the disk. To answer "duplicate" then would
// acknowledge what a loss of power takes away.
func TestDuplicateWaitsForTheFirstWrite(t *testing.T) {
	var gate struct {
		sync.Mutex
		shut    bool
		arrived chan struct{}
		open    chan struct{}
	}
	gate.arrived, gate.open = make(chan struct{}, 100), make(chan struct{})
	r := newRig(t, func(o *pebblestore.Options) {
		o.FS = errorfs.Wrap(o.FS, errorfs.InjectorFunc(func(op errorfs.Op) error {
			gate.Lock()
			shut := gate.shut
			gate.Unlock()
			if shut && strings.HasSuffix(op.Path, ".log") && (op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData) {
				gate.arrived <- struct{}{}
				<-gate.open
			}
			return nil
		}))
	})
	gate.Lock()
	gate.shut = true
	gate.Unlock()
	b := &store.Batch{Appends: []store.Append{{Mailbox: "a@x", ID: storetest.ID(1)}}}
	results := make(chan store.Result, 2)
	try := func() {
		res, err := r.Mail().Commit(b)
		if err != nil {
			t.Error(err)
		}
		results <- res
	}
	go try()
	<-gate.arrived // the first write is visible, and its flush stands still
	go try()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	select {
	case <-results:
		t.Error("a commit was answered before its flush")
	case <-ctx.Done():
	}
	close(gate.open)
	if n := len((<-results).Duplicates) + len((<-results).Duplicates); n != 1 {
		t.Errorf("%d duplicates, want 1", n)
	}
}

// An ack-only batch is not flushed: it must not wait for the disk.
func TestAcksDontWaitForTheDisk(t *testing.T) {
	synced := 0
	r := newRig(t, func(o *pebblestore.Options) {
		o.FS = errorfs.Wrap(o.FS, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if strings.HasSuffix(op.Path, ".log") && (op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData) {
				synced++ // the log has one flusher, and the last commit below waits for it
			}
			return nil
		}))
	})
	if err := appendOne(r, 1); err != nil {
		t.Fatal(err)
	}
	before := synced
	for range 100 {
		if _, err := r.Mail().Commit(&store.Batch{Acks: []store.Ack{{Mailbox: "a@x", ID: storetest.ID(1), Device: "phone"}}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := appendOne(r, 2); err != nil {
		t.Fatal(err)
	}
	if synced-before > 2 {
		t.Errorf("%d flushes for 100 ack-only batches and one append", synced-before)
	}
}

// A mailbox beyond one chunk is purged, and its account removed, in several batches.
func TestPurgeInChunks(t *testing.T) {
	const rows = 9000
	r := newRig(t, nil)
	fill := func() {
		var b store.Batch
		for n := range rows {
			b.Appends = append(b.Appends, store.Append{Mailbox: "a@x", ID: storetest.ID(n), Ord: int64(n)})
			b.Acks = append(b.Acks, store.Ack{Mailbox: "a@x", ID: storetest.ID(n), Device: "phone"})
		}
		if _, err := r.Mail().Commit(&b); err != nil {
			t.Fatal(err)
		}
	}
	fill()
	if n, err := r.Mail().Purge("a@x"); n != rows || err != nil {
		t.Fatalf("purged %d, %v", n, err)
	}
	fill()
	if err := r.Directory().Accounts().Remove("a@x"); err != nil {
		t.Fatal(err)
	}
	if got, err := storetest.Rows(t.Context(), r, "a@x"); err != nil || len(got) != 0 {
		t.Fatalf("%d rows are left, %v", len(got), err)
	}
	empty(t, r)
}

// empty wants nothing but the schema in a store. It closes it.
func empty(t *testing.T, r *rig) {
	t.Helper()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := pebble.Open("/data", &pebble.Options{FS: r.o.FS, FormatMajorVersion: pebble.FormatTableFormatV6, Logger: quiet{}})
	if err != nil {
		t.Fatal(err)
	}
	it, err := db.NewIter(nil)
	if err != nil {
		t.Fatal(err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		if k := string(it.Key()); k != "s|schema" {
			t.Errorf("key %q is left over", k)
		}
	}
	if err := errors.Join(it.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}
}

// Everything that is made can be removed without a trace.
func TestNothingIsLeftOver(t *testing.T) {
	r := newRig(t, nil)
	d := r.Directory()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(d.Accounts().Create(&store.Account{User: "a@x"}))
	_, err := d.Rosters().SetItem("a@x", 0, store.RosterItem{Contact: "b@x"})
	check(err)
	check(d.Rosters().SetBlocks("a@x", []string{"c@x"}, nil))
	_, err = d.Devices().Put("a@x", store.Device{ID: "phone"})
	check(err)
	check(d.Groups().Create(&store.Group{ID: "g@x"}, []store.Member{{User: "a@x"}, {User: "b@x"}}))
	_, err = r.GroupLog().Commit(&store.GroupBatch{Appends: []store.GroupAppend{{Group: "g@x", Rev: 1, ID: storetest.ID(1)}},
		Done: []store.GroupDone{{Group: "g@x", IDs: []ident.MessageID{storetest.ID(1)}}}})
	check(err)
	var b store.Batch
	for n := range 3 {
		b.Appends = append(b.Appends, store.Append{Mailbox: "a@x", ID: storetest.ID(n)}, store.Append{Mailbox: "b@x", ID: storetest.ID(n)})
		b.Acks = append(b.Acks, store.Ack{Mailbox: "a@x", ID: storetest.ID(n), Device: "phone"}, store.Ack{Mailbox: "b@x", ID: storetest.ID(n), Device: "phone"})
	}
	_, err = r.Mail().Commit(&b)
	check(err)
	for i := range b.Acks {
		b.Acks[i].Delete = b.Acks[i].Mailbox == "b@x"
	}
	_, err = r.Mail().Commit(&store.Batch{Acks: b.Acks})
	check(err)
	check(d.Accounts().Remove("a@x"))
	check(d.Groups().Delete("g@x", 2))
	empty(t, r)
}

func TestDoneEntriesAreSweptAfterAWhile(t *testing.T) {
	r := newRig(t, nil)
	if err := r.Directory().Groups().Create(&store.Group{ID: "g@x"}, nil); err != nil {
		t.Fatal(err)
	}
	b := &store.GroupBatch{Appends: []store.GroupAppend{{Group: "g@x", Rev: 1, ID: storetest.ID(1)}, {Group: "g@x", Rev: 1, ID: storetest.ID(2)}}}
	commit := func(want ...store.GroupOutcome) {
		t.Helper()
		if got, err := r.GroupLog().Commit(b); err != nil || !slices.Equal(got, want) {
			t.Fatalf("outcomes %v, %v; want %v", got, err, want)
		}
	}
	commit(store.GroupAppended, store.GroupAppended)
	if _, err := r.GroupLog().Commit(&store.GroupBatch{Done: []store.GroupDone{{Group: "g@x", IDs: []ident.MessageID{storetest.ID(1)}}}}); err != nil {
		t.Fatal(err)
	}
	r.advance(store.DoneKept - time.Second)
	r.look()
	commit(store.GroupDuplicate, store.GroupDuplicate)
	r.advance(2 * time.Minute)
	r.look()
	commit(store.GroupAppended, store.GroupDuplicate) // the entry that is not done stays, however old it is
}

// A walk over many rows that have not expired gives up its page before it finds any.
func TestExpiredPagesAreBounded(t *testing.T) {
	r := newRig(t, nil)
	for m := range 25 {
		var b store.Batch
		for n := range 1000 {
			a := store.Append{Mailbox: ident.UserID(fmt.Sprintf("user%d@x", m)), ID: storetest.ID(n)}
			if n == 0 {
				a.TTL = time.Second
			}
			b.Appends = append(b.Appends, a)
		}
		if _, err := r.Mail().Commit(&b); err != nil {
			t.Fatal(err)
		}
	}
	r.advance(time.Minute)
	pages, found := 0, 0
	for q := (store.ExpiredQuery{Limit: 1000}); ; pages++ {
		page, err := r.Mail().Expired(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		found += len(page.Rows)
		if q.After = page.Next; q.After == "" {
			break
		}
	}
	if found != 25 || pages < 2 {
		t.Errorf("%d rows on %d pages", found, pages)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Mail().Expired(ctx, store.ExpiredQuery{Limit: 1}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v of a cancelled walk", err)
	}
}

func TestDamagedValuesAreNamed(t *testing.T) {
	r := newRig(t, nil)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := pebble.Open("/data", &pebble.Options{FS: r.o.FS, FormatMajorVersion: pebble.FormatTableFormatV6, Logger: quiet{}})
	if err != nil {
		t.Fatal(err)
	}
	p := store.MailPartition("a@x")
	for _, k := range []string{"m|" + string([]byte{byte(p >> 8), byte(p)}) + "a@x\x00" + strings.Repeat("i", 16), "a|a@x", "g|g@x", "gm|g@x\x00a@x",
		"r|a@x\x00b@x", "d|a@x\x00phone", "l|g@x\x00" + strings.Repeat("i", 16)} {
		if err := db.Set([]byte(k), []byte{77, 1, 2}, pebble.Sync); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	r.open(t)
	d := r.Directory()
	for name, read := range map[string]func() error{
		"account":    func() error { _, err := d.Accounts().Account(t.Context(), "a@x"); return err },
		"list":       func() error { _, err := d.Accounts().List(t.Context(), "", 5); return err },
		"export":     func() error { _, err := d.Accounts().Export(t.Context(), "a@x"); return err },
		"mailbox":    func() error { _, err := storetest.Rows(t.Context(), r, "a@x"); return err },
		"devices":    func() error { _, err := d.Devices().Devices(t.Context(), "a@x"); return err },
		"seen":       func() error { return d.Devices().Seen("a@x", "phone", time.Time{}) },
		"group":      func() error { _, err := d.Groups().Group(t.Context(), "g@x"); return err },
		"members":    func() error { _, err := d.Groups().Members(t.Context(), "g@x", "", 5); return err },
		"change":     func() error { _, err := d.Groups().Change("g@x", 1, store.GroupChange{}); return err },
		"unfinished": func() error { _, err := r.GroupLog().Unfinished(t.Context(), "g@x", store.GroupPlace{}, 5); return err },
		"pending":    func() error { _, err := r.GroupLog().Pending(t.Context(), "", 5); return err },
	} {
		if err := read(); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("%s: error %v, want %v", name, err, store.ErrCorrupt)
		}
	}
}
