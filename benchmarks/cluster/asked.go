package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/jackdaw-im/jackdaw/internal/testcluster"
	"github.com/jackdaw-im/jackdaw/internal/testpg"
)

// requests is what the nodes have asked the store, beside commits.
type requests struct{ reads, mailboxes, bodies, directory float64 }

// requests sums up what all nodes but one have asked, as they count it.
func (r *round) requests(ctx context.Context, but *testcluster.Node) (sum requests, err error) {
	for _, n := range r.c.Nodes {
		if n == but {
			continue
		}
		m, err := n.Metrics(ctx)
		if err != nil {
			return sum, err
		}
		sum.reads += testcluster.Sum(m, "jackdaw_store_requests_total")
		sum.mailboxes += m[`jackdaw_store_requests_total{kind="mailbox"}`]
		sum.bodies += m[`jackdaw_store_requests_total{kind="bodies"}`]
		sum.directory += m[`jackdaw_store_requests_total{kind="directory"}`]
	}
	return sum, nil
}

// asked is how often the store was asked about each user, as the database has it: the statements that read something of one user. Those that
// are sent together with another are one request with that.
type asked map[string]int

// alongside are the beginnings of statements that a mailbox's load sends along with the one for its rows: who has acknowledged what, and the
// first bodies. Accounts have a database of their own here.
var alongside = []string{"SELECT msgid, device FROM mail_ack", "SELECT msgid, body FROM ("}

// statement notes one.
func (a asked) statement(sql string, parameters []string) {
	if !strings.HasPrefix(sql, "SELECT ") || slices.ContainsFunc(alongside, func(s string) bool { return strings.HasPrefix(sql, s) }) {
		return
	}
	for _, p := range parameters {
		if text, ok := strings.CutPrefix(p, `\x`); ok {
			if user, err := hex.DecodeString(text); err == nil && strings.Contains(string(user), "@") {
				a[string(user)]++
				return
			}
		}
	}
}

// read ends what Statements has begun.
func (a asked) read(ctx context.Context, w *testpg.Statements) error { return w.Stop(ctx, a.statement) }

// most returns how often the store was asked about the one about whom it was asked most often.
func (a asked) most() (n int) {
	for _, times := range a {
		n = max(n, times)
	}
	return n
}

// String says about how many users it was asked how often.
func (a asked) String() string {
	users := make([]int, a.most()+1)
	for _, times := range a {
		users[times]++
	}
	var parts []string
	for times := 1; times < len(users); times++ {
		parts = append(parts, fmt.Sprintf("%d %s", users[times], [...]string{"once", "twice", "three times"}[min(times-1, 2)]))
		if times > 3 {
			parts[len(parts)-1] = fmt.Sprintf("%d %d times", users[times], times)
		}
	}
	return strings.Join(parts, ", ")
}
