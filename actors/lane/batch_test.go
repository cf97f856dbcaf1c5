package lane

import (
	"context"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/store/memstore"
	"github.com/jackdaw-im/jackdaw/store/storetest"
)

// TestBatchesMeanTheSame: gathered into batches, requests leave the store as they would have one by one, and every append
// is told exactly once.
func TestBatchesMeanTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		one, many := memstore.New(memstore.Options{}), memstore.New(memstore.Options{})
		var b batch
		told := map[uint64]int{}
		commit := func() {
			b.settle()
			if len(b.asked) != len(b.Appends) {
				t.Fatalf("%d requests of %d appends", len(b.asked), len(b.Appends))
			}
			for i, a := range b.asked {
				if a.ID != b.Appends[i].ID {
					t.Fatal("requests and appends are out of step")
				}
				told[a.Tag]++
			}
			for _, a := range b.gone {
				told[a.Tag]++
			}
			if _, err := many.Mail().Commit(&b.Batch); err != nil {
				t.Fatal(err)
			}
			b.reset()
			if !b.empty() || b.full() {
				t.Fatal("a batch that was reset holds something")
			}
		}
		each := func(one store.Mail, x *store.Batch) {
			if _, err := one.Commit(x); err != nil {
				t.Fatal(err)
			}
		}
		id := rapid.IntRange(1, 4)
		// A mailbox appends only what isn't a row of its own already: what annihilates was not in the store before.
		rows := map[ident.MessageID]bool{}
		for n := range rapid.IntRange(0, 40).Draw(t, "requests") {
			x := ident.MessageID{byte(id.Draw(t, "id"))}
			switch rapid.IntRange(0, 4).Draw(t, "what") {
			case 0, 1:
				if rows[x] {
					continue
				}
				rows[x] = true
				a := &Append{Tag: uint64(n), Append: store.Append{Mailbox: "romeo@x", ID: x, Ord: int64(n), Body: []byte{byte(n)}}}
				told[a.Tag] = 0
				if !b.fits(a) {
					commit()
				}
				b.append(a)
				each(one.Mail(), &store.Batch{Appends: []store.Append{a.Append}})
			case 2, 3:
				a := store.Ack{Mailbox: "romeo@x", ID: x, Delete: rapid.Bool().Draw(t, "delete"), Device: "phone"}
				if a.Delete {
					delete(rows, x)
				}
				b.ack(a)
				each(one.Mail(), &store.Batch{Acks: []store.Ack{a}})
			case 4:
				commit()
			}
		}
		commit()
		for tag, n := range told {
			if n != 1 {
				t.Fatalf("append %d was told %d times", tag, n)
			}
		}
		want, _ := storetest.Rows(context.Background(), one, "romeo@x")
		got, err := storetest.Rows(context.Background(), many, "romeo@x")
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("in batches %v\none by one %v, %v", got, want, err)
		}
	})
}

func TestBatchFits(t *testing.T) {
	sized := func(n byte, size int) *Append {
		return &Append{Append: store.Append{Mailbox: "romeo@x", ID: ident.MessageID{n}, Body: make([]byte, size)}}
	}
	var b batch
	if huge := sized(1, 2*maxBytes); !b.fits(huge) {
		t.Error("a message over the bound never fits")
	}
	b.append(sized(1, maxBytes-10))
	for _, c := range []struct {
		a    *Append
		want bool
	}{{sized(2, 10), true}, {sized(2, 11), false}, {sized(1, 1), false}} {
		if got := b.fits(c.a); got != c.want {
			t.Errorf("%d bytes of row %v: fits %v", len(c.a.Body), c.a.ID, got)
		}
	}
	b.ack(store.Ack{Mailbox: "romeo@x", ID: ident.MessageID{1}, Delete: true})
	if !b.fits(sized(2, maxBytes)) {
		t.Error("what has annihilated takes room")
	}
	if b.fits(sized(1, 1)) {
		t.Error("a row joins the batch that acknowledges it")
	}
	b.ack(store.Ack{Mailbox: "romeo@y", ID: ident.MessageID{2}, Delete: true})
	if !b.fits(sized(2, 1)) {
		t.Error("another mailbox's row is taken for this one's")
	}
}
