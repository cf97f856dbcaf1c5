package storetest

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

func testIdempotent(t *testing.T, f *Fixture) {
	u := user(1)
	first := store.Batch{Appends: []store.Append{msg(u, 1), msg(u, 2)}}
	if r := commit(t, f.Engine, first); r.Duplicates != nil {
		t.Fatalf("duplicates %v", r.Duplicates)
	}
	if r := commit(t, f.Engine, first); !slices.Equal(r.Duplicates, []int{0, 1}) {
		t.Fatalf("duplicates %v, want both", r.Duplicates)
	}
	other := msg(u, 1)
	other.Ord, other.Body, other.Sender = 99, []byte("another body"), "mallory@test.example"
	r := commit(t, f.Engine, store.Batch{Appends: []store.Append{msg(u, 3), other}})
	if !slices.Equal(r.Duplicates, []int{1}) {
		t.Fatalf("duplicates %v, want the second", r.Duplicates)
	}
	if got := ords(t, f.Engine, u); !slices.Equal(got, []int64{1, 2, 3}) {
		t.Fatalf("ords %v: the first write must win", got)
	}
	bodies, err := f.Engine.Mail().Read(bg, u, []ident.MessageID{ID(1)})
	must(t, err)
	if !bytes.Equal(bodies[0], body(u, 1)) {
		t.Fatalf("body %q: the first write must win", bodies[0])
	}
}

func testTwiceInBatch(t *testing.T, f *Fixture) {
	u := user(1)
	second := msg(u, 1)
	second.Ord = 7
	r := commit(t, f.Engine, store.Batch{Appends: []store.Append{msg(u, 1), second, msg(user(2), 1)}})
	if !slices.Equal(r.Duplicates, []int{1}) {
		t.Fatalf("duplicates %v, want the second only", r.Duplicates)
	}
	if got := ords(t, f.Engine, u); !slices.Equal(got, []int64{1}) {
		t.Fatalf("ords %v", got)
	}
}

func testOrder(t *testing.T, f *Fixture) {
	u := user(1)
	type place struct {
		ord    int64
		sender ident.UserID
		cseq   uint64
	}
	places := []place{{-5, "z@x", 9}, {0, "a@x", 0}, {7, "a@x", 1}, {7, "a@x", 2}, {7, "a@x", 10}, {7, "b@x", 1}, {8, "a@x", 0}, {1 << 50, "a@x", 0}}
	for n, i := range rand.Perm(len(places)) {
		p := places[i]
		commit(t, f.Engine, store.Batch{Appends: []store.Append{{Mailbox: u, ID: ID(n), Ord: p.ord, Sender: p.sender, CSeq: p.cseq}}})
	}
	var got []place
	for _, r := range index(t, f.Engine, u) {
		got = append(got, place{r.Ord, r.Sender, r.CSeq})
	}
	if !slices.Equal(got, places) {
		t.Fatalf("order %v, want %v", got, places)
	}
}

func testRows(t *testing.T, f *Fixture) {
	u := user(1)
	a := store.Append{Mailbox: u, ID: ID(5), Ord: 1_700_000_000_000_001, Sender: "sénder@test.example", CSeq: 1<<64 - 1, TTL: time.Hour,
		Flags: store.FlagError | store.FlagSent, Body: make([]byte, 1234)}
	forever := store.Append{Mailbox: u, ID: ID(6), Ord: a.Ord + 1, TTL: -time.Second}
	commit(t, f.Engine, store.Batch{Appends: []store.Append{a, forever}})
	rows := index(t, f.Engine, u)
	if len(rows) != 2 || rows[0].Expiry == 0 {
		t.Fatalf("rows %+v", rows)
	}
	rows[0].Expiry = 0
	wanted := []store.Row{{ID: a.ID, Ord: a.Ord, Sender: a.Sender, CSeq: a.CSeq, Size: 1234, Flags: a.Flags}, {ID: ID(6), Ord: a.Ord + 1}}
	if !reflect.DeepEqual(rows, wanted) {
		t.Fatalf("rows %+v\nwant %+v", rows, wanted)
	}
}

