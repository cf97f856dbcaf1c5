package storetest

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

// testConcurrent lets several writers append the same and different messages to the same mailboxes, with acks between.
func testConcurrent(t *testing.T, f *Fixture) {
	const writers, mailboxes, each = 8, 5, 60
	var inserted atomic.Int64
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for n := range each {
				var b store.Batch
				for m := range mailboxes {
					b.Appends = append(b.Appends, msg(user(m), n), msg(user(m), 1000*(w+1)+n))
					if n > 0 {
						b.Acks = append(b.Acks, store.Ack{Mailbox: user(m), ID: ID(1000*(w+1) + n - 1), Delete: true},
							store.Ack{Mailbox: user(m), ID: ID(n), Device: ident.DeviceID(user(w))})
					}
				}
				r, err := f.Engine.Mail().Commit(&b)
				if err != nil {
					t.Error(err)
					return
				}
				inserted.Add(int64(len(b.Appends) - len(r.Duplicates)))
				if rows, err := Rows(bg, f.Engine, user(w%mailboxes)); err != nil || len(rows) == 0 {
					t.Errorf("%d rows, %v", len(rows), err)
				}
			}
		})
	}
	wg.Wait()
	if wanted := int64(mailboxes * (each + writers*each)); inserted.Load() != wanted {
		t.Errorf("%d inserted, want %d", inserted.Load(), wanted)
	}
	for m := range mailboxes {
		rows := index(t, f.Engine, user(m))
		if len(rows) != each+writers {
			t.Fatalf("%d rows in mailbox %d, want %d", len(rows), m, each+writers)
		}
		for _, r := range rows {
			if r.Ord > 0 && r.Ord < each && len(r.Acked) != writers {
				t.Fatalf("row %d has acks %v", r.Ord, r.Acked)
			}
		}
	}
}

// testConcurrentChanges lets several writers change one roster, account and group by compare-and-set.
func testConcurrentChanges(t *testing.T, f *Fixture) {
	const writers, each = 6, 20
	d, u := f.Engine.Directory(), user(1)
	create(t, f.Engine, u)
	must(t, d.Groups().Create(&store.Group{ID: "g@x"}, nil))
	try := func(change func() error) {
		for {
			if err := change(); !errors.Is(err, store.ErrRevision) {
				if err != nil {
					t.Error(err)
				}
				return
			}
		}
	}
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for n := range each {
				who := user(w*each + n)
				try(func() error {
					p, err := d.Accounts().Account(bg, u)
					if err != nil {
						return err
					}
					_, err = d.Rosters().SetItem(u, p.Roster.Rev, store.RosterItem{Contact: who, Listed: true})
					return err
				})
				try(func() error {
					g, err := d.Groups().Group(bg, "g@x")
					if err != nil {
						return err
					}
					_, err = d.Groups().Change("g@x", g.Rev, store.GroupChange{Put: []store.Member{{User: who}}})
					return err
				})
				try(func() error {
					p, err := d.Accounts().Account(bg, u)
					if err != nil {
						return err
					}
					_, err = d.Accounts().Update(&p.Account)
					return err
				})
			}
		})
	}
	wg.Wait()
	p, err := d.Accounts().Account(bg, u)
	must(t, err)
	g, err := d.Groups().Group(bg, "g@x")
	must(t, err)
	const all = writers * each
	if r := &p.Roster; len(r.Items) != all || r.Rev != all || g.Members != all || g.Rev != all+1 || p.Account.Rev != all+1 {
		t.Fatalf("%d items at %d, %d members at %d, account at %d: a change was lost", len(r.Items), r.Rev, g.Members, g.Rev, p.Account.Rev)
	}
}

