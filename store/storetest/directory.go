package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

func testAccounts(t *testing.T, f *Fixture) {
	as, u := f.Engine.Directory().Accounts(), user(1)
	_, err := as.Account(bg, u)
	want(t, err, store.ErrNotFound)
	a := account(u)
	_, err = as.Update(&a)
	want(t, err, store.ErrNotFound)
	must(t, as.Create(&a))
	want(t, as.Create(&a), store.ErrExists)
	got, err := as.Account(bg, u)
	must(t, err)
	a.Rev = 1
	if wanted := (&store.Profile{Account: a}); !reflect.DeepEqual(got, wanted) {
		t.Fatalf("account %+v, want %+v", got, wanted)
	}
	a.Disabled, a.SHA1 = true, store.Scram{}
	rev, err := as.Update(&a)
	must(t, err)
	if rev != 2 {
		t.Fatalf("revision %d, want 2", rev)
	}
	_, err = as.Update(&a)
	want(t, err, store.ErrRevision)
	got, err = as.Account(bg, u)
	must(t, err)
	a.Rev = 2
	if !reflect.DeepEqual(got.Account, a) {
		t.Fatalf("account %+v, want %+v", got, a)
	}
	got.Account.SHA256.Salt[0] = '!'
	again, err := as.Account(bg, u)
	must(t, err)
	if again.Account.SHA256.Salt[0] == '!' {
		t.Fatal("what a caller is handed is still the store's")
	}
}

func testImport(t *testing.T, f *Fixture) {
	as := f.Engine.Directory().Accounts()
	create(t, f.Engine, user(1))
	_, err := f.Engine.Directory().Rosters().SetItem(user(1), 0, store.RosterItem{Contact: user(2), Listed: true})
	must(t, err)
	b := account(user(1))
	b.SHA1.Salt = []byte("imported")
	n, err := as.Put([]store.Account{b, account(user(2)), account(user(3)), account(user(3))})
	must(t, err)
	if n != 2 {
		t.Fatalf("%d are new, want 2", n)
	}
	got, err := as.Account(bg, user(1))
	must(t, err)
	if string(got.Account.SHA1.Salt) != "imported" || got.Account.Rev != 2 {
		t.Fatalf("account %+v", got)
	}
	if got, err = as.Account(bg, user(3)); err != nil || got.Account.Rev != 2 {
		t.Fatalf("account %+v, %v", got, err)
	}
	if got, err = as.Account(bg, user(1)); err != nil || len(got.Roster.Items) != 1 {
		t.Fatal("an import has lost a roster", err)
	}
}

func testList(t *testing.T, f *Fixture) {
	var wanted []ident.UserID
	for n := range 25 {
		wanted = append(wanted, user(n))
	}
	create(t, f.Engine, wanted...)
	slices.Sort(wanted)
	for _, limit := range []int{1, 7, 25, 100} {
		var got []ident.UserID
		for after := ident.UserID(""); ; {
			page, err := f.Engine.Directory().Accounts().List(bg, after, limit)
			must(t, err)
			if len(page) == 0 {
				break
			}
			if len(page) > limit {
				t.Fatalf("%d accounts on a page of %d", len(page), limit)
			}
			for _, a := range page {
				got = append(got, a.User)
			}
			after = page[len(page)-1].User
		}
		if !slices.Equal(got, wanted) {
			t.Fatalf("pages of %d: %v, want %v", limit, got, wanted)
		}
	}
}

// furnish gives a user one of everything.
func furnish(t *testing.T, f *Fixture, u ident.UserID) {
	t.Helper()
	d := f.Engine.Directory()
	create(t, f.Engine, u)
	appendAll(t, f.Engine, u, 1, 2)
	commit(t, f.Engine, store.Batch{Acks: []store.Ack{{Mailbox: u, ID: ID(1), Device: "phone"}}})
	_, err := d.Rosters().SetItem(u, 0, store.RosterItem{Contact: "friend@x", Listed: true})
	must(t, err)
	must(t, d.Rosters().SetBlocks(u, []string{"spam.example"}, nil))
	_, err = d.Devices().Put(u, store.Device{ID: "phone", Since: 5})
	must(t, err)
}