func testBodies(t *testing.T, f *Fixture) {
	u := user(1)
	big := make([]byte, 3<<20)
	for i := range big {
		big[i] = byte(i * i >> 3)
	}
	b := store.Batch{Appends: []store.Append{{Mailbox: u, ID: ID(1000), Ord: 1000, Body: big}, {Mailbox: u, ID: ID(1001), Ord: 1001}}}
	var ids []ident.MessageID
	for n := range 50 {
		b.Appends = append(b.Appends, msg(u, n))
		ids = append(ids, ID(n))
	}
	commit(t, f.Engine, b)
	for _, ids := range [][]ident.MessageID{ids, ids[:3], nil} {
		bodies, err := f.Engine.Mail().Read(bg, u, ids)
		must(t, err)
		for i := range ids {
			if !bytes.Equal(bodies[i], body(u, i)) {
				t.Fatalf("body %d: %q", i, bodies[i])
			}
		}
	}
	bodies, err := f.Engine.Mail().Read(bg, u, []ident.MessageID{ID(77), ID(1000), ID(1001), ID(3), ID(3)})
	must(t, err)
	switch {
	case bodies[0] != nil:
		t.Fatal("a body where there is no row")
	case !bytes.Equal(bodies[1], big):
		t.Fatal("the big body differs")
	case bodies[2] == nil || len(bodies[2]) != 0:
		t.Fatal("an empty body is not the same as none")
	case !bytes.Equal(bodies[3], body(u, 3)) || !bytes.Equal(bodies[4], body(u, 3)):
		t.Fatal("an id asked for twice is answered twice")
	}
	bodies[3][0] = '!'
	if bodies[4][0] == '!' {
		t.Fatal("two answers share their memory")
	}
	many := append(slices.Clone(ids), ID(78), ID(3))
	bodies, err = f.Engine.Mail().Read(bg, u, many)
	must(t, err)
	if bodies[50] != nil || !bytes.Equal(bodies[51], body(u, 3)) {
		t.Fatal("reading many finds other bodies than reading few")
	}
}

// testPage: a load brings the first bodies in the order of delivery, as many as were asked for, and none of what is gone.
func testPage(t *testing.T, f *Fixture) {
	u := user(1)
	var b store.Batch
	for n := range 12 {
		a := msg(u, n)
		a.Ord = int64(100 - n) // the last is delivered first
		a.Body = bytes.Repeat([]byte{byte(n)}, 10*n)
		b.Appends = append(b.Appends, a)
	}
	commit(t, f.Engine, b)
	for _, c := range []struct {
		page   store.Page
		wanted int
	}{
		{store.Page{}, 0},
		{store.Page{Rows: 5}, 0},
		{store.Page{Bytes: 5}, 0},
		{store.Page{Rows: 3, Bytes: 1 << 20}, 3},
		{store.Page{Rows: 3, Bytes: 1}, 1},
		{store.Page{Rows: 3, Bytes: 110}, 1}, // the first has as many
		{store.Page{Rows: 3, Bytes: 111}, 2},
		{store.Page{Rows: 50, Bytes: 1 << 20}, 12}, // the last is empty, and there
	} {
		m, err := f.Engine.Mail().Load(bg, u, c.page)
		must(t, err)
		if len(m.Rows) != 12 || len(m.Bodies) != c.wanted || c.page.Of(m.Rows) != c.wanted {
			t.Fatalf("%+v: %d rows, %d bodies, %d on the page", c.page, len(m.Rows), len(m.Bodies), c.page.Of(m.Rows))
		}
		for i, got := range m.Bodies {
			if n := 11 - i; m.Rows[i].ID != ID(n) || got == nil || !bytes.Equal(got, bytes.Repeat([]byte{byte(n)}, 10*n)) {
				t.Fatalf("%+v: body %d is %q, of row %v", c.page, i, got, m.Rows[i])
			}
		}
	}
	commit(t, f.Engine, store.Batch{Acks: []store.Ack{{Mailbox: u, ID: ID(11), Delete: true}, {Mailbox: u, ID: ID(10), Device: "phone"}}})
	m, err := f.Engine.Mail().Load(bg, u, store.Page{Rows: 2, Bytes: 1 << 20})
	must(t, err)
	if len(m.Rows) != 11 || len(m.Bodies) != 2 || len(m.Bodies[0]) != 100 || len(m.Bodies[1]) != 90 || len(m.Rows[0].Acked) != 1 {
		t.Fatalf("%d rows, bodies %q", len(m.Rows), m.Bodies)
	}
	m, err = f.Engine.Mail().Load(bg, user(2), store.Page{Rows: 2, Bytes: 1 << 20})
	must(t, err)
	if len(m.Rows) != 0 || len(m.Bodies) != 0 {
		t.Fatalf("nobody has %+v", m)
	}
}

