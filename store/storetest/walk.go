package storetest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

// Fill gives an empty store some of everything, of n users and n groups: what a tool that reads whole stores should meet.
func Fill(t testing.TB, e store.Engine, n int) {
	t.Helper()
	d := e.Directory()
	for i := range n {
		u := user(i)
		a := account(u)
		a.Disabled = i%5 == 4
		must(t, d.Accounts().Create(&a))
		if i%3 == 1 {
			a.Rev = 1
			_, err := d.Accounts().Update(&a)
			must(t, err)
		}
		for j := range i % 4 {
			item := store.RosterItem{Contact: user(j), Name: "Früh \\x00 'n' \x01", Groups: []string{"work", "", `a"b,{c}`}[:j], Listed: true,
				Subscription: store.Subscription(j), PendingIn: j == 1, Request: []byte{0, 1, 2}[:j]}
			_, err := d.Rosters().SetItem(u, uint64(j), item)
			must(t, err)
			_, err = d.Devices().Put(u, store.Device{ID: ident.DeviceID(fmt.Sprint("device", j)[:j*3]), Name: "Näme\\", Since: int64(j), LastSeen: time.UnixMicro(int64(i))})
			must(t, err)
		}
		must(t, d.Rosters().SetBlocks(u, []string{"spam.example", `a\20b@x`}[:i%3], nil))
		var b store.Batch
		for j := range i % 7 {
			m := msg(u, 100*i+j)
			m.Flags, m.CSeq = store.Flags(j%8), 1<<63+uint64(j)
			if j%2 == 1 {
				m.TTL, m.Body = time.Hour, nil
			}
			b.Appends = append(b.Appends, m)
			if j%3 == 2 {
				b.Acks = append(b.Acks, store.Ack{Mailbox: u, ID: m.ID, Device: "tablet"}, store.Ack{Mailbox: u, ID: m.ID})
			}
		}
		commit(t, e, b)
	}
	for i := range n {
		gid := ident.GroupID(fmt.Sprintf("group%d@x", i))
		var members []store.Member
		for j := range i % 9 {
			members = append(members, store.Member{User: user(j), Role: "rôle"[:j%2*5]})
		}
		must(t, d.Groups().Create(&store.Group{ID: gid, Owner: user(i), Subject: "Ünter", Settings: []byte{0, 255}[:i%3], Created: time.UnixMicro(5)}, members))
		rev := uint64(1)
		if i%2 == 1 {
			_, err := d.Groups().Change(gid, 1, store.GroupChange{Put: []store.Member{{User: "late@x"}}})
			must(t, err)
			rev = 2
		}
		var b store.GroupBatch
		for j := range i % 5 {
			b.Appends = append(b.Appends, groupMsg(gid, rev, j))
			if j%2 == 1 {
				b.Done = append(b.Done, store.GroupDone{Group: gid, IDs: []ident.MessageID{ID(j)}})
			}
		}
		_, err := e.GroupLog().Commit(&b)
		must(t, err)
	}
}

// Walk reads all pages of one part, and fails at damage.
func Walk(t testing.TB, e store.Engine, part store.Part, limit, bytes int) []store.Entry {
	t.Helper()
	var out []store.Entry
	for after := ""; ; {
		page, err := e.(store.Walker).Walk(bg, store.WalkQuery{Part: part, After: after, Limit: limit, Bytes: bytes})
		must(t, err)
		if len(page.Damage) > 0 {
			t.Fatalf("damage: %q", page.Damage)
		}
		if limit > 0 && len(page.Entries) > limit {
			t.Fatalf("%d entries on a page of %d", len(page.Entries), limit)
		}
		if out = append(out, page.Entries...); page.Next == "" {
			return out
		}
		after = page.Next
	}
}

// Contents is all that a store holds, in one order for all engines; with their clocks, expiries and dates of done entries
// differ, so that of these it only says whether there are any.
func Contents(t testing.TB, e store.Engine) []string {
	t.Helper()
	var out []string
	for part := range store.Parts {
		for _, en := range Walk(t, e, part, 0, 0) {
			out = append(out, part.String()+" "+tell(en))
		}
	}
	slices.Sort(out)
	return out
}

