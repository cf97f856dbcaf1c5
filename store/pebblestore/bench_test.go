package pebblestore_test

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/store/pebblestore"
	"github.com/jackdaw-im/jackdaw/store/storetest"
)

func openBench(b *testing.B) *pebblestore.Engine {
	b.Helper()
	e, err := pebblestore.Open("pebble:"+b.TempDir(), pebblestore.Options{Ballast: -1})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = e.Close() })
	return e
}

// BenchmarkAppend appends to many mailboxes, and waits for the flush.
func BenchmarkAppend(b *testing.B) {
	storetest.BenchAppend(b, openBench(b), func() []storetest.Used {
		var u unix.Rusage
		if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return []storetest.Used{{By: "cpu", Time: time.Duration(u.Utime.Nano() + u.Stime.Nano())}}
	})
}

// BenchmarkDrain reads whole mailboxes and deletes what is in them.
func BenchmarkDrain(b *testing.B) { storetest.BenchDrain(b, openBench(b), 2000) }

// BenchmarkMailboxInfo is what the activation of a mailbox without mail reads.
func BenchmarkMailboxInfo(b *testing.B) {
	e := openBench(b)
	const accounts = 10_000
	var list []store.Account
	for n := range accounts {
		list = append(list, store.Account{User: ident.UserID(fmt.Sprintf("user%06d@bench.example", n)), SHA256: store.Scram{Salt: make([]byte, 16), StoredKey: make([]byte, 32), ServerKey: make([]byte, 32)}})
	}
	if _, err := e.Directory().Accounts().Put(list); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		u := list[n*7919%accounts].User
		if m, err := e.Mail().Load(b.Context(), u, store.Page{}); err != nil || !m.User.Exists {
			b.Fatal(m, err)
		}
	}
}
