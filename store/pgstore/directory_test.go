package pgstore_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/store/pgstore"
	"github.com/jackdaw-im/jackdaw/store/storetest"
)

var bg = context.Background()

// sql runs statements on one of a rig's databases.
func sql(t testing.TB, url string, statements ...string) {
	t.Helper()
	c, err := pgx.Connect(bg, url)
	must(t, err)
	for _, s := range statements {
		_, err = c.Exec(bg, s)
		must(t, err)
	}
	must(t, c.Close(bg))
}

// count runs a statement that counts.
func count(t testing.TB, url, statement string) (n int) {
	t.Helper()
	c, err := pgx.Connect(bg, url)
	must(t, err)
	must(t, c.QueryRow(bg, statement).Scan(&n))
	must(t, c.Close(bg))
	return n
}

// TestAnyBytes: what clients choose may be anything, and comes back as it was, in the order of its bytes.
func TestAnyBytes(t *testing.T) {
	e := newRig(t, nil)
	d := e.Directory()
	users := []ident.UserID{`a"b'c@x`, `a\20b\\@x`, `a\x41@x`, "ä@x", "\xff\xfe@x", "\x01@x", "Z@x", `%_;--@x`}
	odd := "\x00\xff\\000'{\"},NULL"
	for _, u := range users {
		must(t, d.Accounts().Create(&store.Account{User: u, SHA1: store.Scram{Salt: []byte(odd)}}))
		_, err := d.Rosters().SetItem(u, 0, store.RosterItem{Contact: users[1], Name: odd, Groups: []string{odd, "", "NULL", "{}"}, Listed: true, Request: []byte(odd)})
		must(t, err)
		_, err = d.Devices().Put(u, store.Device{ID: ident.DeviceID(users[2]), Name: odd})
		must(t, err)
		must(t, d.Rosters().SetBlocks(u, []string{`\000`, "\xff", `\x00`}, nil))
		must(t, d.Rosters().SetBlocks(u, nil, []string{`\000`}))
	}
	var members []store.Member
	for _, u := range users {
		members = append(members, store.Member{User: u, Role: odd})
	}
	must(t, d.Groups().Create(&store.Group{ID: `g\g@x`, Owner: users[0], Subject: odd, Settings: []byte(odd)}, members))
	list, err := d.Accounts().List(bg, "", 100)
	must(t, err)
	for i, a := range list {
		if i > 0 && list[i-1].User >= a.User {
			t.Errorf("%q after %q", a.User, list[i-1].User)
		}
		x, err := d.Accounts().Export(bg, a.User)
		must(t, err)
		item := store.RosterItem{Contact: users[1], Name: odd, Groups: []string{odd, "", "NULL", "{}"}, Listed: true, Request: []byte(odd), Rev: 1}
		if string(a.SHA1.Salt) != odd || !reflect.DeepEqual(x.Roster.Items, []store.RosterItem{item}) || x.Devices[0].Name != odd ||
			!reflect.DeepEqual(x.Blocks, []string{`\x00`, "\xff"}) || !reflect.DeepEqual(x.Groups, []ident.GroupID{`g\g@x`}) {
			t.Errorf("%q: %+v", a.User, x)
		}
		m, err := e.Mail().Load(bg, a.User, store.Page{})
		must(t, err)
		if m.User != nil {
			t.Errorf("%q: a load has asked two databases: %+v", a.User, m.User)
		}
		p, err := d.Accounts().Account(bg, a.User)
		must(t, err)
		if !reflect.DeepEqual(p, &x.Profile) {
			t.Errorf("%q: %+v\nexported %+v", a.User, p, x.Profile)
		}
		info := p.MailboxInfo()
		if !reflect.DeepEqual(info.Contacts, []ident.UserID{users[1]}) || info.Devices[0].ID != ident.DeviceID(users[2]) || len(info.Blocks) != 2 {
			t.Errorf("%q: %+v", a.User, info)
		}
	}
	if len(list) != len(users) {
		t.Errorf("%d users of %d", len(list), len(users))
	}
	g, err := d.Groups().Group(bg, `g\g@x`)
	must(t, err)
	ms, err := d.Groups().Members(bg, `g\g@x`, "", 100)
	must(t, err)
	if g.Subject != odd || string(g.Settings) != odd || len(ms) != len(users) || ms[0].Role != odd {
		t.Errorf("%+v, %+v", g, ms)
	}
}