func testRemove(t *testing.T, f *Fixture) {
	d, u, other := f.Engine.Directory(), user(1), user(10)
	want(t, d.Accounts().Remove(u), store.ErrNotFound)
	furnish(t, f, u)
	furnish(t, f, other)
	must(t, d.Groups().Create(&store.Group{ID: "g@x"}, []store.Member{{User: u}, {User: other}}))
	must(t, d.Accounts().Remove(u))
	_, err := d.Accounts().Account(bg, u)
	want(t, err, store.ErrNotFound)
	want(t, d.Accounts().Remove(u), store.ErrNotFound)
	create(t, f.Engine, u) // who comes next under this name inherits nothing
	x, err := d.Accounts().Export(bg, u)
	must(t, err)
	if x.Roster.Rev != 0 || len(x.Roster.Items)+len(x.Blocks)+len(x.Devices)+len(x.Groups)+len(index(t, f.Engine, u)) != 0 {
		t.Fatalf("left over: %+v", x)
	}
	appendAll(t, f.Engine, u, 1)
	if got := acked(t, f.Engine, u); got[1] != nil {
		t.Fatalf("acks %v outlived their account", got)
	}
	g, err := d.Groups().Group(bg, "g@x")
	must(t, err)
	ms, err := d.Groups().Members(bg, "g@x", "", 10)
	must(t, err)
	if g.Rev != 2 || g.Members != 1 || len(ms) != 1 || ms[0].User != other {
		t.Fatalf("group %+v with members %+v", g, ms)
	}
	if x, err = d.Accounts().Export(bg, other); err != nil || len(x.Roster.Items) != 1 || len(x.Groups) != 1 || len(index(t, f.Engine, other)) != 2 {
		t.Fatalf("another account has lost something: %+v, %v", x, err)
	}
}

func testDevices(t *testing.T, f *Fixture) {
	ds, u := f.Engine.Directory().Devices(), user(1)
	at := time.UnixMicro(1_700_000_000_000_001).UTC()
	_, err := ds.Put(u, store.Device{ID: "phone"})
	want(t, err, store.ErrNotFound)
	create(t, f.Engine, u)
	for _, d := range []store.Device{{ID: "phone", Since: 100}, {ID: "", Since: 50}} {
		got, err := ds.Put(u, d)
		must(t, err)
		if got.Since != d.Since || got.Logins != 1 {
			t.Fatalf("device %+v", got)
		}
	}
	got, err := ds.Put(u, store.Device{ID: "phone", Since: 900, Name: "new name", LastSeen: at})
	must(t, err)
	wanted := store.Device{ID: "phone", Since: 100, Name: "new name", LastSeen: at, Logins: 2}
	if got != wanted {
		t.Fatalf("device %+v, want %+v", got, wanted)
	}
	must(t, ds.Seen(u, "phone", at.Add(time.Hour)))
	want(t, ds.Seen(u, "tablet", at), store.ErrNotFound)
	wanted.LastSeen = at.Add(time.Hour)
	all, err := ds.Devices(bg, u)
	must(t, err)
	if !slices.Equal(all, []store.Device{{Since: 50, Logins: 1}, wanted}) {
		t.Fatalf("devices %+v", all)
	}
	must(t, ds.Remove(u, "phone"))
	must(t, ds.Remove(u, "phone"))
	if got, err = ds.Put(u, store.Device{ID: "phone", Since: 900}); err != nil || got.Since != 900 {
		t.Fatalf("a forgotten device comes back as %+v, %v", got, err)
	}
}

func testRosters(t *testing.T, f *Fixture) {
	rs, u := f.Engine.Directory().Rosters(), user(1)
	_, err := rs.SetItem(u, 0, store.RosterItem{Contact: "a@x"})
	want(t, err, store.ErrNotFound)
	create(t, f.Engine, u)
	friend := store.RosterItem{Contact: "friend@x", Name: "Früh", Groups: []string{"work", "", "chess"}, Listed: true,
		Subscription: store.SubscriptionBoth}
	asking := store.RosterItem{Contact: "asking@x", Subscription: store.SubscriptionFrom, Ask: true, PendingIn: true, Request: []byte("<hi/>")}
	for i, item := range []store.RosterItem{friend, asking} {
		rev, err := rs.SetItem(u, uint64(i), item)
		must(t, err)
		if rev != uint64(i+1) {
			t.Fatalf("revision %d", rev)
		}
	}
	_, err = rs.SetItem(u, 1, friend)
	want(t, err, store.ErrRevision)
	friend.Rev, asking.Rev = 1, 2
	check := func(rev uint64, items ...store.RosterItem) {
		t.Helper()
		p, err := f.Engine.Directory().Accounts().Account(bg, u)
		must(t, err)
		if p.Account.User != u || p.Account.Rev != 1 {
			t.Fatalf("account %+v", p)
		}
		if wanted := (store.Roster{Rev: rev, Items: items}); !reflect.DeepEqual(p.Roster, wanted) {
			t.Fatalf("roster %+v\nwant %+v", p.Roster, wanted)
		}
	}
	check(2, asking, friend)
	friend.Groups, friend.Name = nil, ""
	_, err = rs.SetItem(u, 2, friend)
	must(t, err)
	friend.Rev = 3
	check(3, asking, friend)
	_, err = rs.RemoveItem(u, 2, "asking@x")
	want(t, err, store.ErrRevision)
	_, err = rs.RemoveItem(u, 3, "nobody@x")
	want(t, err, store.ErrNotFound)
	rev, err := rs.RemoveItem(u, 3, "asking@x")
	must(t, err)
	if rev != 4 {
		t.Fatalf("revision %d", rev)
	}
	check(4, friend)
}

