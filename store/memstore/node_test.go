package memstore_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/store/memstore"
	"github.com/jackdaw-im/jackdaw/store/storetest"
)

func TestShared(t *testing.T) {
	storetest.Shared(t, func(*testing.T) storetest.OpenNode {
		e := memstore.New(memstore.Options{Shared: true})
		return func(t *testing.T, node string) store.Engine {
			n := e.Node(ident.NodeID(node))
			t.Cleanup(func() {
				if err := n.Close(); err != nil {
					t.Error(err)
				}
			})
			return n
		}
	})
}

const alice = ident.UserID("alice@x")

// shared is a store that two nodes use.
func shared(t *testing.T) (a, b *memstore.Node) {
	e := memstore.New(memstore.Options{Shared: true})
	if !e.Info().Shared || memstore.New(memstore.Options{}).Info().Shared {
		t.Error("the engine doesn't say whether it is shared")
	}
	return e.Node("a@1"), e.Node("b@1")
}

func put(t *testing.T, n *memstore.Node, id byte) store.Result {
	t.Helper()
	r, err := n.Mail().Commit(&store.Batch{Appends: []store.Append{{Mailbox: alice, ID: ident.MessageID{id}}}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func claim(t *testing.T, n *memstore.Node) {
	t.Helper()
	before := n.Owners()
	p := store.MailPartition(alice)
	if err := n.Claims().Claim([]ident.Partition{p}); err != nil {
		t.Fatal(err)
	}
	after := n.Owners()
	if before[p] == after[p] || after[p] == "" || before[0] != after[0] {
		t.Errorf("%s has claimed from %s", after[p], before[p])
	}
}

func notices(t *testing.T, n *memstore.Node) (ns []int64) {
	t.Helper()
	all, err := n.Claims().ForeignWrites(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range all {
		if w.Mailbox != alice {
			t.Errorf("a notice of %s", w.Mailbox)
		}
		ns = append(ns, w.N)
	}
	return ns
}

// TestForeignWrites: what a node appends elsewhere than where it has claimed stands, and is noticed by who has claimed it.
func TestForeignWrites(t *testing.T) {
	a, b := shared(t)
	claim(t, a)
	if r := put(t, a, 1); len(r.Stale) > 0 || len(notices(t, a)) > 0 {
		t.Errorf("stale %v, notices %v at the owner's own append", r.Stale, notices(t, a))
	}
	if r := put(t, b, 2); !slices.Equal(r.Stale, []ident.Partition{store.MailPartition(alice)}) {
		t.Errorf("stale %v", r.Stale)
	}
	rows, err := storetest.Rows(context.Background(), a, alice)
	if err != nil || len(rows) != 2 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	ns := notices(t, a)
	if len(ns) != 1 || len(notices(t, b)) != 0 {
		t.Fatalf("notices %v, %v", ns, notices(t, b))
	}
	claim(t, b)
	if len(notices(t, a)) != 0 || !slices.Equal(notices(t, b), ns) {
		t.Errorf("notices don't go with the claim: %v, %v", notices(t, a), notices(t, b))
	}
	if r := put(t, a, 3); len(r.Stale) != 1 {
		t.Error("a node doesn't hear that another has claimed")
	}
	if err := b.Claims().Done(ns); err != nil || len(notices(t, b)) != 1 {
		t.Errorf("error %v, notices %v", err, notices(t, b))
	}
}

// TestNodeCloses: one node's end is no matter of the others.
func TestNodeCloses(t *testing.T) {
	a, b := shared(t)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := a.Mail().Commit(&store.Batch{Appends: []store.Append{{Mailbox: alice}}})
	for _, err := range []error{err, a.Close(), a.Claims().Claim(nil), a.Claims().Done(nil)} {
		if !errors.Is(err, store.ErrClosed) {
			t.Errorf("error %v", err)
		}
	}
	if _, err := a.Claims().ForeignWrites(context.Background()); !errors.Is(err, store.ErrClosed) {
		t.Errorf("error %v", err)
	}
	put(t, b, 1)
}
