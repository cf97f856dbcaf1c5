package pgstore_test

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/internal/testpg"
	"github.com/jackdaw-im/jackdaw/store"
	"github.com/jackdaw-im/jackdaw/store/pgstore"
)

var seed = flag.Uint64("seed", 0, "what the operations of TestLinearizable are made of; 0: another one each time")

// history is what some clients of one directory have done. Its time counts calls and returns.
type history struct {
	t       testing.TB
	clock   atomic.Int64
	answers atomic.Int64 // operations that had an answer
	mu      struct {
		sync.Mutex
		ops              []porcupine.Operation
		unknown, refused int
	}
	clients []*client
	working sync.WaitGroup
	stopped atomic.Bool
}

// client does one operation after the other, by one engine.
type client struct {
	h        *history
	id, name int // name is another one after each unknown outcome, as what had that is still at work
	accounts store.Accounts
	rng      *rand.Rand
	writes   int
	seen     map[ident.UserID]uint64 // the latest revisions
}

// The sizes of TestLinearizable.
const (
	engines   = 3
	perEngine = 2
	workers   = engines * perEngine
)

var linearUsers = []ident.UserID{"a@x", "b@x", "c@x"}

func newHistory(t testing.TB, seed uint64, all []*pgstore.Engine) *history {
	h := &history{t: t}
	for n := range perEngine * len(all) {
		h.clients = append(h.clients, &client{h: h, id: n, name: n, accounts: all[n%len(all)].Directory().Accounts(),
			rng: rand.New(rand.NewPCG(seed, uint64(n))), seen: map[ident.UserID]uint64{}})
	}
	return h
}

// start lets all clients work until each has had so many answers, or has been left without one so many times.
func (h *history) start(answers, misses int) {
	for _, c := range h.clients {
		h.working.Go(func() {
			pause := time.NewTicker(5 * time.Millisecond)
			defer pause.Stop()
			for n, missed := 0, 0; n < answers && missed < misses && !h.stopped.Load(); {
				if c.act(c.choose()) {
					n++
					continue
				}
				missed++
				<-pause.C
			}
		})
	}
}

// wait waits for what start has begun.
func (h *history) wait() { h.working.Wait() }

// calm lets all clients work while nothing fails, and makes sure that they could.
func (h *history) calm(when string) {
	h.t.Helper()
	before := h.answers.Load()
	h.start(60, 100)
	h.wait()
	if n := h.answers.Load() - before; n < workers*30 {
		h.t.Errorf("%s: only %d operations were answered", when, n)
	}
}

// choose makes the next request.
func (c *client) choose() request {
	q := request{user: linearUsers[c.rng.IntN(len(linearUsers))]}
	switch n := c.rng.IntN(20); {
	case n < 7:
		q.action = read
		return q
	case n < 10:
		q.action = remove
		return q
	case n < 13:
		q.action = create
	case n < 15:
		q.action = put
	default:
		q.action, q.rev = update, max(c.seen[q.user], 1)
	}
	c.writes++
	q.content = c.writes*workers + c.id
	return q
}

// act makes a request, and reports whether it was answered.
func (c *client) act(q request) bool {
	op := porcupine.Operation{ClientId: c.name, Input: q, Call: c.h.clock.Add(1)}
	a, err := c.call(q)
	op.Return = c.h.clock.Add(1)
	var ok bool
	a.err, ok = known(err)
	if ok {
		c.h.answers.Add(1)
		c.seen[q.user] = cmp.Or(a.rev, c.seen[q.user])
		c.h.note(op, a)
		return true
	}
	if store.IsOwn(err) {
		c.h.t.Errorf("%v: %v", q, err)
	}
	if q.action == read {
		return false
	}
	if errors.Is(err, pgstore.ErrUnreplicated) && !strings.Contains(err.Error(), "the outcome is unknown") {
		c.h.mu.Lock()
		defer c.h.mu.Unlock()
		c.h.mu.refused++ // nothing was stored, so it isn't in the history: that what it holds is seen is then a fault
		return false
	}
	op.Return = never
	c.h.note(op, answer{unknown: true})
	c.name += workers
	return false
}

func (h *history) note(op porcupine.Operation, a answer) {
	op.Output = a
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mu.ops = append(h.mu.ops, op)
	if a.unknown {
		h.mu.unknown++
	}
}

// call makes a request of the store.
func (c *client) call(q request) (a answer, err error) {
	account := accountOf(q.user, q.content)
	switch q.action {
	case create:
		return a, c.accounts.Create(&account)
	case put:
		n, err := c.accounts.Put([]store.Account{account})
		return answer{created: n == 1}, err
	case update:
		account.Rev = q.rev
		a.rev, err = c.accounts.Update(&account)
		return a, err
	case remove:
		return a, c.accounts.Remove(q.user)
	}
	got, err := c.look(q.user)
	if err != nil {
		return a, err
	}
	a = answer{rev: got.Rev, content: got.SHA1.Iterations}
	got.Rev = 0
	if !reflect.DeepEqual(*got, accountOf(q.user, a.content)) {
		c.h.t.Errorf("an account of which no write has made all: %+v", *got)
	}
	return a, nil
}

