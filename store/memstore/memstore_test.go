package memstore_test

import (
	"errors"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/store/memstore"
	"github.com/jackdaw-im/jackdaw/store/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) *storetest.Fixture {
		now := time.UnixMicro(1_800_000_000_000_000)
		return &storetest.Fixture{
			Engine:  memstore.New(memstore.Options{Now: func() time.Time { return now }}),
			Advance: func(d time.Duration) { now = now.Add(d) },
		}
	})
}

// TestApart: what is in another store takes a request of its own.
func TestApart(t *testing.T) {
	e := memstore.New(memstore.Options{Apart: true})
	if err := e.Directory().Accounts().Create(&store.Account{User: "a@x"}); err != nil {
		t.Fatal(err)
	}
	if m, err := e.Mail().Load(t.Context(), "a@x", store.Page{}); err != nil || m.User != nil {
		t.Errorf("loaded %+v, %v", m, err)
	}
}

func TestOpenTakesItsOwnURLOnly(t *testing.T) {
	if _, err := memstore.Open("mem:", memstore.Options{}); err != nil {
		t.Error(err)
	}
	if _, err := memstore.Open("pebble:/x", memstore.Options{}); err == nil {
		t.Error("the url of another engine was taken")
	}
}

func TestSetFull(t *testing.T) {
	e := memstore.New(memstore.Options{})
	e.SetFull("on purpose")
	if h := e.Health(); h.State != store.Full || h.Reason != "on purpose" {
		t.Errorf("health %+v", h)
	}
	b := &store.Batch{Appends: []store.Append{{Mailbox: "a@x"}}}
	if _, err := e.Mail().Commit(b); !errors.Is(err, store.ErrFull) {
		t.Errorf("error %v", err)
	}
	e.SetFull("")
	if _, err := e.Mail().Commit(b); err != nil || e.Health().State != store.Serving {
		t.Errorf("error %v, health %+v", err, e.Health())
	}
}
