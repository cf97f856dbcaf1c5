package storetest

import (
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

// OpenNode opens, for a node of the given name, the one empty store that all nodes of a test share, and closes it when the test ends.
type OpenNode func(t *testing.T, node string) store.Engine

// Shared runs what holds for engines that several nodes use at once. Each test gets a store of its own from open.
func Shared(t *testing.T, open func(t *testing.T) OpenNode) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, a, b store.Engine)
	}{
		{"nobody owns anything at first", testUnclaimed},
		{"writes of others leave notices", testForeignWrites},
		{"a claim takes a partition over", testTakeover},
		{"two writers of one mailbox are united", testUnion},
		{"notices of claims in full flight", testClaimsInFlight},
		{"an ack doesn't outlive its row", testAcksOfTwo},
		{"the directory is one", testOneDirectory},
	} {
		t.Run(c.name, func(t *testing.T) {
			node := open(t)
			a, b := node(t, "a"), node(t, "b")
			if !a.Info().Shared {
				t.Fatal("an engine that two nodes have opened says that it isn't shared")
			}
			c.test(t, a, b)
		})
	}
}

// put appends messages and returns what the engine says of them.
func put(t testing.TB, e store.Engine, mailbox ident.UserID, ns ...int) store.Result {
	t.Helper()
	var b store.Batch
	for _, n := range ns {
		b.Appends = append(b.Appends, msg(mailbox, n))
	}
	r, err := e.Mail().Commit(&b)
	must(t, err)
	return r
}

// notices are the mailboxes that a node is to load again, sorted, each once; and the numbers of the notices.
func notices(t testing.TB, e store.Engine) (mailboxes []ident.UserID, ns []int64) {
	t.Helper()
	ws, err := e.Claims().ForeignWrites(bg)
	must(t, err)
	for _, w := range ws {
		mailboxes, ns = append(mailboxes, w.Mailbox), append(ns, w.N)
	}
	slices.Sort(mailboxes)
	return slices.Compact(mailboxes), ns
}

func wantNotices(t testing.TB, e store.Engine, wanted ...ident.UserID) []int64 {
	t.Helper()
	got, ns := notices(t, e)
	slices.Sort(wanted)
	if !slices.Equal(got, wanted) {
		t.Fatalf("notices of %v, want %v", got, wanted)
	}
	return ns
}

func claim(t testing.TB, e store.Engine, users ...ident.UserID) {
	t.Helper()
	var parts []ident.Partition
	for _, u := range users {
		parts = append(parts, store.MailPartition(u))
	}
	must(t, e.Claims().Claim(parts))
}

func testUnclaimed(t *testing.T, a, b store.Engine) {
	if r := put(t, a, user(1), 1); r.Stale != nil {
		t.Fatalf("stale %v", r.Stale)
	}
	if r := put(t, b, user(1), 2); r.Stale != nil {
		t.Fatalf("stale %v", r.Stale)
	}
	wantNotices(t, a)
	wantNotices(t, b)
	must(t, a.Claims().Done(nil))
	must(t, a.Claims().Claim(nil))
}

func testForeignWrites(t *testing.T, a, b store.Engine) {
	u, v := user(1), user(2)
	claim(t, a, u)
	claim(t, b, v)
	if r := put(t, a, u, 1); r.Stale != nil {
		t.Fatalf("stale %v at the owner", r.Stale)
	}
	wantNotices(t, a)
	// One batch for two mailboxes, of which one is somebody else's.
	r, err := b.Mail().Commit(&store.Batch{Appends: []store.Append{msg(v, 1), msg(u, 2), msg(u, 3)}})
	must(t, err)
	if !slices.Equal(r.Stale, []ident.Partition{store.MailPartition(u)}) {
		t.Fatalf("stale %v, want the partition of %s", r.Stale, u)
	}
	wantNotices(t, b)
	ns := wantNotices(t, a, u)
	if got := ords(t, a, u); !slices.Equal(got, []int64{1, 2, 3}) {
		t.Fatalf("ords %v", got)
	}
	put(t, b, u, 4) // while the first notices are being followed
	must(t, a.Claims().Done(ns))
	must(t, a.Claims().Done(ns))
	ns = wantNotices(t, a, u)
	must(t, a.Claims().Done(ns))
	wantNotices(t, a)
	// Acks need no notice.
	if r := commitAny(t, b, store.Batch{Acks: []store.Ack{{Mailbox: u, ID: ID(1), Delete: true}}}); r.Stale != nil {
		t.Fatalf("stale %v for an ack", r.Stale)
	}
	wantNotices(t, a)
}

func commitAny(t testing.TB, e store.Engine, b store.Batch) store.Result {
	t.Helper()
	r, err := e.Mail().Commit(&b)
	must(t, err)
	return r
}

func testTakeover(t *testing.T, a, b store.Engine) {
	u, p := user(1), []ident.Partition{store.MailPartition(user(1))}
	claim(t, a, u)
	put(t, a, u, 1)
	claim(t, b, u)
	if r := put(t, a, u, 2); !slices.Equal(r.Stale, p) {
		t.Fatalf("stale %v at the former owner", r.Stale)
	}
	if r := put(t, a, u, 3); !slices.Equal(r.Stale, p) {
		t.Fatalf("stale %v at the former owner, who knows by now", r.Stale)
	}
	wantNotices(t, a)
	wantNotices(t, b, u)
	claim(t, a, u)
	wantNotices(t, a, u) // what was left for the one before is the next one's
	if r := put(t, a, u, 4); r.Stale != nil {
		t.Fatalf("stale %v at the owner", r.Stale)
	}
	if r := put(t, b, u, 4); !slices.Equal(r.Stale, p) || !slices.Equal(r.Duplicates, []int{0}) {
		t.Fatalf("%+v of a duplicate at the former owner", r)
	}
}