func testApart(t *testing.T, f *Fixture) {
	names := []ident.UserID{"a@x", "a@x.example", "a@", "aa@x", "a@x\x01", "a@x\xff", "a@x\xff\xff"}
	for i, u := range names {
		appendAll(t, f.Engine, u, i)
	}
	for i, u := range names {
		if got := ords(t, f.Engine, u); !slices.Equal(got, []int64{int64(i)}) {
			t.Fatalf("mailbox %q has %v", u, got)
		}
	}
	if _, err := f.Engine.Mail().Purge(names[0]); err != nil {
		t.Fatal(err)
	}
	for i, u := range names[1:] {
		if got := ords(t, f.Engine, u); !slices.Equal(got, []int64{int64(i + 1)}) {
			t.Fatalf("mailbox %q has %v after another was purged", u, got)
		}
	}
}

func acked(t testing.TB, e store.Engine, mailbox ident.UserID) map[int64][]ident.DeviceID {
	t.Helper()
	out := map[int64][]ident.DeviceID{}
	for _, r := range index(t, e, mailbox) {
		out[r.Ord] = r.Acked
	}
	return out
}

func testAcks(t *testing.T, f *Fixture) {
	u := user(1)
	appendAll(t, f.Engine, u, 1, 2, 3)
	commit(t, f.Engine, store.Batch{Acks: []store.Ack{{Mailbox: u, ID: ID(2), Device: "phone"}, {Mailbox: u, ID: ID(3), Device: "phone"}}})
	commit(t, f.Engine, store.Batch{Acks: []store.Ack{{Mailbox: u, ID: ID(2), Device: ""}, {Mailbox: u, ID: ID(2), Device: "desk"}, {Mailbox: u, ID: ID(2), Device: "phone"}}})
	wanted := map[int64][]ident.DeviceID{1: nil, 2: {"", "desk", "phone"}, 3: {"phone"}}
	if got := acked(t, f.Engine, u); !reflect.DeepEqual(got, wanted) {
		t.Fatalf("acked %v, want %v", got, wanted)
	}
	commit(t, f.Engine, store.Batch{Acks: []store.Ack{{Mailbox: u, ID: ID(2), Delete: true}, {Mailbox: u, ID: ID(1), Device: "desk", Delete: true}}})
	if got := acked(t, f.Engine, u); !reflect.DeepEqual(got, map[int64][]ident.DeviceID{3: {"phone"}}) {
		t.Fatalf("acked %v after the last acks", got)
	}
	appendAll(t, f.Engine, u, 2) // beyond the mailbox's memory a resend is a new row, and nobody has acknowledged it
	if got := acked(t, f.Engine, u); got[2] != nil {
		t.Fatalf("acks %v outlived their row", got[2])
	}
	bodies, err := f.Engine.Mail().Read(bg, u, []ident.MessageID{ID(1)})
	must(t, err)
	if bodies[0] != nil {
		t.Fatal("a body outlived its row")
	}
}