// look reads an account in one of the ways that there are.
func (c *client) look(user ident.UserID) (*store.Account, error) {
	ctx := context.Background()
	switch c.rng.IntN(4) {
	case 0: // the first account from it on, which may be another one
		last := len(user) - 1
		list, err := c.accounts.List(ctx, user[:last]+ident.UserID(user[last]-1), 1)
		if err != nil {
			return nil, err
		}
		if len(list) == 0 || list[0].User != user {
			return nil, store.ErrNotFound
		}
		return &list[0], nil
	case 1:
		x, err := c.accounts.Export(ctx, user)
		if err != nil {
			return nil, err
		}
		return &x.Account, nil
	}
	p, err := c.accounts.Account(ctx, user)
	if err != nil {
		return nil, err
	}
	return &p.Account, nil
}

// check looks for an order of all operations. A failure leaves the history among the test's artifacts (go test -artifacts).
func (h *history) check(seed uint64) {
	h.t.Helper()
	h.stopped.Store(true) // if the test ended early
	h.wait()
	h.t.Logf("seed %d: %d answers; %d outcomes are unknown, %d writes were refused", seed, h.answers.Load(), h.mu.unknown, h.mu.refused)
	wrong := unordered(h.mu.ops)
	if wrong == nil {
		return
	}
	name := filepath.Join(h.t.ArtifactDir(), fmt.Sprintf("linear-%d", seed))
	_, info := porcupine.CheckOperationsVerbose(directoryModel, h.mu.ops, checkLimit)
	err := porcupine.VisualizePath(directoryModel, info, name+".html")
	slices.SortFunc(h.mu.ops, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
	var text strings.Builder
	for _, op := range h.mu.ops {
		fmt.Fprintln(&text, line(op))
	}
	err = errors.Join(err, os.WriteFile(name+".txt", []byte(text.String()), 0o644))
	h.t.Errorf("seed %d: there is no order in which each answer is right (all of it: %s.html and .txt, %v)\n%s", seed, name, err, strings.Join(wrong, "\n"))
}

// writable waits until all engines take changes again.
func writable(t testing.TB, all []*pgstore.Engine) {
	t.Helper()
	for i, e := range all {
		probe := store.Account{User: ident.UserID(fmt.Sprintf("probe%d@x", i))}
		eventually(t, "an account is made and removed", func() bool {
			_, err := e.Directory().Accounts().Put([]store.Account{probe})
			return err == nil && e.Directory().Accounts().Remove(probe.User) == nil && e.Health().State == store.Serving
		})
	}
}

// drained waits until a standby has all that its primary, which is gone, has sent.
func drained(t testing.TB, s *testpg.Server) {
	t.Helper()
	must(t, s.Until(t.Context(), "SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming'", "0"))
}

// TestLinearizable: several nodes use one directory, whose primary is lost with its disk twice: at work, and while all writes wait for
// a standby that hangs. All answers are those of one directory that does one thing after the other.
func TestLinearizable(t *testing.T) {
	seed := cmp.Or(*seed, rand.Uint64())
	p := testpg.Run(t, testpg.Options{Standbys: 2, Settings: map[string]string{"wal_sender_timeout": "1min"}}) // what waits for a standby that hangs goes on waiting
	next, last := p.Standbys[0], p.Standbys[1]
	var all []*pgstore.Engine
	for n := range engines {
		check := time.Duration(1+4*n) * 50 * time.Millisecond // the later ones write a while to who has no standby before they see it
		all = append(all, openOn(t, pgstore.Options{Node: ident.NodeID(fmt.Sprintf("n%d@1", n)), Check: check}, p, next, last))
	}
	h := newHistory(t, seed, all)
	defer h.check(seed)

	h.start(80, 1)
	eventually(t, "half of the operations are answered", func() bool { return h.answers.Load() >= workers*40 })
	must(t, p.Destroy())
	h.wait()
	drained(t, next)
	drained(t, last)
	if received(t, last) > received(t, next) {
		next, last = last, next
	}
	must(t, next.Promote(t.Context()))
	h.start(20, 3) // while nothing is replicated
	must(t, last.Follow(t.Context(), next))
	must(t, next.Synchronous(t.Context(), last))
	h.wait()
	writable(t, all)
	h.calm("after the first promotion")

	last.Pause()
	unknown := h.mu.unknown
	h.start(1000, 1)
	must(t, next.Until(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' OR wait_event_type = 'Lock'", fmt.Sprint(workers)))
	must(t, next.Destroy())
	h.wait()
	if n := h.mu.unknown - unknown; n != workers {
		t.Errorf("%d outcomes are unknown of %d writes without a standby", n, workers)
	}
	last.Resume()
	drained(t, last)
	must(t, last.Promote(t.Context()))
	h.start(20, 3)
	standby, err := last.AddStandby(t.Context())
	must(t, err)
	must(t, last.Synchronous(t.Context(), standby))
	h.wait()
	writable(t, all)
	h.calm("after the second promotion")
	for _, c := range h.clients {
		for _, user := range linearUsers {
			if !c.act(request{action: read, user: user}) {
				t.Errorf("%s can't be read in the end", user)
			}
		}
	}
}