func testBlocks(t *testing.T, f *Fixture) {
	rs, u := f.Engine.Directory().Rosters(), user(1)
	want(t, rs.SetBlocks(u, []string{"a@x"}, nil), store.ErrNotFound)
	create(t, f.Engine, u)
	must(t, rs.SetBlocks(u, []string{"spam.example", "a@x", "b@x/resource"}, nil))
	must(t, rs.SetBlocks(u, []string{"a@x"}, []string{"spam.example", "nobody@x"}))
	got, err := rs.Blocks(bg, u)
	must(t, err)
	if !slices.Equal(got, []string{"a@x", "b@x/resource"}) {
		t.Fatalf("blocks %v", got)
	}
	want(t, rs.SetBlocks(u, []string{""}, nil), store.ErrInvalid)
}

func testMailboxInfo(t *testing.T, f *Fixture) {
	rs, u := f.Engine.Directory().Rosters(), user(1)
	load := func() store.MailboxInfo {
		t.Helper()
		m, err := loadWhole(f.Engine, u, store.Page{})
		must(t, err)
		return *m.User
	}
	if info := load(); !reflect.DeepEqual(info, store.MailboxInfo{}) {
		t.Fatalf("nobody exists, but has %+v", info)
	}
	furnish(t, f, u)
	for i, item := range []store.RosterItem{
		{Contact: "pending@x", PendingIn: true},
		{Contact: "asked@x", Ask: true},
		{Contact: "hears@x", Subscription: store.SubscriptionFrom},
	} {
		_, err := rs.SetItem(u, uint64(i+1), item)
		must(t, err)
	}
	info := load()
	wanted := store.MailboxInfo{Exists: true, Contacts: []ident.UserID{"asked@x", "friend@x", "hears@x"}, Blocks: []string{"spam.example"},
		Devices: []store.Device{{ID: "phone", Since: 5, Logins: 1}}}
	if !reflect.DeepEqual(info, wanted) {
		t.Fatalf("mailbox %+v\nwant %+v", info, wanted)
	}
	p, err := f.Engine.Directory().Accounts().Account(bg, u)
	must(t, err)
	if !reflect.DeepEqual(*p.MailboxInfo(), wanted) {
		t.Fatalf("account %+v\nwant %+v", p.MailboxInfo(), wanted)
	}
	p.Account.Disabled = true
	_, err = f.Engine.Directory().Accounts().Update(&p.Account)
	must(t, err)
	if info = load(); !info.Exists || !info.Disabled {
		t.Fatalf("mailbox %+v", info)
	}
}

// loadWhole loads a mailbox, and who its user is from where that is.
func loadWhole(e store.Engine, u ident.UserID, page store.Page) (*store.Mailbox, error) {
	m, err := e.Mail().Load(bg, u, page)
	if err != nil || m.User != nil {
		return m, err
	}
	p, err := e.Directory().Accounts().Account(bg, u)
	if errors.Is(err, store.ErrNotFound) {
		m.User = &store.MailboxInfo{}
		return m, nil
	}
	if err != nil {
		return nil, err
	}
	m.User = p.MailboxInfo()
	return m, nil
}

func testExport(t *testing.T, f *Fixture) {
	d, u := f.Engine.Directory(), user(1)
	_, err := d.Accounts().Export(bg, u)
	want(t, err, store.ErrNotFound)
	furnish(t, f, u)
	must(t, d.Groups().Create(&store.Group{ID: "g2@x"}, []store.Member{{User: u}}))
	must(t, d.Groups().Create(&store.Group{ID: "g1@x"}, []store.Member{{User: u}}))
	x, err := d.Accounts().Export(bg, u)
	must(t, err)
	a := account(u)
	a.Rev = 1
	wanted := &store.Export{Profile: store.Profile{
		Account: a, Roster: store.Roster{Rev: 1, Items: []store.RosterItem{{Contact: "friend@x", Listed: true, Rev: 1}}},
		Blocks: []string{"spam.example"}, Devices: []store.Device{{ID: "phone", Since: 5, Logins: 1}},
	}, Groups: []ident.GroupID{"g1@x", "g2@x"}}
	if !reflect.DeepEqual(x, wanted) {
		t.Fatalf("export %+v\nwant %+v", x, wanted)
	}
}