func testAcksInBatch(t *testing.T, f *Fixture) {
	u := user(1)
	appendAll(t, f.Engine, u, 9)
	b := store.Batch{
		Appends: []store.Append{msg(u, 1), msg(u, 2), msg(u, 3)},
		Acks: []store.Ack{
			{Mailbox: u, ID: ID(1), Device: "phone"},
			{Mailbox: u, ID: ID(2), Delete: true},
			{Mailbox: u, ID: ID(2), Device: "phone"}, // late: its row has just gone
			{Mailbox: u, ID: ID(3), Device: "phone"}, // early: its row goes next
			{Mailbox: u, ID: ID(3), Delete: true},
			{Mailbox: u, ID: ID(9), Device: "desk"},
			{Mailbox: u, ID: ID(9), Delete: true},
		},
	}
	for range 2 {
		commit(t, f.Engine, b)
		if got := acked(t, f.Engine, u); !reflect.DeepEqual(got, map[int64][]ident.DeviceID{1: {"phone"}}) {
			t.Fatalf("acked %v", got)
		}
	}
	appendAll(t, f.Engine, u, 2, 3, 9)
	if got := acked(t, f.Engine, u); got[2] != nil || got[3] != nil || got[9] != nil {
		t.Fatalf("acks without a row were kept: %v", got)
	}
}

func testAcksOfNothing(t *testing.T, f *Fixture) {
	u := user(1)
	commit(t, f.Engine, store.Batch{})
	commit(t, f.Engine, store.Batch{Acks: []store.Ack{{Mailbox: u, ID: ID(1), Device: "phone"}, {Mailbox: u, ID: ID(2), Delete: true}}})
	appendAll(t, f.Engine, u, 1, 2)
	if got := acked(t, f.Engine, u); !reflect.DeepEqual(got, map[int64][]ident.DeviceID{1: nil, 2: nil}) {
		t.Fatalf("acked %v", got)
	}
}

// walkExpired walks all pages.
func walkExpired(t testing.TB, e store.Engine, parts []ident.Partition, limit int) []store.ExpiredRow {
	t.Helper()
	var out []store.ExpiredRow
	q := store.ExpiredQuery{Partitions: parts, Limit: limit}
	for range 10_000 {
		page, err := e.Mail().Expired(bg, q)
		must(t, err)
		if len(page.Rows) > limit {
			t.Fatalf("%d rows on a page of %d", len(page.Rows), limit)
		}
		out = append(out, page.Rows...)
		if page.Next == "" {
			return out
		}
		q.After = page.Next
	}
	t.Fatal("the walk does not end")
	return nil
}

func testExpiry(t *testing.T, f *Fixture) {
	u := user(1)
	a, b, c := msg(u, 1), msg(u, 2), msg(u, 3)
	a.TTL, b.TTL, b.Flags = time.Minute, time.Hour, store.FlagError
	commit(t, f.Engine, store.Batch{Appends: []store.Append{a, b, c}, Acks: []store.Ack{{Mailbox: u, ID: ID(2), Device: "desk"}}})
	if got := walkExpired(t, f.Engine, nil, 10); len(got) != 0 {
		t.Fatalf("expired before its time: %+v", got)
	}
	f.Advance(time.Minute + time.Second)
	if got := walkExpired(t, f.Engine, nil, 10); len(got) != 1 || got[0].ID != ID(1) || got[0].Mailbox != u || got[0].Sender != a.Sender {
		t.Fatalf("expired %+v", got)
	}
	if got := ords(t, f.Engine, u); len(got) != 3 {
		t.Fatal("the walk has deleted something")
	}
	f.Advance(time.Hour)
	got := walkExpired(t, f.Engine, []ident.Partition{store.MailPartition(u)}, 10)
	if len(got) != 2 {
		t.Fatalf("expired %+v", got)
	}
	for _, r := range got {
		if r.ID == ID(2) && (!slices.Equal(r.Acked, []ident.DeviceID{"desk"}) || r.Flags != store.FlagError) {
			t.Fatalf("an expired row is not whole: %+v", r)
		}
	}
}