// TestLongNames: an id that is as long as may be is stored, two that are too long together are refused for good.
func TestLongNames(t *testing.T) {
	e := newRig(t, nil)
	d := e.Directory()
	// Random enough that nothing compresses it.
	long := func(seed, n int) string {
		var b strings.Builder
		for i := 0; b.Len() < n; i++ {
			id := storetest.ID(1000*seed + i)
			b.WriteString(strings.ReplaceAll(string(id[:]), "\x00", "0"))
		}
		return b.String()[:n]
	}
	user := ident.UserID(long(1, 1023) + "@" + long(2, 1023))
	must(t, d.Accounts().Create(&store.Account{User: user}))
	_, err := d.Rosters().SetItem(user, 0, store.RosterItem{Contact: "a@x"})
	must(t, err)
	_, err = d.Rosters().SetItem(user, 1, store.RosterItem{Contact: ident.UserID(long(3, 2047))})
	if !errors.Is(err, store.ErrInvalid) {
		t.Errorf("an entry that no index can hold: %v", err)
	}
	if p, err := d.Accounts().Account(bg, user); err != nil || p.Roster.Rev != 1 || len(p.Roster.Items) != 1 {
		t.Errorf("a refused change has left something: %+v, %v", p, err)
	}
}

// TestRemoveIsCompleted interrupts a removal at each of its steps; repeating it completes it.
func TestRemoveIsCompleted(t *testing.T) {
	urls := borrow(t)
	list, o := urls[0]+","+urls[1], pgstore.Options{Directory: urls[2], AllowUnreplicated: true}
	e, err := pgstore.Open(list, o)
	must(t, err)
	t.Cleanup(func() { _ = e.Close() })
	const u = ident.UserID("gone@x")
	accounts := e.Directory().Accounts()
	mail := func(n int) {
		_, err := e.Mail().Commit(&store.Batch{Appends: []store.Append{{Mailbox: u, ID: storetest.ID(n)}}})
		must(t, err)
	}
	furnish := func() {
		must(t, accounts.Create(&store.Account{User: u}))
		_, err := e.Directory().Devices().Put(u, store.Device{ID: "phone"})
		must(t, err)
		mail(1)
	}
	shard := urls[e.ShardOf(store.MailPartition(u))]
	for name, c := range map[string]struct{ url, table string }{
		"before anything":       {shard, "mail"},
		"behind the mail":       {urls[2], "account"},
		"half of the directory": {urls[2], "device"},
	} {
		furnish()
		sql(t, c.url, `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''not now''; END'`,
			`CREATE TRIGGER refuse BEFORE DELETE ON `+c.table+` FOR EACH ROW EXECUTE FUNCTION refuse()`)
		if err := accounts.Remove(u); err == nil || errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := accounts.Account(bg, u); err != nil {
			t.Errorf("%s: the account isn't found again: %v", name, err)
		}
		sql(t, c.url, `DROP FUNCTION refuse CASCADE`)
		must(t, accounts.Remove(u))
		if err := accounts.Remove(u); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: something is left: %v", name, err)
		}
	}
	// Behind the directory: messages came in between, and the second look at the mail was never made.
	mail(2)
	must(t, accounts.Remove(u))
	if rows, err := storetest.Rows(bg, e, u); err != nil || len(rows) != 0 {
		t.Errorf("%d messages are left, %v", len(rows), err)
	}
	if err := accounts.Remove(u); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("something is left: %v", err)
	}
}

