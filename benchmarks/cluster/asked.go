package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

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

// asked is what the store was asked about each user, as the database has it: the statements that read something of one user. Those that are sent
// together with another are one request with that.
type asked map[string][]string

// alongside are the beginnings of statements that a mailbox's load sends along with the one for its rows: who has acknowledged what, and the
// first bodies. Accounts have a database of their own here.
var alongside = []string{"SELECT msgid, device FROM mail_ack", "SELECT msgid, body FROM ("}

// statement notes one.
func (a asked) statement(s testpg.Statement) {
	if !strings.HasPrefix(s.SQL, "SELECT ") || slices.ContainsFunc(alongside, func(begins string) bool { return strings.HasPrefix(s.SQL, begins) }) {
		return
	}
	for _, p := range s.Parameters {
		if text, ok := strings.CutPrefix(p, `\x`); ok {
			if user, err := hex.DecodeString(text); err == nil && strings.Contains(string(user), "@") {
				a[string(user)] = append(a[string(user)], fmt.Sprintf("%s %s: %s", s.At.Format("15:04:05.000"), s.By, s.SQL))
				return
			}
		}
	}
}

// read ends what Statements has begun, and takes what was asked from one time to another.
func (a asked) read(ctx context.Context, w *testpg.Statements, from, to time.Time) error {
	return w.Stop(ctx, func(s testpg.Statement) {
		if !s.At.Before(from.Truncate(time.Millisecond)) && !s.At.After(to) {
			a.statement(s)
		}
	})
}

// most returns how often the store was asked about the one about whom it was asked most often.
func (a asked) most() (n int) {
	for _, list := range a {
		n = max(n, len(list))
	}
	return n
}

// moreThan lists what it was asked about those about whom it was asked more often than that.
func (a asked) moreThan(times int) (list []string) {
	for user, statements := range a {
		if len(statements) > times {
			list = append(list, user+"\n\t"+strings.Join(statements, "\n\t"))
		}
	}
	slices.Sort(list)
	return list
}

// String says about how many users it was asked how often.
func (a asked) String() string {
	users := make([]int, a.most()+1)
	for _, list := range a {
		users[len(list)]++
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