func testUnion(t *testing.T, a, b store.Engine) {
	u := user(1)
	claim(t, a, u)
	var both sync.WaitGroup
	var inserted atomic.Int64
	for w, e := range []store.Engine{a, b} {
		both.Go(func() {
			for n := range 50 {
				r, err := e.Mail().Commit(&store.Batch{Appends: []store.Append{msg(u, n), msg(u, 1000*(w+1)+n)}})
				if err != nil {
					t.Error(err)
					return
				}
				inserted.Add(int64(2 - len(r.Duplicates)))
			}
		})
	}
	both.Wait()
	if n := inserted.Load(); n != 150 {
		t.Errorf("%d inserted, want 150", n)
	}
	if x, y := index(t, a, u), index(t, b, u); len(x) != 150 || !equal(x, y) {
		t.Fatalf("%d and %d rows", len(x), len(y))
	}
}

// cache is what a node has in memory of some mailboxes: what it has appended itself, and loaded.
type cache struct {
	sync.Mutex
	rows map[ident.UserID]map[int64]bool
}

func (c *cache) add(mailbox ident.UserID, ords ...int64) {
	c.Lock()
	defer c.Unlock()
	if c.rows == nil {
		c.rows = map[ident.UserID]map[int64]bool{}
	}
	if c.rows[mailbox] == nil {
		c.rows[mailbox] = map[int64]bool{}
	}
	for _, o := range ords {
		c.rows[mailbox][o] = true
	}
}

// testClaimsInFlight lets two nodes append to the same mailboxes while these change their owner again and again. In the end the owner,
// once it has followed its notices, must know every row.
func testClaimsInFlight(t *testing.T, a, b store.Engine) {
	engines, caches := []store.Engine{a, b}, []*cache{{}, {}}
	users := []ident.UserID{user(1), user(2), user(3)}
	load := func(node int, mailbox ident.UserID) {
		for _, r := range index(t, engines[node], mailbox) {
			caches[node].add(mailbox, r.Ord)
		}
	}
	var running atomic.Int64
	var writers sync.WaitGroup
	for w := range 6 {
		running.Add(1)
		writers.Go(func() {
			defer running.Add(-1)
			rng := rand.New(rand.NewPCG(uint64(w), 7))
			for n := range 40 {
				u, node := users[rng.IntN(len(users))], w%2
				var b store.Batch
				var ords []int64
				for i := range 1 + rng.IntN(20) {
					ord := 1_000_000*(w+1) + 20*n + i
					b.Appends, ords = append(b.Appends, msg(u, ord)), append(ords, int64(ord))
				}
				if _, err := engines[node].Mail().Commit(&b); err != nil {
					t.Error(err)
					return
				}
				caches[node].add(u, ords...)
			}
		})
	}
	owner := 0
	for running.Load() > 0 {
		owner = 1 - owner
		claim(t, engines[owner], users...)
		for _, u := range users {
			load(owner, u)
		}
	}
	writers.Wait()
	mailboxes, ns := notices(t, engines[owner])
	for _, u := range mailboxes {
		load(owner, u)
	}
	must(t, engines[owner].Claims().Done(ns))
	for _, u := range users {
		for _, r := range index(t, engines[owner], u) {
			if !caches[owner].rows[u][r.Ord] {
				t.Fatalf("the owner doesn't know of row %d of %s: it was left no notice (%d notices)", r.Ord, u, len(ns))
			}
		}
	}
}

// testAcksOfTwo lets one node keep acknowledgements while the other deletes their rows.
func testAcksOfTwo(t *testing.T, a, b store.Engine) {
	u := user(1)
	const rows = 60
	var ns []int
	for n := range rows {
		ns = append(ns, n)
	}
	put(t, a, u, ns...)
	var both sync.WaitGroup
	both.Go(func() {
		for n := range rows {
			commitOr(t, a, store.Batch{Acks: []store.Ack{{Mailbox: u, ID: ID(n), Device: "phone"}, {Mailbox: u, ID: ID(rows - 1 - n), Device: "desk"}}})
		}
	})
	both.Go(func() {
		for n := range rows {
			commitOr(t, b, store.Batch{Acks: []store.Ack{{Mailbox: u, ID: ID(n), Delete: true}}})
		}
	})
	both.Wait()
	put(t, a, u, ns...)
	if got := index(t, b, u); len(got) != rows || slices.ContainsFunc(got, func(r store.Row) bool { return r.Acked != nil }) {
		t.Fatalf("%d rows, or acknowledgements that outlived theirs: %+v", len(got), got)
	}
}

// commitOr is commit on a goroutine of its own.
func commitOr(t testing.TB, e store.Engine, b store.Batch) {
	if _, err := e.Mail().Commit(&b); err != nil {
		t.Error(err)
	}
}

func testOneDirectory(t *testing.T, a, b store.Engine) {
	u := user(1)
	create(t, a, u)
	x := account(u)
	want(t, b.Directory().Accounts().Create(&x), store.ErrExists)
	rev, err := b.Directory().Rosters().SetItem(u, 0, store.RosterItem{Contact: user(2), Listed: true})
	must(t, err)
	_, err = a.Directory().Rosters().SetItem(u, 0, store.RosterItem{Contact: user(3), Listed: true})
	want(t, err, store.ErrRevision)
	_, err = a.Directory().Rosters().SetItem(u, rev, store.RosterItem{Contact: user(3), Listed: true})
	must(t, err)
	put(t, b, u, 1)
	must(t, a.Directory().Accounts().Remove(u))
	if got := index(t, b, u); len(got) != 0 {
		t.Fatalf("%d rows of a removed account", len(got))
	}
}
