package storetest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

// Fixture is one empty store under test.
type Fixture struct {
	Engine store.Engine
	// Reopen closes the engine and opens the same store again. Nil for an engine that forgets.
	Reopen func(t *testing.T) store.Engine
	// Advance moves the store's clock.
	Advance func(d time.Duration)
	// SetFree makes the engine believe, before it returns, that so many bytes are free. Nil if it doesn't look.
	SetFree func(bytes uint64)
}

// Open makes an empty store, which it closes when the test ends.
type Open func(t *testing.T) *Fixture

var bg = context.Background()

// must ends the test at an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// want ends the test unless err is the error, or nil, that is wanted.
func want(t testing.TB, err, wanted error) {
	t.Helper()
	if !errors.Is(err, wanted) {
		t.Fatalf("error %v, want %v", err, wanted)
	}
}

// ID makes a message id of a number.
func ID(n int) ident.MessageID {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(n))
	return ident.HashMessageID(b[:])
}

// user makes a user id of a number.
func user(n int) ident.UserID { return ident.UserID(fmt.Sprintf("user%d@test.example", n)) }

// msg makes an append of a number, with a body that tells it.
func msg(mailbox ident.UserID, n int) store.Append {
	return store.Append{Mailbox: mailbox, ID: ID(n), Ord: int64(n), Sender: "sender@test.example", CSeq: uint64(n), Body: body(mailbox, n)}
}

func body(mailbox ident.UserID, n int) []byte {
	return fmt.Appendf(nil, "message %d of %s", n, mailbox)
}

func commit(t testing.TB, e store.Engine, b store.Batch) store.Result {
	t.Helper()
	r, err := e.Mail().Commit(&b)
	must(t, err)
	if len(r.Stale) > 0 {
		t.Fatalf("stale partitions %v in a store that nobody shares", r.Stale)
	}
	return r
}

func appendAll(t testing.TB, e store.Engine, mailbox ident.UserID, ns ...int) {
	t.Helper()
	var b store.Batch
	for _, n := range ns {
		b.Appends = append(b.Appends, msg(mailbox, n))
	}
	if r := commit(t, e, b); len(r.Duplicates) > 0 {
		t.Fatalf("fresh messages are duplicates: %v", r.Duplicates)
	}
}

// Rows returns the rows of a mailbox, for tests that want to see nothing else of it.
func Rows(ctx context.Context, e store.Engine, mailbox ident.UserID) ([]store.Row, error) {
	m, err := e.Mail().Load(ctx, mailbox, store.Page{})
	if err != nil {
		return nil, err
	}
	return m.Rows, nil
}

func index(t testing.TB, e store.Engine, mailbox ident.UserID) []store.Row {
	t.Helper()
	rows, err := Rows(bg, e, mailbox)
	must(t, err)
	return rows
}

// ords are the Ords of a mailbox in the order of its index.
func ords(t testing.TB, e store.Engine, mailbox ident.UserID) []int64 {
	t.Helper()
	var out []int64
	for _, r := range index(t, e, mailbox) {
		out = append(out, r.Ord)
	}
	return out
}

func account(u ident.UserID) store.Account {
	s := func(p string) store.Scram {
		return store.Scram{Salt: []byte(p + "salt"), Iterations: 4096, StoredKey: []byte(p + "stored"), ServerKey: []byte(p + "server")}
	}
	return store.Account{User: u, SHA1: s("1-"), SHA256: s("256-"), Created: time.UnixMicro(1_700_000_000_123_456).UTC()}
}

func create(t testing.TB, e store.Engine, users ...ident.UserID) {
	t.Helper()
	for _, u := range users {
		a := account(u)
		must(t, e.Directory().Accounts().Create(&a))
	}
}