// testFull walks the free space down and up again.
func testFull(t *testing.T, f *Fixture) {
	if f.SetFree == nil {
		t.Log("this engine doesn't look at the disk")
		return
	}
	e, u := f.Engine, user(1)
	furnish(t, f, u)
	must(t, e.Directory().Groups().Create(&store.Group{ID: "g@x"}, nil))
	commitGroup(t, e, store.GroupBatch{Appends: []store.GroupAppend{groupMsg("g@x", 1, 1)}}, store.GroupAppended)
	f.SetFree(600 << 20) // above the stop mark, below the resume mark
	appendAll(t, e, u, 3)
	f.SetFree(500 << 20)
	if h := e.Health(); h.State != store.Full || h.Reason == "" || h.Free != 500<<20 {
		t.Fatalf("health %+v", h)
	}
	_, err := e.Mail().Commit(&store.Batch{Appends: []store.Append{msg(u, 4)}, Acks: []store.Ack{{Mailbox: u, ID: ID(1), Delete: true}}})
	want(t, err, store.ErrFull)
	if got := ords(t, e, u); !slices.Equal(got, []int64{1, 2, 3}) {
		t.Fatalf("ords %v after a refused batch", got)
	}
	a := account(user(2))
	want(t, e.Directory().Accounts().Create(&a), store.ErrFull)
	_, err = e.Directory().Accounts().Put([]store.Account{a})
	want(t, err, store.ErrFull)
	want(t, e.Directory().Groups().Create(&store.Group{ID: "h@x"}, nil), store.ErrFull)
	_, err = e.GroupLog().Commit(&store.GroupBatch{Appends: []store.GroupAppend{groupMsg("g@x", 1, 2)}})
	want(t, err, store.ErrFull)
	// Reads, acks, removals and small changes go on.
	commit(t, e, store.Batch{Acks: []store.Ack{{Mailbox: u, ID: ID(1), Delete: true}, {Mailbox: u, ID: ID(2), Device: "desk"}}})
	if got := ords(t, e, u); !slices.Equal(got, []int64{2, 3}) {
		t.Fatalf("ords %v after an ack", got)
	}
	commitGroup(t, e, store.GroupBatch{Done: []store.GroupDone{{Group: "g@x", IDs: []ident.MessageID{ID(1)}}}})
	_, err = e.Directory().Rosters().SetItem(u, 1, store.RosterItem{Contact: "new@x"})
	must(t, err)
	f.SetFree(10 << 20)
	_, err = e.Directory().Rosters().SetItem(u, 2, store.RosterItem{Contact: "newer@x"})
	want(t, err, store.ErrFull)
	_, err = e.Directory().Rosters().RemoveItem(u, 2, "new@x")
	must(t, err)
	commit(t, e, store.Batch{Acks: []store.Ack{{Mailbox: u, ID: ID(2), Delete: true}}})
	f.SetFree(900 << 20)
	_, err = e.Mail().Commit(&store.Batch{Appends: []store.Append{msg(u, 4)}})
	want(t, err, store.ErrFull)
	f.SetFree(1 << 30)
	if h := e.Health(); h.State != store.Serving || h.Reason != "" {
		t.Fatalf("health %+v", h)
	}
	appendAll(t, e, u, 4)
	must(t, e.Directory().Accounts().Remove(u))
}

func testReopen(t *testing.T, f *Fixture) {
	if f.Reopen == nil {
		t.Log("this engine forgets")
		return
	}
	u := user(1)
	furnish(t, f, u)
	must(t, f.Engine.Directory().Groups().Create(&store.Group{ID: "g@x"}, []store.Member{{User: u}}))
	commitGroup(t, f.Engine, store.GroupBatch{Appends: []store.GroupAppend{groupMsg("g@x", 1, 1)}}, store.GroupAppended)
	before, err := f.Engine.Directory().Accounts().Export(bg, u)
	must(t, err)
	for range 2 {
		e := f.Reopen(t)
		after, err := e.Directory().Accounts().Export(bg, u)
		must(t, err)
		if !equal(before, after) || !equal(ords(t, e, u), []int64{1, 2}) || !equal(unfinished(t, e, "g@x"), []int64{1}) {
			t.Fatalf("export %+v, mail %v, log %v", after, ords(t, e, u), unfinished(t, e, "g@x"))
		}
		if got := acked(t, e, u); !equal(got[1], []ident.DeviceID{"phone"}) {
			t.Fatalf("acks %v", got)
		}
	}
	e := f.Engine
	commit(t, e, store.Batch{Acks: []store.Ack{{Mailbox: u, ID: ID(1), Delete: true}}})
	appendAll(t, e, u, 1)
	if got := acked(t, e, u); got[1] != nil {
		t.Fatalf("acks %v of before the reopening outlived their row", got)
	}
}

func testClosed(t *testing.T, f *Fixture) {
	e := f.Engine
	must(t, e.Close())
	want(t, e.Close(), store.ErrClosed)
	_, err := e.Mail().Commit(&store.Batch{Appends: []store.Append{msg(user(1), 1)}})
	want(t, err, store.ErrClosed)
	_, err = Rows(bg, e, user(1))
	want(t, err, store.ErrClosed)
	_, err = e.Directory().Accounts().List(bg, "", 1)
	want(t, err, store.ErrClosed)
	_, err = e.GroupLog().Pending(bg, "", 1)
	want(t, err, store.ErrClosed)
}
