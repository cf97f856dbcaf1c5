package pgstore_test

import (
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

// TestExpiryByTwoClocks: a row is over once the database's clock and that of the node that asks say so, the latter give or take a minute.
func TestExpiryByTwoClocks(t *testing.T) {
	const hour, month = time.Hour, 31 * 24 * time.Hour
	r := newRig(t, nil)
	u := ident.UserID("romeo@example.org")
	_, err := r.Mail().Commit(&store.Batch{Appends: []store.Append{{Mailbox: u, ID: ident.MessageID{1}, Ord: 1, Sender: "juliet@example.org", TTL: hour, Body: []byte("x")}}})
	must(t, err)
	for _, c := range []struct {
		what           string
		database, node time.Duration
		over           bool
	}{
		{"both are right", 0, 0, false},
		{"the database's jumps ahead", month, 0, false},
		{"the database's goes back", -month, 0, false},
		{"the node's jumps ahead", 0, month, false},
		{"the node's goes back", 0, -hour, false},
		{"the database's is ahead as it nears its end", hour + 10*time.Minute, hour - 10*time.Minute, false},
		{"they differ by less than a minute", hour + 15*time.Second, hour - 30*time.Second, true},
		{"it is over", 2 * hour, 2 * hour, true},
		{"the database's jumps ahead when it is over", month, 2 * hour, true},
		{"the database's goes back when it is over", 0, 2 * hour, false},
		{"the node's jumps ahead when it is over", 2 * hour, month, true},
		{"the node's goes back when it is over", 2 * hour, hour / 2, false},
	} {
		r.shift.Store(int64(c.node))
		r.apart.Store(int64(c.database - c.node))
		page, err := r.Mail().Expired(bg, store.ExpiredQuery{Limit: 10})
		for err == nil && page.Next != "" && len(page.Rows) == 0 {
			page, err = r.Mail().Expired(bg, store.ExpiredQuery{Limit: 10, After: page.Next})
		}
		must(t, err)
		if over := len(page.Rows) == 1; over != c.over || len(page.Rows) > 1 {
			t.Errorf("%s: %d rows are over", c.what, len(page.Rows))
		}
	}
}
