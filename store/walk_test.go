package store_test

import (
	"testing"

	"github.com/jackdaw-im/jackdaw/store"
)

func TestPartWords(t *testing.T) {
	seen := map[string]bool{}
	for p := range store.Parts {
		if seen[p.String()] || p.String() == "" || p.String() == "unknown" {
			t.Errorf("part %d is called %q", p, p)
		}
		seen[p.String()] = true
	}
	if store.Parts.String() != "unknown" {
		t.Errorf("what is no part is called %q", store.Parts)
	}
}

func TestWalkQueryFull(t *testing.T) {
	for _, c := range []struct {
		q             store.WalkQuery
		entries, size int
		want          bool
	}{
		{store.WalkQuery{}, 1 << 30, 1 << 30, false},
		{store.WalkQuery{Limit: 2}, 1, 1 << 30, false},
		{store.WalkQuery{Limit: 2}, 2, 0, true},
		{store.WalkQuery{Bytes: 100}, 1, 99, false},
		{store.WalkQuery{Bytes: 100}, 1, 100, true},
		{store.WalkQuery{Limit: 5, Bytes: 100}, 5, 1, true},
	} {
		if got := c.q.Full(c.entries, c.size); got != c.want {
			t.Errorf("%+v with %d entries of %d bytes: %v", c.q, c.entries, c.size, got)
		}
	}
}

func TestEntrySizeCountsWhatIsLarge(t *testing.T) {
	big := make([]byte, 1000)
	for name, e := range map[string]store.Entry{
		"message":   {Mail: &store.MailEntry{Body: big}},
		"log":       {Log: &store.LogEntry{GroupEntry: store.GroupEntry{Body: big}}},
		"group":     {Group: &store.Group{Settings: big}},
		"contact":   {Contact: &store.RosterItem{Request: big}},
		"block":     {Block: string(big)},
		"long name": {Owner: string(big)},
	} {
		if n := e.Size(); n < 1000 || n > 1200 {
			t.Errorf("%s: %d bytes", name, n)
		}
	}
}