// TestRemoveBesideChanges removes members of groups while the groups and the accounts change, from two nodes: nothing
// hangs, and each group has as many members as it says.
func TestRemoveBesideChanges(t *testing.T) {
	r := newRig(t, nil)
	nodes := []store.Engine{r.Engine, r.second(t)}
	const users, groups = 12, 6
	user := func(i int) ident.UserID { return ident.UserID(fmt.Sprintf("u%d@x", i)) }
	var members []store.Member
	for i := range users {
		must(t, r.Directory().Accounts().Create(&store.Account{User: user(i)}))
		members = append(members, store.Member{User: user(i)})
	}
	gid := func(i int) ident.GroupID { return ident.GroupID(fmt.Sprintf("g%d@x", i)) }
	for i := range groups {
		must(t, r.Directory().Groups().Create(&store.Group{ID: gid(i)}, members))
	}
	var all sync.WaitGroup
	for i := range users {
		d := nodes[i%2].Directory()
		all.Go(func() {
			if err := d.Accounts().Remove(user(i)); err != nil {
				t.Error(err)
			}
		})
		all.Go(func() {
			_, err := d.Devices().Put(user(i), store.Device{ID: "phone"})
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				t.Error(err)
			}
		})
		all.Go(func() {
			for range 5 {
				g, err := d.Groups().Group(bg, gid(i%groups))
				if err == nil {
					_, err = d.Groups().Change(g.ID, g.Rev, store.GroupChange{Put: []store.Member{{User: "stays@x"}}, Remove: []ident.UserID{user(users - 1 - i)}})
				}
				if err != nil && !errors.Is(err, store.ErrRevision) {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for i := range groups {
		g, err := r.Directory().Groups().Group(bg, gid(i))
		must(t, err)
		ms, err := r.Directory().Groups().Members(bg, gid(i), "", 100)
		must(t, err)
		if g.Members != len(ms) || len(ms) > 1 {
			t.Errorf("group %d says %d members and has %v", i, g.Members, ms)
		}
	}
	for i := range users {
		if ds, err := r.Directory().Devices().Devices(bg, user(i)); err != nil || len(ds) != 0 {
			t.Errorf("devices %v of %s, who is gone, %v", ds, user(i), err)
		}
	}
}

// TestFence: while a group changes, two nodes append to its log. What carries the old revision is either stored before the
// change, and so seen by who changed, or refused.
func TestFence(t *testing.T) {
	r := newRig(t, nil)
	twin := r.second(t)
	const gid = ident.GroupID("g@x")
	must(t, r.Directory().Groups().Create(&store.Group{ID: gid}, nil))
	var accepted sync.Map
	var writers sync.WaitGroup
	for w := range 3 {
		writers.Go(func() {
			for n := range 60 {
				id := storetest.ID(1000*w + n)
				out, err := twin.GroupLog().Commit(&store.GroupBatch{Appends: []store.GroupAppend{{Group: gid, Rev: 1, ID: id}}})
				if err != nil {
					t.Error(err)
					return
				}
				if out[0] == store.GroupAppended {
					accepted.Store(id, true)
				}
			}
		})
	}
	rev, err := r.Directory().Groups().Change(gid, 1, store.GroupChange{Put: []store.Member{{User: "a@x"}}})
	must(t, err)
	seen := map[ident.MessageID]bool{}
	es, err := r.GroupLog().Unfinished(bg, gid, store.GroupPlace{}, 1000)
	must(t, err)
	for _, e := range es {
		seen[e.ID] = true
	}
	writers.Wait()
	accepted.Range(func(id, _ any) bool {
		if !seen[id.(ident.MessageID)] {
			t.Errorf("an entry of revision 1 came behind revision %d", rev)
		}
		return true
	})
}

// TestCommitTwice: two nodes append the same entries at once; each is stored once, and neither waits for ever.
func TestCommitTwice(t *testing.T) {
	r := newRig(t, nil)
	nodes := []store.Engine{r.Engine, r.second(t)}
	for i := range 4 {
		must(t, r.Directory().Groups().Create(&store.Group{ID: ident.GroupID(fmt.Sprint("g", i))}, nil))
	}
	var all sync.WaitGroup
	var appended atomic.Int64
	for w := range 8 {
		all.Go(func() {
			for n := range 30 {
				var b store.GroupBatch
				for k := range 8 {
					i := (k + w) % 4 // in another order for each
					id := storetest.ID(n*8 + k)
					b.Appends = append(b.Appends, store.GroupAppend{Group: ident.GroupID(fmt.Sprint("g", i)), Rev: 1, ID: id})
					b.Done = append(b.Done, store.GroupDone{Group: ident.GroupID(fmt.Sprint("g", i)), IDs: []ident.MessageID{id}})
				}
				out, err := nodes[w%2].GroupLog().Commit(&b)
				if err != nil {
					t.Error(err)
					return
				}
				for k, o := range out {
					if o == store.GroupAppended {
						appended.Add(1)
					} else if o != store.GroupDuplicate {
						t.Errorf("outcome %v of %v", o, b.Appends[k].ID)
					}
				}
			}
		})
	}
	all.Wait()
	if n := appended.Load(); n != 30*8*4 { // by the orders of the writers, each entry comes to each group
		t.Errorf("%d entries were appended", n)
	}
}

// TestLoadingIsRefused: a store that is being filled is for tools only.
func TestLoadingIsRefused(t *testing.T) {
	r := newRig(t, func(o *pgstore.Options) { o.Tool = true })
	must(t, r.SetLoading(bg, store.LoadPlace{Source: "/var/lib/jackdaw/store", Part: store.PartMail, After: "x"}))
	o := r.o
	o.Tool = false
	if _, err := pgstore.Open(r.list, o); err == nil || !strings.Contains(err.Error(), "/var/lib/jackdaw/store") {
		t.Fatalf("a server opens it: %v", err)
	}
	e, err := pgstore.Open(r.list, r.o)
	must(t, err)
	at, err := e.Loading(bg)
	must(t, err)
	if at != (store.LoadPlace{Source: "/var/lib/jackdaw/store", Part: store.PartMail, After: "x"}) {
		t.Fatalf("%+v", at)
	}
	must(t, e.SetLoading(bg, store.LoadPlace{}))
	must(t, e.Close())
	if e, err = pgstore.Open(r.list, o); err != nil {
		t.Fatal(err)
	}
	must(t, e.Close())
}

// TestWalkFindsDamage: rows that are where they don't belong are told, and don't stop the walk.
func TestWalkFindsDamage(t *testing.T) {
	urls := borrow(t)
	list, o := urls[0]+","+urls[1], pgstore.Options{Directory: urls[2], AllowUnreplicated: true}
	e, err := pgstore.Open(list, o)
	must(t, err)
	t.Cleanup(func() { _ = e.Close() })
	storetest.Fill(t, e, 20)
	columns := `ord, exp, cseq, flags, sender, body`
	sql(t, urls[0],
		`INSERT INTO mail (p, mailbox, msgid, `+columns+`) VALUES (17, 'a@x', '0123456789abcdef', 1, 0, 0, 0, '', ''), (18, 'a@x', 'short', 1, 0, 0, 0, '', '')`,
		`INSERT INTO mail_ack (p, mailbox, msgid, device) VALUES (1, 'a@x', '0123456789abcdef', 'phone')`)
	var other ident.UserID
	for i := 0; other == ""; i++ {
		if u := ident.UserID(fmt.Sprint(i)); e.ShardOf(store.MailPartition(u)) == 1 {
			other = u
		}
	}
	sql(t, urls[0], fmt.Sprintf(`INSERT INTO mail (p, mailbox, msgid, `+columns+`) VALUES (%d, '%s', '0123456789abcdef', 1, 0, 0, 0, '', '')`, store.MailPartition(other), other))
	var damage []string
	n := 0
	for _, part := range []store.Part{store.PartMail, store.PartIndexes} {
		for after := ""; ; {
			page, err := e.Walk(bg, store.WalkQuery{Part: part, After: after, Limit: 7})
			must(t, err)
			damage, n = append(damage, page.Damage...), n+len(page.Entries)
			if after = page.Next; after == "" {
				break
			}
		}
	}
	if len(damage) != 4 || n != count(t, urls[0], `SELECT count(*) FROM mail`)+count(t, urls[1], `SELECT count(*) FROM mail`)-3 {
		t.Fatalf("%d entries, damage %q", n, damage)
	}
}

// TestSeenIsSoon: a device's date is there at once, though nobody waited for a disk.
func TestSeenIsSoon(t *testing.T) {
	e := newRig(t, nil)
	must(t, e.Directory().Accounts().Create(&store.Account{User: "a@x"}))
	_, err := e.Directory().Devices().Put("a@x", store.Device{ID: "phone"})
	must(t, err)
	at := time.UnixMicro(77).UTC()
	must(t, e.Directory().Devices().Seen("a@x", "phone", at))
	ds, err := e.Directory().Devices().Devices(bg, "a@x")
	must(t, err)
	if len(ds) != 1 || !ds[0].LastSeen.Equal(at) {
		t.Fatalf("%+v", ds)
	}
}

// TestMadeAnewMeanwhile: an entry that is removed and made anew while a change waits for it has the revision that the change is made
// from, before and after: that somebody else has changed it would not be true.
func TestMadeAnewMeanwhile(t *testing.T) {
	r := newRig(t, nil)
	d := r.Directory()
	must(t, d.Accounts().Create(&store.Account{User: "a@x"}))
	must(t, d.Groups().Create(&store.Group{ID: "g@x", Owner: "a@x"}, nil))
	for what, change := range map[string]func() (uint64, error){
		"account": func() (uint64, error) {
			return d.Accounts().Update(&store.Account{User: "a@x", Rev: 1, Disabled: true})
		},
		"groups": func() (uint64, error) { return d.Groups().Change("g@x", 1, store.GroupChange{}) },
		"account, for its roster": func() (uint64, error) {
			rev, err := d.Rosters().SetItem("a@x", 0, store.RosterItem{Contact: "b@x"})
			return rev + 1, err
		},
	} {
		table, _, _ := strings.Cut(what, ",")
		c, err := pgx.Connect(bg, r.o.Directory)
		must(t, err)
		_, err = c.Exec(bg, `BEGIN; CREATE TEMP TABLE was AS SELECT * FROM `+table+`; DELETE FROM `+table+`; INSERT INTO `+table+` SELECT * FROM was`)
		must(t, err)
		type result struct {
			rev uint64
			err error
		}
		done := make(chan result, 1)
		go func() {
			rev, err := change()
			done <- result{rev, err}
		}()
		eventually(t, "the change waits", func() bool {
			return count(t, r.o.Directory, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`) == 1
		})
		_, err = c.Exec(bg, `COMMIT`)
		must(t, err)
		if got := <-done; got != (result{2, nil}) {
			t.Errorf("%s: %+v", what, got)
		}
		must(t, c.Close(bg))
	}
}