func testGroups(t *testing.T, f *Fixture) {
	gs, gid := f.Engine.Directory().Groups(), ident.GroupID("g@x")
	_, err := gs.Group(bg, gid)
	want(t, err, store.ErrNotFound)
	_, err = gs.Change(gid, 1, store.GroupChange{})
	want(t, err, store.ErrNotFound)
	g := store.Group{ID: gid, Owner: "owner@x", Subject: "chess", Settings: []byte{1, 0, 2}, Created: time.UnixMicro(1_700_000_000_000_000).UTC()}
	must(t, gs.Create(&g, []store.Member{{User: "b@x", Role: "admin"}, {User: "a@x"}, {User: "b@x", Role: "owner"}}))
	want(t, gs.Create(&g, nil), store.ErrExists)
	check := func(g store.Group, members ...store.Member) {
		t.Helper()
		got, err := gs.Group(bg, gid)
		must(t, err)
		g.Members = len(members)
		if !reflect.DeepEqual(*got, g) {
			t.Fatalf("group %+v, want %+v", *got, g)
		}
		ms, err := gs.Members(bg, gid, "", 100)
		must(t, err)
		if !slices.Equal(ms, members) {
			t.Fatalf("members %+v, want %+v", ms, members)
		}
	}
	g.Rev = 1
	check(g, store.Member{User: "a@x", JoinedRev: 1}, store.Member{User: "b@x", Role: "owner", JoinedRev: 1})
	_, err = gs.Change(gid, 2, store.GroupChange{})
	want(t, err, store.ErrRevision)
	subject := "go"
	rev, err := gs.Change(gid, 1, store.GroupChange{Subject: &subject,
		Put: []store.Member{{User: "a@x", Role: "admin"}, {User: "c@x"}, {User: "b@x"}, {User: "c@x"}}, Remove: []ident.UserID{"b@x", "nobody@x", "b@x"}})
	must(t, err)
	g.Rev, g.Subject = 2, "go"
	if rev != 2 {
		t.Fatalf("revision %d", rev)
	}
	check(g, store.Member{User: "a@x", Role: "admin", JoinedRev: 1}, store.Member{User: "b@x", JoinedRev: 2}, store.Member{User: "c@x", JoinedRev: 2})
	owner, settings := ident.UserID("new@x"), []byte(nil)
	_, err = gs.Change(gid, 2, store.GroupChange{Owner: &owner, Settings: &settings, Remove: []ident.UserID{"a@x"}})
	must(t, err)
	g.Rev, g.Owner, g.Settings = 3, owner, nil
	check(g, store.Member{User: "b@x", JoinedRev: 2}, store.Member{User: "c@x", JoinedRev: 2})
	want(t, gs.Delete(gid, 2), store.ErrRevision)
	must(t, gs.Delete(gid, 3))
	want(t, gs.Delete(gid, 3), store.ErrNotFound)
	if of, err := gs.GroupsOf(bg, "b@x", "", 10); err != nil || len(of) != 0 {
		t.Fatalf("groups %v of a member of a deleted group, %v", of, err)
	}
	if ms, err := gs.Members(bg, gid, "", 10); err != nil || len(ms) != 0 {
		t.Fatalf("members %v of a deleted group, %v", ms, err)
	}
}

func testMembers(t *testing.T, f *Fixture) {
	gs := f.Engine.Directory().Groups()
	var members []store.Member
	for n := range 23 {
		members = append(members, store.Member{User: user(n), JoinedRev: 1})
	}
	for n := range 11 {
		must(t, gs.Create(&store.Group{ID: ident.GroupID(fmt.Sprintf("g%02d@x", n))}, members[:12+n]))
	}
	slices.SortFunc(members, func(a, b store.Member) int { return compare(a.User, b.User) })
	for _, limit := range []int{1, 10, 23, 50} {
		var got []store.Member
		for after := ident.UserID(""); ; after = got[len(got)-1].User {
			page, err := gs.Members(bg, "g10@x", after, limit)
			must(t, err)
			if got = append(got, page...); len(page) == 0 {
				break
			}
		}
		if len(got) != 22 || !slices.IsSortedFunc(got, func(a, b store.Member) int { return compare(a.User, b.User) }) {
			t.Fatalf("pages of %d: %v", limit, got)
		}
	}
	var of []ident.GroupID
	for after := ident.GroupID(""); ; after = of[len(of)-1] {
		page, err := gs.GroupsOf(bg, user(20), after, 2)
		must(t, err)
		if of = append(of, page...); len(page) == 0 {
			break
		}
	}
	if !slices.Equal(of, []ident.GroupID{"g09@x", "g10@x"}) {
		t.Fatalf("groups %v", of)
	}
}

func compare(a, b ident.UserID) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
