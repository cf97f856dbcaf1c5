package lane_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/lane"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/store/memstore"
	"github.com/jackdaw-im/jackdaw/store/storetest"
)

// shared is one node's view of a store of two shards that several nodes use; each shard can be shut, and made to fail.
type shared struct {
	*memstore.Node
	mu    sync.Mutex
	log   []string // claims and removals
	fail  []error  // what they return next, done or not
	shut  [2]chan struct{}
	polls int
}

func newShared() (e *shared, twin *memstore.Node) {
	mem := memstore.New(memstore.Options{Shared: true})
	return &shared{Node: mem.Node("n@1")}, mem.Node("twin@1")
}

func (e *shared) Shards() int                   { return 2 }
func (e *shared) ShardOf(p ident.Partition) int { return int(p) % 2 }
func (e *shared) Claims() store.Claims          { return sharedClaims{e.Node.Claims(), e} }
func (e *shared) Mail() store.Mail              { return sharedMail{e.Node.Mail(), e} }

// close shuts a shard, as the loss of its synchronous standby does.
func (e *shared) close(shard int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.shut[shard] = make(chan struct{})
}

func (e *shared) open(shard int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	close(e.shut[shard])
}

// fails lets the next calls fail.
func (e *shared) fails(errs ...error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.fail = errs
}

func (e *shared) wait(shard int) {
	e.mu.Lock()
	c := e.shut[shard]
	e.mu.Unlock()
	if c != nil {
		<-c
	}
}

type sharedMail struct {
	store.Mail
	e *shared
}

func (m sharedMail) Commit(b *store.Batch) (store.Result, error) {
	if len(b.Appends) > 0 {
		m.e.wait(m.e.ShardOf(store.MailPartition(b.Appends[0].Mailbox)))
	}
	return m.Mail.Commit(b)
}

type sharedClaims struct {
	store.Claims
	e *shared
}

func (c sharedClaims) note(what string, f func() error) error {
	c.e.mu.Lock()
	defer c.e.mu.Unlock()
	c.e.log = append(c.e.log, what)
	if len(c.e.fail) == 0 {
		return f()
	}
	err := c.e.fail[0]
	c.e.fail = c.e.fail[1:]
	if err == nil {
		return f()
	}
	return err
}

func (c sharedClaims) Claim(p []ident.Partition) error {
	c.e.wait(c.e.ShardOf(p[0]))
	return c.note(fmt.Sprint("claim ", p), func() error { return c.Claims.Claim(p) })
}

func (c sharedClaims) Done(ns []int64) error {
	return c.note(fmt.Sprint("done ", ns), func() error { return c.Claims.Done(ns) })
}

func (c sharedClaims) ForeignWrites(ctx context.Context) ([]store.ForeignWrite, error) {
	c.e.mu.Lock()
	c.e.polls++
	c.e.mu.Unlock()
	return c.Claims.ForeignWrites(ctx)
}

func (e *shared) logged() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	slices.Sort(e.log) // two actors
	s := fmt.Sprint(e.log)
	e.log = nil
	return s
}

// answers are what claims came to.
type answers struct {
	mu  sync.Mutex
	all []string
}

func (a *answers) of(name string) func(error) {
	return func(err error) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.all = append(a.all, fmt.Sprint(name, "=", err))
	}
}

func (a *answers) took() string {
	synctest.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	slices.Sort(a.all)
	s := fmt.Sprint(a.all)
	a.all = nil
	return s
}

// TestClaim: claims are made by shard, gathered while one is under way, and repeated until the store has taken them.
func TestClaim(t *testing.T) {
	e, _ := newShared()
	runOn(t, e, lane.Options{PollEvery: time.Hour}, func(r *rig) {
		var got answers
		r.lanes.Claim(nil, got.of("nothing"))
		r.lanes.Claim([]ident.Partition{3, 2, 1}, got.of("first"))
		r.want("answers", got.took(), "[first=<nil> nothing=<nil>]")
		r.want("claims", e.logged(), "[claim [1 3] claim [2]]")

		e.close(0)
		r.lanes.Claim([]ident.Partition{4, 5}, got.of("both"))
		synctest.Wait()
		r.lanes.Claim([]ident.Partition{6}, got.of("even"))
		r.lanes.Claim([]ident.Partition{8, 6}, got.of("more"))
		r.lanes.Claim([]ident.Partition{7}, got.of("odd"))
		r.want("while one shard hangs", got.took(), "[odd=<nil>]")
		e.open(0)
		r.want("after", got.took(), "[both=<nil> even=<nil> more=<nil>]")
		r.want("claims", e.logged(), "[claim [4] claim [5] claim [6 8] claim [7]]")

		e.fails(errors.New("no connection"), errors.New("no connection"))
		r.lanes.Claim([]ident.Partition{10}, got.of("late"))
		r.want("at once", got.took(), "[]")
		time.Sleep(time.Second)
		r.want("later", got.took(), "[late=<nil>]")
		r.want("claims", e.logged(), "[claim [10] claim [10] claim [10]]")
		if n := r.lanes.Counters.Claimed.Load(); n != 9 {
			t.Errorf("%d claimed", n)
		}

		e.fails(store.ErrClosed)
		r.lanes.Claim([]ident.Partition{1, 2}, got.of("closed"))
		r.want("closed", got.took(), fmt.Sprint("[closed=", store.ErrClosed, "]"))
	})
}

