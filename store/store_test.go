package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

func TestCheckID(t *testing.T) {
	for _, c := range []struct {
		id string
		ok bool
	}{
		{"romeo@montague.example", true},
		{strings.Repeat("x", store.MaxID), true},
		{strings.Repeat("x", store.MaxID+1), false},
		{"", false},
		{"a\x00b", false},
	} {
		err := store.CheckID("user", c.id)
		if (err == nil) != c.ok || err != nil && !errors.Is(err, store.ErrInvalid) {
			t.Errorf("CheckID of %d bytes %.20q: %v", len(c.id), c.id, err)
		}
	}
	if store.CheckDevice("") != nil {
		t.Error("the empty device id is the account's one device")
	}
	if store.CheckMembers([]store.Member{{User: "romeo@x"}}) != nil || !errors.Is(store.CheckMembers([]store.Member{{User: "romeo@x"}, {}}), store.ErrInvalid) {
		t.Error("a member without a user can't be stored, others can")
	}
}

func TestValidateNamesTheFirstBadItem(t *testing.T) {
	good := store.Append{Mailbox: "romeo@x", Sender: "juliet@x"}
	for name, err := range map[string]error{
		"append without mailbox": (&store.Batch{Appends: []store.Append{good, {}}}).Validate(),
		"append, sender":         (&store.Batch{Appends: []store.Append{{Mailbox: "a", Sender: "\x00"}}}).Validate(),
		"ack without mailbox":    (&store.Batch{Acks: []store.Ack{{}}}).Validate(),
		"ack, device":            (&store.Batch{Acks: []store.Ack{{Mailbox: "a", Device: "\x00"}}}).Validate(),
		"group append":           (&store.GroupBatch{Appends: []store.GroupAppend{{}}}).Validate(),
		"group done":             (&store.GroupBatch{Done: []store.GroupDone{{}}}).Validate(),
	} {
		if !errors.Is(err, store.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	fine := store.Batch{Appends: []store.Append{good}, Acks: []store.Ack{{Mailbox: "romeo@x"}}}
	if err := fine.Validate(); err != nil {
		t.Error(err)
	}
}

func TestSubscriptionWords(t *testing.T) {
	for _, c := range []struct {
		to, from bool
		want     string
	}{{false, false, "none"}, {true, false, "to"}, {false, true, "from"}, {true, true, "both"}} {
		s := store.SubscriptionOf(c.to, c.from)
		if s.String() != c.want || s.To() != c.to || s.From() != c.from {
			t.Errorf("to %v, from %v: %v", c.to, c.from, s)
		}
	}
}

func TestVisible(t *testing.T) {
	for _, c := range []struct {
		item store.RosterItem
		want bool
	}{
		{store.RosterItem{PendingIn: true}, false},
		{store.RosterItem{Listed: true}, true},
		{store.RosterItem{Ask: true}, true},
		{store.RosterItem{Subscription: store.SubscriptionFrom}, true},
	} {
		if c.item.Visible() != c.want {
			t.Errorf("%+v: visible %v", c.item, c.item.Visible())
		}
	}
}

func TestGroupOutcomeErr(t *testing.T) {
	for o, want := range map[store.GroupOutcome]error{store.GroupAppended: nil, store.GroupDuplicate: nil,
		store.GroupStaleRevision: store.ErrRevision, store.GroupNotFound: store.ErrNotFound} {
		if !errors.Is(o.Err(), want) {
			t.Errorf("%d: %v", o, o.Err())
		}
	}
}

func TestStateWords(t *testing.T) {
	if store.Serving.String() != "serving" || store.Full.String() != "full" || store.Failed.String() != "failed" || store.Held.String() != "held" || store.State(9).String() != "unknown" {
		t.Error("the words of /readyz have changed")
	}
}

// MailPartition is part of the on-disk format: if this fails, the code is wrong, not the test.
func TestMailPartition(t *testing.T) {
	if got := store.MailPartition("romeo@montague.example"); got != ident.Partition(3757) {
		t.Errorf("partition %d", got)
	}
}

func TestIsOwn(t *testing.T) {
	for _, own := range []error{store.ErrRevision, store.ErrNotFound, store.ErrExists, store.ErrInvalid, store.ErrUnfinished, store.ErrFull, store.ErrCorrupt, store.ErrClosed} {
		if !store.IsOwn(fmt.Errorf("engine: %w", own)) {
			t.Errorf("%v isn't", own)
		}
	}
	if store.IsOwn(nil) || store.IsOwn(errors.New("else")) || store.IsOwn(store.ErrLocked) {
		t.Error("another error is")
	}
}