func tell(e store.Entry) string {
	if l := e.Log; l != nil {
		l.Done = min(l.Done, 1)
	}
	if m := e.Mail; m != nil {
		m.Expiry = min(m.Expiry, 1)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%q %q %d", e.Owner, e.Block, e.RosterRev)
	v := reflect.ValueOf(e)
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.Pointer && !f.IsNil() {
			fmt.Fprintf(&b, " %#v", f.Elem().Interface())
		}
	}
	return b.String()
}

func testWalk(t *testing.T, f *Fixture) {
	w, ok := f.Engine.(store.Walker)
	if !ok {
		t.Log("this engine can't be read as a whole")
		return
	}
	_, err := w.Walk(bg, store.WalkQuery{Part: store.Parts})
	want(t, err, store.ErrInvalid)
	Fill(t, f.Engine, 20)
	whole := Contents(t, f.Engine)
	if len(whole) < 20*6 {
		t.Fatalf("only %d entries", len(whole))
	}
	for part := range store.Parts {
		all := Walk(t, f.Engine, part, 0, 0)
		if (len(all) == 0) != (part == store.PartIndexes) {
			t.Fatalf("%d entries of %v", len(all), part)
		}
		if part < store.PartMail && !slices.IsSortedFunc(all, func(a, b store.Entry) int { return strings.Compare(a.Owner, b.Owner) }) {
			t.Fatalf("%v are in disorder", part)
		}
		for _, q := range []struct{ limit, bytes int }{{1, 0}, {7, 0}, {0, 1}, {5, 500}} {
			if got := Walk(t, f.Engine, part, q.limit, q.bytes); !reflect.DeepEqual(got, all) {
				t.Fatalf("%v in pages of %v: %d entries, want %d", part, q, len(got), len(all))
			}
		}
	}
	x, err := f.Engine.Directory().Accounts().Export(bg, user(3))
	must(t, err)
	for _, en := range Walk(t, f.Engine, store.PartAccounts, 0, 0) {
		if en.Owner == string(user(3)) && (!reflect.DeepEqual(*en.Account, x.Account) || en.RosterRev != x.Roster.Rev || en.RosterRev == 0) {
			t.Fatalf("account %+v of revision %d, want %+v", en.Account, en.RosterRev, x)
		}
	}
	checkWalkedMail(t, f.Engine)
}

// checkWalkedMail compares walked messages with what a mailbox reads.
func checkWalkedMail(t *testing.T, e store.Engine) {
	t.Helper()
	u := user(6)
	rows := map[ident.MessageID]store.Row{}
	for _, r := range index(t, e, u) {
		rows[r.ID] = r
	}
	n := 0
	for _, en := range Walk(t, e, store.PartMail, 0, 0) {
		if en.Owner != string(u) {
			continue
		}
		n++
		bodies, err := e.Mail().Read(bg, u, []ident.MessageID{en.Mail.ID})
		must(t, err)
		if !reflect.DeepEqual(en.Mail.Row, rows[en.Mail.ID]) || string(bodies[0]) != string(en.Mail.Body) || en.Mail.Body == nil {
			t.Fatalf("message %+v, want %+v, %q", en.Mail, rows[en.Mail.ID], bodies[0])
		}
	}
	if n != len(rows) || n == 0 {
		t.Fatalf("%d messages, want %d", n, len(rows))
	}
}

func testRestored(t *testing.T, f *Fixture) {
	r, ok := f.Engine.(store.Restored)
	if !ok {
		t.Log("this engine marks nothing")
		return
	}
	Fill(t, f.Engine, 10)
	before := Walk(t, f.Engine, store.PartMail, 0, 0)
	for range 2 {
		n, err := r.MarkRestored(bg)
		must(t, err)
		if n != len(before) {
			t.Fatalf("%d marked, want %d", n, len(before))
		}
	}
	for i := range before {
		before[i].Mail.Flags |= store.FlagRestored
	}
	if after := Walk(t, f.Engine, store.PartMail, 0, 0); !reflect.DeepEqual(after, before) {
		t.Fatalf("messages\n%+v\nwant\n%+v", after, before)
	}
}