// TestClaimOutlivesACrash: what was asked for before the actor ran, or while it was down, is done when it runs.
func TestClaimOutlivesACrash(t *testing.T) {
	e, _ := newShared()
	runOn(t, e, lane.Options{PollEvery: time.Hour}, func(r *rig) {
		var got answers
		e.fails(errors.New("no connection"))
		r.lanes.Claim([]ident.Partition{2}, got.of("first"))
		r.want("at once", got.took(), "[]")
		ref := actors.Ref{Kind: lane.ClaimsKind, ID: "claims-0"}
		r.CrashNext(ref, errors.New("on purpose"))
		r.lanes.Claim([]ident.Partition{4}, got.of("second"))
		time.Sleep(time.Second)
		r.want("after the crash", got.took(), "[first=<nil> second=<nil>]")
		r.ExpectRestarts(ref, 1, "test")
	})
}

// TestClaimOfOneNode: an engine that nobody shares has nothing to claim.
func TestClaimOfOneNode(t *testing.T) {
	run(t, lane.Options{}, func(r *rig) {
		var got answers
		r.lanes.Claim([]ident.Partition{1}, got.of("it"))
		r.want("answers", got.took(), "[it=<nil>]")
		for _, spec := range r.lanes.Children() {
			if spec.ID == "claims-0" || spec.ID == lane.PollerKind {
				t.Errorf("there is a %s", spec.ID)
			}
		}
	})
}

// TestStale: who watches hears which partitions of a commit are somebody else's; the rows stand.
func TestStale(t *testing.T) {
	e, twin := newShared()
	var stale []ident.Partition
	opts := lane.Options{PollEvery: time.Hour, Stale: func(p []ident.Partition) { stale = append(stale, p...) }}
	runOn(t, e, opts, func(r *rig) {
		p := store.MailPartition(romeo)
		r.lanes.Claim([]ident.Partition{p}, func(error) {})
		synctest.Wait()
		r.do(func(ctx *actors.Context) { must(r, r.lanes.Append(ctx, r.message(1))) })
		if len(stale) > 0 {
			t.Errorf("stale %v", stale)
		}
		must(r, twin.Claims().Claim([]ident.Partition{p}))
		r.do(func(ctx *actors.Context) { must(r, r.lanes.Append(ctx, r.message(2))) })
		if !slices.Equal(stale, []ident.Partition{p}) || r.lanes.Counters.Stale.Load() != 1 {
			t.Errorf("stale %v", stale)
		}
		r.want("answers", r.results(), "1=0 2=0 ")
		if rows, _ := storetest.Rows(t.Context(), e.Node, romeo); len(rows) != 2 {
			t.Errorf("%d rows", len(rows))
		}
	})
}

// TestShards: a lane talks to one shard; one that hangs holds up its own mailboxes only, and says so when its queue is full.
func TestShards(t *testing.T) {
	e, _ := newShared()
	runOn(t, e, lane.Options{Mail: 2, QueueLen: 3}, func(r *rig) {
		var users [2]ident.UserID
		for i := 0; users[0] == "" || users[1] == ""; i++ {
			u := ident.UserID(fmt.Sprintf("user%d@example.org", i))
			users[e.ShardOf(store.MailPartition(u))] = u
		}
		ask := func(ctx *actors.Context, shard, n int) error {
			a := r.message(n)
			a.Mailbox = users[shard]
			return r.lanes.Append(ctx, a)
		}
		e.close(0)
		r.do(func(ctx *actors.Context) { must(r, ask(ctx, 0, 1)) })
		r.do(func(ctx *actors.Context) {
			for n := range 3 {
				must(r, ask(ctx, 0, 2+n))
			}
			if err := ask(ctx, 0, 5); !errors.Is(err, actors.ErrOverloaded) {
				t.Errorf("error %v", err)
			}
			must(r, ask(ctx, 1, 6))
		})
		time.Sleep(time.Minute)
		synctest.Wait()
		r.want("the other shard", r.results(), "6=0 ")
		e.open(0)
		synctest.Wait()
		r.want("later", r.results(), "1=0 2=0 3=0 4=0 ")
	})
}

// TestEveryLaneHasWork: the partitions of each shard are spread over all of its lanes and no other's.
func TestEveryLaneHasWork(t *testing.T) {
	e, _ := newShared()
	mails := 0
	for _, spec := range lane.New(e, lane.Options{Mail: 4}).Children() {
		if spec.Spec.Kind == lane.MailKind {
			mails++
		}
	}
	if mails != 8 {
		t.Errorf("%d lanes", mails)
	}
	seen := lane.Spread(e, 4)
	for i, n := range seen {
		if n != ident.Partitions/8 {
			t.Errorf("lane %d has %d partitions", i, n)
		}
	}
	for i, n := range lane.Spread(memstore.New(memstore.Options{}), 4) {
		if n != ident.Partitions/4 {
			t.Errorf("lane %d of one shard has %d partitions", i, n)
		}
	}
}

// TestFlush: the word comes when everything before it is in the store.
func TestFlush(t *testing.T) {
	run(t, lane.Options{Mail: 1}, func(r *rig) {
		r.do(func(ctx *actors.Context) {
			must(r, r.lanes.Append(ctx, r.message(1)))
			must(r, r.lanes.Acknowledge(ctx, romeo, []store.Ack{ack(2)}))
			must(r, r.lanes.Flush(ctx, romeo, 7))
		})
		r.want("commits", r.commits(), "[1+1]")
		heard := r.heard()
		if f, ok := heard[len(heard)-1].(*lane.Flushed); !ok || f.Tag != 7 {
			t.Errorf("heard %v", heard)
		}
		r.asker.Skip()
	})
}