func testExpiryPages(t *testing.T, f *Fixture) {
	byPart := map[ident.Partition]int{}
	var b store.Batch
	for n := range 60 {
		u := user(n / 3)
		a := msg(u, n)
		a.TTL = time.Second
		if n%3 == 2 {
			a.TTL = 0
		} else {
			byPart[store.MailPartition(u)]++
		}
		b.Appends = append(b.Appends, a)
	}
	commit(t, f.Engine, b)
	f.Advance(time.Minute)
	for _, limit := range []int{1, 7, 40, 100} {
		if got := walkExpired(t, f.Engine, nil, limit); len(got) != 40 {
			t.Fatalf("%d rows in pages of %d, want 40", len(got), limit)
		}
	}
	var some []ident.Partition
	wanted := 0
	for p, n := range byPart {
		if len(some) < len(byPart)/2 {
			some = append(some, p)
			wanted += n
		}
	}
	slices.Sort(some)
	some = append(some, 4095)
	some = slices.Compact(some)
	for _, limit := range []int{1, 100} {
		got := walkExpired(t, f.Engine, some, limit)
		if len(got) != wanted {
			t.Fatalf("%d rows of some partitions, want %d", len(got), wanted)
		}
		for _, r := range got {
			if !slices.Contains(some, store.MailPartition(r.Mailbox)) {
				t.Fatalf("a row of %s, whose partition was not asked for", r.Mailbox)
			}
		}
	}
	if got := walkExpired(t, f.Engine, []ident.Partition{}, 10); len(got) != 0 {
		t.Fatalf("%d rows of no partitions", len(got))
	}
}

func testPurge(t *testing.T, f *Fixture) {
	u := user(1)
	appendAll(t, f.Engine, u, 1, 2, 3)
	commit(t, f.Engine, store.Batch{Acks: []store.Ack{{Mailbox: u, ID: ID(2), Device: "phone"}}})
	n, err := f.Engine.Mail().Purge(u)
	must(t, err)
	if n != 3 || len(index(t, f.Engine, u)) != 0 {
		t.Fatalf("purged %d, and %d are left", n, len(index(t, f.Engine, u)))
	}
	if n, err := f.Engine.Mail().Purge(u); n != 0 || err != nil {
		t.Fatalf("purged %d again, %v", n, err)
	}
	appendAll(t, f.Engine, u, 1, 2)
	if got := acked(t, f.Engine, u); !reflect.DeepEqual(got, map[int64][]ident.DeviceID{1: nil, 2: nil}) {
		t.Fatalf("acked %v after a purge", got)
	}
}

func testInvalid(t *testing.T, f *Fixture) {
	good := msg(user(1), 1)
	for name, b := range map[string]store.Batch{
		"no mailbox":               {Appends: []store.Append{good, {ID: ID(2)}}},
		"a zero byte":              {Appends: []store.Append{good, {Mailbox: "a\x00b", ID: ID(2)}}},
		"a zero byte in a device":  {Appends: []store.Append{good}, Acks: []store.Ack{{Mailbox: "a", Device: "\x00"}}},
		"a long mailbox in an ack": {Appends: []store.Append{good}, Acks: []store.Ack{{Mailbox: ident.UserID(make([]byte, 4000))}}},
	} {
		if _, err := f.Engine.Mail().Commit(&b); err == nil {
			t.Errorf("%s was taken", name)
		} else {
			want(t, err, store.ErrInvalid)
		}
	}
	if n := len(index(t, f.Engine, user(1))); n != 0 {
		t.Fatalf("%d rows of refused batches", n)
	}
	want(t, f.Engine.Directory().Accounts().Create(&store.Account{}), store.ErrInvalid)
	want(t, f.Engine.Directory().Groups().Create(&store.Group{ID: "g@x"}, []store.Member{{}}), store.ErrInvalid)
}

func testClaims(t *testing.T, f *Fixture) {
	if f.Engine.Info().Shared {
		return // an engine that is shared has tests of its own
	}
	c := f.Engine.Claims()
	must(t, c.Claim([]ident.Partition{1, 2, 3}))
	must(t, c.Done([]int64{1}))
	if ws, err := c.ForeignWrites(bg); len(ws) != 0 || err != nil {
		t.Fatalf("%v, %v", ws, err)
	}
}
