package lane_test

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/lane"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/store/memstore"
)

// reader is a mailbox as far as reloads are concerned: it answers them when it is told to.
type reader struct {
	mu     sync.Mutex
	asked  []*lane.Reload
	silent bool
}

// Init implements actors.Behaviour.
func (b *reader) Init(*actors.Context, any) error { return nil }

// Handle implements actors.Behaviour.
func (b *reader) Handle(ctx *actors.Context, msg any) error {
	switch m := msg.(type) {
	case *lane.Reload:
		b.mu.Lock()
		defer b.mu.Unlock()
		b.asked = append(b.asked, m)
		if !b.silent {
			return ctx.Answer(m.From, &lane.Reloaded{Mailbox: romeo, Tag: m.Tag})
		}
	case string:
		ctx.Stop(actors.Normal)
	}
	return nil
}

// be makes it silent, or not.
func (b *reader) be(silent bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.silent = silent
}

func (b *reader) heard() []*lane.Reload {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.asked)
}

func (b *reader) took() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := len(b.asked)
	b.asked = nil
	return n
}

// foreign runs a test with a running mailbox of romeo's, claimed by this node, and a twin that writes to it.
func foreign(t *testing.T, test func(r *rig, e *shared, b *reader, write func(n int))) {
	e, twin := newShared()
	runOn(t, e, lane.Options{}, func(r *rig) {
		b := &reader{}
		ref := actors.Ref{Kind: store.MailKind, ID: string(romeo)}
		spec := actors.Spec{Kind: store.MailKind, New: func() actors.Behaviour { return b }}
		if _, err := r.sys.Spawn(spec, ref, nil, owner{}); err != nil {
			t.Fatal(err)
		}
		r.lanes.Claim([]ident.Partition{store.MailPartition(romeo)}, func(error) {})
		synctest.Wait()
		if b.took() != 1 {
			t.Error("a mailbox that runs isn't told that its partition is this node's now")
		}
		e.logged()
		test(r, e, b, func(n int) { write(t, twin, n) })
		if r.sys.Alive(ref) {
			r.stopActor(ref)
		}
	})
}

func write(t *testing.T, n *memstore.Node, i int) {
	t.Helper()
	if _, err := n.Mail().Commit(&store.Batch{Appends: []store.Append{{Mailbox: romeo, ID: id(i), Body: []byte("x")}}}); err != nil {
		t.Fatal(err)
	}
}

func wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// TestReload: a mailbox is told once of what a twin wrote, and the notices go after it has loaded, not before.
func TestReload(t *testing.T) {
	foreign(t, func(r *rig, e *shared, b *reader, write func(int)) {
		write(1)
		write(2)
		wait(time.Second)
		if b.took() != 1 || e.logged() != "[done [1 2]]" || r.lanes.Counters.Foreign.Load() != 2 {
			t.Error("the mailbox was not told once, or the notices are still there")
		}
		b.be(true)
		write(3)
		wait(5 * time.Second)
		asked := b.heard()
		if b.took() != 1 || e.logged() != "[]" {
			t.Error("notices were removed before the mailbox had answered")
		}
		write(4) // not covered by the reload that is under way
		wait(2 * time.Second)
		r.do(func(ctx *actors.Context) {
			must(r, ctx.Answer(asked[0].From, &lane.Reloaded{Mailbox: romeo, Tag: asked[0].Tag}))
		})
		if got := e.logged(); got != "[done [3]]" {
			t.Errorf("removed %s", got)
		}
		b.be(false)
		wait(time.Second)
		if b.took() != 1 || e.logged() != "[done [4]]" {
			t.Error("what came meanwhile was forgotten")
		}
		wait(10 * time.Second)
		if b.took() != 0 || e.logged() != "[]" {
			t.Error("it has no end")
		}
	})
}

// TestReloadIsRepeated: a mailbox that doesn't answer is asked again, and so is one whose notices could not be removed.
func TestReloadIsRepeated(t *testing.T) {
	foreign(t, func(r *rig, e *shared, b *reader, write func(int)) {
		b.be(true)
		write(1)
		wait(lane.ReloadTime + 2*time.Second)
		if n := b.took(); n != 2 {
			t.Errorf("asked %d times", n)
		}
		b.be(false)
		e.fails(errors.New("no connection"))
		wait(lane.ReloadTime + 5*time.Second)
		if n := b.took(); n != 2 {
			t.Errorf("asked %d times", n)
		}
		if got := e.logged(); got != "[done [1] done [1]]" {
			t.Errorf("removed %s", got)
		}
	})
}

// TestNobodyToReload: a mailbox that doesn't run needs no word: it isn't started for that.
func TestNobodyToReload(t *testing.T) {
	foreign(t, func(r *rig, e *shared, b *reader, write func(int)) {
		ref := actors.Ref{Kind: store.MailKind, ID: string(romeo)}
		r.stopActor(ref)
		write(1)
		wait(time.Second)
		if b.took() != 0 || e.logged() != "[done [1]]" || r.sys.Alive(ref) {
			t.Error("who doesn't run was told, or the notice stays")
		}
	})
}

// TestWalkOfOwned: only the partitions of this node are searched for expired rows, which it may be asked at every page.
func TestWalkOfOwned(t *testing.T) {
	var owned atomic.Value
	owned.Store([]ident.Partition{})
	opts := lane.Options{WalkEvery: time.Minute, Owned: func() []ident.Partition { return owned.Load().([]ident.Partition) }}
	run(t, opts, func(r *rig) {
		told := &tally{rows: map[string]int{}}
		ref := actors.Ref{Kind: store.MailKind, ID: string(romeo)}
		spec := actors.Spec{Kind: store.MailKind, New: func() actors.Behaviour { return &listener{told} }}
		if _, err := r.sys.Spawn(spec, ref, nil, owner{}); err != nil {
			t.Fatal(err)
		}
		b := &store.Batch{Appends: []store.Append{{Mailbox: romeo, ID: id(1), TTL: time.Second, Body: []byte("x")}}}
		if _, err := r.e.Engine.Mail().Commit(b); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			owned []ident.Partition
			want  string
		}{
			{nil, "map[]"},
			{[]ident.Partition{store.MailPartition(romeo) ^ 1}, "map[]"},
			{[]ident.Partition{4000, store.MailPartition(romeo), 7}, "map[romeo@example.org:1]"},
		} {
			owned.Store(c.owned)
			wait(time.Minute + time.Second)
			if told.String() != c.want {
				t.Errorf("of %v: told %s", c.owned, told)
			}
		}
		r.stopActor(ref)
	})
}
