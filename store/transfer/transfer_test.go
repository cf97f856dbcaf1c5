package transfer_test

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/store/memstore"
	"github.com/jackdaw-im/jackdaw/store/pebblestore"
	"github.com/jackdaw-im/jackdaw/store/storetest"
	"github.com/jackdaw-im/jackdaw/store/transfer"
)

var bg = context.Background()

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newMem() *memstore.Engine { return memstore.New(memstore.Options{}) }

func filled(t testing.TB, n int) *memstore.Engine {
	e := newMem()
	storetest.Fill(t, e, n)
	return e
}

// newPebble makes a store in a folder.
func newPebble(t testing.TB) *pebblestore.Engine {
	t.Helper()
	e, err := pebblestore.Open("pebble:"+filepath.Join(t.TempDir(), "store"), pebblestore.Options{Ballast: -1, StopBelow: 1, ResumeAbove: 1})
	must(t, err)
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// same compares all that two stores hold, times included.
func same(t testing.TB, a, b store.Engine) {
	t.Helper()
	for part := range store.Parts {
		x, y := digest(t, a, part), digest(t, b, part)
		if x != y {
			t.Fatalf("%v: %d (%v) and %d (%v)", part, x.Entries, x, y.Entries, y)
		}
	}
	if x, y := storetest.Contents(t, a), storetest.Contents(t, b); !slices.Equal(x, y) {
		t.Fatalf("%d and %d entries differ", len(x), len(y))
	}
}

func digest(t testing.TB, e store.Engine, part store.Part) (d transfer.Digest) {
	t.Helper()
	for _, en := range storetest.Walk(t, e, part, 0, 0) {
		d.Add(part, &en)
	}
	return d
}

func TestMove(t *testing.T) {
	for name, from := range map[string]func(*testing.T) store.Engine{
		"memory": func(t *testing.T) store.Engine { return filled(t, 40) },
		"pebble": func(t *testing.T) store.Engine {
			e := newPebble(t)
			storetest.Fill(t, e, 40)
			return e
		},
		"nothing": func(t *testing.T) store.Engine { return newMem() },
	} {
		t.Run(name, func(t *testing.T) {
			source, target := from(t), newMem()
			var told []string
			moved, err := transfer.Move(bg, source, target, "here", func(what string, part store.Part, n int64) {
				told = append(told, what+" "+part.String())
			})
			must(t, err)
			same(t, source, target)
			if moved.Resumed || moved.Parts[store.PartMail] != digest(t, source, store.PartMail) {
				t.Fatalf("moved %+v", moved)
			}
			if !slices.Contains(told, "copied mail") || !slices.Contains(told, "compared mail") {
				t.Fatalf("told %v", told)
			}
			if at, err := target.Loading(bg); err != nil || at != (store.LoadPlace{}) {
				t.Fatalf("the target is still marked: %+v, %v", at, err)
			}
		})
	}
}

// failing is a target that fails after so many pages, once what was said is stored or before.
type failing struct {
	*memstore.Engine
	pages int
	late  bool
}

var errBroken = errors.New("broken")

func (f *failing) Load(ctx context.Context, p *store.WalkPage) error {
	f.pages--
	if f.pages < 0 && !f.late {
		return errBroken
	}
	if err := f.Engine.Load(ctx, p); err != nil || f.pages >= 0 {
		return err
	}
	return errBroken
}

func TestMoveResumes(t *testing.T) {
	source := filled(t, 60)
	for _, late := range []bool{false, true} {
		for n := range int(store.PartIndexes) {
			target := newMem()
			_, err := transfer.Move(bg, source, &failing{target, n, late}, "here", nil)
			if !errors.Is(err, errBroken) {
				t.Fatalf("broken after %d pages: %v", n, err)
			}
			if at, err := target.Loading(bg); err != nil || at.Source != "here" || int(at.Part) != n {
				t.Fatalf("broken after %d pages, the target is at %+v, %v", n, at, err)
			}
			if _, err := transfer.Move(bg, source, target, "elsewhere", nil); !errors.Is(err, transfer.ErrNotEmpty) {
				t.Fatalf("another source goes on: %v", err)
			}
			moved, err := transfer.Move(bg, source, target, "here", nil)
			must(t, err)
			if !moved.Resumed {
				t.Error("it should say that it went on")
			}
			same(t, source, target)
		}
	}
}

func TestMoveRefusesOtherData(t *testing.T) {
	source := filled(t, 5)
	account := newMem()
	must(t, account.Directory().Accounts().Create(&store.Account{User: "a@x"}))
	mail := newMem()
	_, err := mail.Mail().Commit(&store.Batch{Appends: []store.Append{{Mailbox: "a@x"}}})
	must(t, err)
	done := newMem()
	_, err = transfer.Move(bg, source, done, "here", nil)
	must(t, err)
	for name, target := range map[string]store.Engine{"an account": account, "mail": mail, "the same, moved": done} {
		before := storetest.Contents(t, target)
		if _, err := transfer.Move(bg, source, target, "here", nil); !errors.Is(err, transfer.ErrNotEmpty) {
			t.Errorf("%s: %v", name, err)
		}
		if !slices.Equal(storetest.Contents(t, target), before) {
			t.Errorf("%s: the target has changed", name)
		}
	}
}

// forgetful is a target that loses what it is given of one part.
type forgetful struct {
	*memstore.Engine
	part store.Part
}

func (f forgetful) Load(ctx context.Context, p *store.WalkPage) error {
	if p.Part == f.part && len(p.Entries) > 0 {
		p.Entries = p.Entries[1:]
	}
	return f.Engine.Load(ctx, p)
}

func TestMoveComparesAtTheEnd(t *testing.T) {
	source := filled(t, 20)
	for _, part := range []store.Part{store.PartDevices, store.PartContacts, store.PartBlocks, store.PartMail} {
		target := newMem()
		_, err := transfer.Move(bg, source, forgetful{target, part}, "here", nil)
		if err == nil || !strings.Contains(err.Error(), "the "+part.String()+" differ") {
			t.Errorf("%v: %v", part, err)
		}
		if at, _ := target.Loading(bg); at.Source != "here" {
			t.Errorf("%v: a server could open the target", part)
		}
	}
}

func TestMoveStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(bg)
	source := newPebble(t)
	storetest.Fill(t, source, 20)
	_, err := transfer.Move(ctx, source, newMem(), "here", func(_ string, part store.Part, _ int64) {
		if part == store.PartGroups {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// TestDigestSeesEverything changes one field of one entry after the other.
func TestDigestSeesEverything(t *testing.T) {
	seen := map[string]string{}
	add := func(what string, part store.Part, e store.Entry) {
		var d transfer.Digest
		d.Add(part, &e)
		if other, ok := seen[d.String()]; ok {
			t.Errorf("%s looks like %s", what, other)
		}
		seen[d.String()] = what
	}
	add("block", store.PartBlocks, store.Entry{Owner: "a", Block: "bc"})
	add("another cut", store.PartBlocks, store.Entry{Owner: "ab", Block: "c"})
	a := store.Account{User: "a"}
	add("account", store.PartAccounts, store.Entry{Owner: "a", Account: &a})
	add("account, roster", store.PartAccounts, store.Entry{Owner: "a", Account: &a, RosterRev: 1})
	for name, change := range map[string]func(*store.Account){
		"disabled": func(a *store.Account) { a.Disabled = true }, "rev": func(a *store.Account) { a.Rev = 1 },
		"salt": func(a *store.Account) { a.SHA1.Salt = []byte("x") }, "salt 256": func(a *store.Account) { a.SHA256.Salt = []byte("x") },
		"iterations": func(a *store.Account) { a.SHA1.Iterations = 1 }, "key": func(a *store.Account) { a.SHA1.ServerKey = []byte("x") },
	} {
		c := a
		change(&c)
		add(name, store.PartAccounts, store.Entry{Owner: "a", Account: &c})
	}
	for name, m := range map[string]store.MailEntry{
		"mail": {}, "ord": {Row: store.Row{Ord: 1}}, "cseq": {Row: store.Row{CSeq: 1}}, "expiry": {Row: store.Row{Expiry: 1}},
		"flags": {Row: store.Row{Flags: 1}}, "sender": {Row: store.Row{Sender: "x"}}, "body": {Body: []byte("x")},
		"id": {Row: store.Row{ID: ident.MessageID{1}}}, "acked": {Row: store.Row{Acked: []ident.DeviceID{""}}},
		"acked twice": {Row: store.Row{Acked: []ident.DeviceID{"", "x"}}},
	} {
		add(name, store.PartMail, store.Entry{Owner: "a", Mail: &m})
	}
	for name, i := range map[string]store.RosterItem{
		"item": {Contact: "c"}, "name": {Contact: "c", Name: "x"}, "groups": {Contact: "c", Groups: []string{"x"}}, "ask": {Contact: "c", Ask: true},
		"pending": {Contact: "c", PendingIn: true}, "listed": {Contact: "c", Listed: true}, "request": {Contact: "c", Request: []byte("x")},
		"subscription": {Contact: "c", Subscription: 1}, "item rev": {Contact: "c", Rev: 9},
	} {
		add(name, store.PartContacts, store.Entry{Owner: "a", Contact: &i})
	}
}

func TestCheckOfAHealthyStore(t *testing.T) {
	pebble := newPebble(t)
	for name, e := range map[string]store.Engine{"memory": newMem(), "pebble": pebble} {
		storetest.Fill(t, e, 30)
		must(t, e.Directory().Accounts().Create(&store.Account{User: "late@x"})) // of whom Fill makes a member
		r, err := transfer.Check(bg, e, nil)
		must(t, err)
		if !r.OK() {
			t.Fatalf("%s: %+v", name, r.Problems)
		}
		for part := range store.PartIndexes {
			n := int64(0)
			for _, en := range storetest.Walk(t, e, part, 0, 0) {
				if en.Log == nil || en.Log.Done == 0 {
					n++
				}
			}
			if r.Parts[part].Entries != n || n == 0 {
				t.Fatalf("%s: %d %v, want %d", name, r.Parts[part].Entries, part, n)
			}
		}
	}
}

// counts are the problems of a report.
func counts(r *transfer.Report) map[string]int64 {
	out := map[string]int64{}
	for _, p := range r.Problems {
		out[p.What] = p.Count
	}
	return out
}

// doctored is a store that seems to hold more than it does.
type doctored struct {
	*memstore.Engine
	extra  map[store.Part][]store.Entry
	damage map[store.Part][]string
}

func (d doctored) Walk(ctx context.Context, q store.WalkQuery) (*store.WalkPage, error) {
	p, err := d.Engine.Walk(ctx, q)
	if err == nil && p.Next == "" {
		p.Entries, p.Damage = append(p.Entries, d.extra[q.Part]...), d.damage[q.Part]
	}
	return p, err
}

func TestCheckFindsWhatIsWrong(t *testing.T) {
	e := filled(t, 30)
	must(t, e.Directory().Accounts().Create(&store.Account{User: "late@x"}))
	g, err := e.Directory().Groups().Group(bg, "group14@x")
	must(t, err)
	d := doctored{e, map[store.Part][]store.Entry{
		store.PartDevices:  {{Owner: "x@x", Device: &store.Device{ID: "phone"}}},
		store.PartContacts: {{Owner: "x@x", Contact: &store.RosterItem{Contact: "a@x"}}},
		store.PartBlocks:   {{Owner: "y@x", Block: "a@x"}},
		store.PartMembers: {{Owner: "none@x", Member: &store.Member{User: "late@x"}}, {Owner: "group14@x", Member: &store.Member{User: "z@x"}},
			{Owner: "group15@x", Member: &store.Member{User: "late@x", JoinedRev: 99}}},
		store.PartLog: {{Owner: "none@x", Log: &store.LogEntry{}}, {Owner: "group14@x", Log: &store.LogEntry{GroupEntry: store.GroupEntry{Rev: g.Rev + 1}}},
			{Owner: "group14@x", Log: &store.LogEntry{GroupEntry: store.GroupEntry{Rev: g.Rev}}}},
		store.PartMail: {{Owner: "x@x", Mail: &store.MailEntry{}}, {Owner: "late@x", Mail: &store.MailEntry{}}},
	}, map[store.Part][]string{store.PartGroups: {"a group"}, store.PartMail: {"a row", "and another"}, store.PartIndexes: {"an index"}}}
	r, err := transfer.Check(bg, d, nil)
	must(t, err)
	want := map[string]int64{transfer.Damaged: 4, transfer.NoAccount: 3, transfer.NoGroup: 2, transfer.StrayMembers: 1, transfer.MailOfNobody: 1,
		transfer.WrongCount: 2, transfer.ImpossibleRev: 2}
	if got := counts(r); !maps.Equal(got, want) || r.OK() {
		t.Fatalf("%v, want %v\n%+v", got, want, r.Problems)
	}
	if _, err := transfer.Move(bg, d, newMem(), "here", nil); err == nil {
		t.Error("a damaged store is moved")
	}
}

// TestCheckLooksAgain: what comes into being while a store is read is no problem.
func TestCheckLooksAgain(t *testing.T) {
	e := filled(t, 5)
	must(t, e.Directory().Accounts().Create(&store.Account{User: "late@x"}))
	r, err := transfer.Check(bg, e, func(_ string, part store.Part, _ int64) {
		if part == store.PartGroups {
			must(t, e.Directory().Accounts().Create(&store.Account{User: "new@x"}))
			must(t, e.Directory().Groups().Create(&store.Group{ID: "new@x"}, []store.Member{{User: "new@x"}}))
			_, err := e.Mail().Commit(&store.Batch{Appends: []store.Append{{Mailbox: "new@x"}}})
			must(t, err)
			_, err = e.GroupLog().Commit(&store.GroupBatch{Appends: []store.GroupAppend{{Group: "new@x", Rev: 1}}})
			must(t, err)
		}
	})
	must(t, err)
	if !r.OK() {
		t.Fatalf("%+v", r.Problems)
	}
}

func TestCheckShowsSomeOfMany(t *testing.T) {
	e := newMem()
	var b store.Batch
	for i := range 50 {
		b.Appends = append(b.Appends, store.Append{Mailbox: "x@x", ID: storetest.ID(i)})
	}
	_, err := e.Mail().Commit(&b)
	must(t, err)
	r, err := transfer.Check(bg, e, nil)
	must(t, err)
	if len(r.Problems) != 1 || r.Problems[0].Count != 50 || len(r.Problems[0].Examples) != 10 {
		t.Fatalf("%+v", r.Problems)
	}
}

func TestReconcile(t *testing.T) {
	e := filled(t, 30)
	whole := len(storetest.Contents(t, e))
	gone := ident.UserID("gone@x")
	_, err := e.Mail().Commit(&store.Batch{Appends: []store.Append{{Mailbox: gone}, {Mailbox: gone, ID: storetest.ID(1)}, {Mailbox: "late@x"}}})
	must(t, err)
	before, err := transfer.Check(bg, e, nil)
	must(t, err)
	if c := counts(before); c[transfer.MailOfNobody] != 3 || c[transfer.StrayMembers] != 15 || len(c) != 2 {
		t.Fatalf("%v", c)
	}
	mended, err := transfer.Reconcile(bg, e, true, nil)
	must(t, err)
	messages := len(storetest.Walk(t, e, store.PartMail, 0, 0))
	if *mended != (transfer.Mended{Restored: messages, Mail: 3, Mailboxes: 2, Left: 15}) {
		t.Fatalf("mended %+v", mended)
	}
	after, err := transfer.Check(bg, e, nil)
	must(t, err)
	if !after.OK() {
		t.Fatalf("%+v", after.Problems)
	}
	if n := len(storetest.Contents(t, e)); n != whole-15 {
		t.Fatalf("%d entries are left of %d", n, whole)
	}
	for _, en := range storetest.Walk(t, e, store.PartMail, 0, 0) {
		if en.Mail.Flags&store.FlagRestored == 0 {
			t.Fatal("a message isn't marked")
		}
	}
	if mended, err = transfer.Reconcile(bg, e, false, nil); err != nil || *mended != (transfer.Mended{}) {
		t.Fatalf("again: %+v, %v", mended, err)
	}
}

// TestReconcileDropsLogs: what waits in the log of a group that doesn't exist is marked as done.
func TestReconcileDropsLogs(t *testing.T) {
	e := newMem()
	must(t, e.Directory().Groups().Create(&store.Group{ID: "g@x"}, nil))
	_, err := e.GroupLog().Commit(&store.GroupBatch{Appends: []store.GroupAppend{{Group: "g@x", Rev: 1}}})
	must(t, err)
	d := doctored{Engine: e, extra: map[store.Part][]store.Entry{store.PartLog: {{Owner: "none@x", Log: &store.LogEntry{}},
		{Owner: "none@x", Log: &store.LogEntry{Done: 1}}, {Owner: "other@x", Log: &store.LogEntry{}}}}}
	mended, err := transfer.Reconcile(bg, d, false, nil)
	must(t, err)
	if mended.GroupEntries != 2 {
		t.Fatalf("%+v", mended)
	}
	if pending, err := e.GroupLog().Pending(bg, "", 10); err != nil || len(pending) != 1 {
		t.Fatalf("pending %v, %v", pending, err)
	}
}
