package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

// The crash tests run this workload: each writer appends messages to mailboxes that it shares with the others, deletes
// most of them later, changes a roster of its own and appends to the log of a group of its own. What the store has
// acknowledged, and what is about to be deleted, goes into a ledger, with which the store is compared after the crash.
const (
	crashWriters   = 4
	crashMailboxes = 40
	crashSpan      = 1_000_000_000 // message numbers of one writer
)

// An event is one line of a ledger.
type event struct {
	kind byte // 'A' appends acknowledged, 'D' deletes about to be asked for, 'R' roster revision, 'G' group entries acknowledged
	ns   []int
}

// ledger collects events in the order in which they happened.
type ledger struct {
	// pause is held for writing while nothing is to happen: writers wait before their next event.
	pause sync.RWMutex
	mu    struct {
		sync.Mutex
		events []event
		grown  *sync.Cond
		ended  bool
	}
}

func newLedger() *ledger {
	l := &ledger{}
	l.mu.grown = sync.NewCond(&l.mu)
	return l
}

func (l *ledger) add(kind byte, ns ...int) {
	l.pause.RLock()
	defer l.pause.RUnlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.events = append(l.mu.events, event{kind, ns})
	l.mu.grown.Broadcast()
}

// paused calls f while the writers stand still, so that the store doesn't grow while a picture of it is looked at.
func (l *ledger) paused(f func()) {
	l.pause.Lock()
	defer l.pause.Unlock()
	f()
}

func (l *ledger) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.mu.events)
}

// wait returns once there are n events, or the writers have ended.
func (l *ledger) wait(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.mu.events) < n && !l.mu.ended {
		l.mu.grown.Wait()
	}
}

func (l *ledger) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.ended = true
	l.mu.grown.Broadcast()
}

// promise is what the store must hold: all that was acknowledged before a moment and was not about to be deleted until
// a later one.
type promise struct {
	rows   map[int]bool
	roster map[int]uint64 // by writer
	groups map[int]bool
}

// promise reads the ledger's first n events for what was acknowledged, and the first upto for deletes.
func (l *ledger) promise(n, upto int) promise {
	l.mu.Lock()
	events := l.mu.events[:upto]
	l.mu.Unlock()
	p := promise{rows: map[int]bool{}, roster: map[int]uint64{}, groups: map[int]bool{}}
	for i, e := range events {
		switch {
		case e.kind == 'D':
			for _, m := range e.ns {
				delete(p.rows, m)
			}
		case i >= n:
		case e.kind == 'A':
			for _, m := range e.ns {
				p.rows[m] = true
			}
		case e.kind == 'R':
			p.roster[e.ns[0]] = uint64(e.ns[1])
		case e.kind == 'G':
			for _, m := range e.ns {
				p.groups[m] = true
			}
		}
	}
	return p
}

func crashBox(n int) ident.UserID    { return user(n % crashMailboxes) }
func crashRoster(w int) ident.UserID { return user(1000 + w) }
func crashGroup(w int) ident.GroupID { return ident.GroupID(fmt.Sprintf("group%d@x", w)) }
func crashMsg(n int) store.Append    { return msg(crashBox(n), n) }
func crashNumbers(w, from, k int) []int {
	var ns []int
	for i := range k {
		ns = append(ns, w*crashSpan+from+i)
	}
	return ns
}

// prepareCrash makes what the writers change, unless it is there.
func prepareCrash(e store.Engine) error {
	for w := range crashWriters {
		if _, err := e.Directory().Accounts().Put([]store.Account{account(crashRoster(w))}); err != nil {
			return err
		}
		if _, err := e.Directory().Groups().Group(bg, crashGroup(w)); err == nil {
			continue
		}
		if err := e.Directory().Groups().Create(&store.Group{ID: crashGroup(w)}, nil); err != nil {
			return err
		}
	}
	return nil
}

// write is one writer, from the given message number on, until stop says so or the store fails.
func write(e store.Engine, w, from int, add func(kind byte, ns ...int), stop func() bool) error {
	rng := rand.New(rand.NewPCG(uint64(w), uint64(from)))
	profile, err := e.Directory().Accounts().Account(bg, crashRoster(w))
	if err != nil {
		return err
	}
	rev := profile.Roster.Rev
	var live []int
	for next := from; !stop(); {
		var b store.Batch
		ns := crashNumbers(w, next, 1+rng.IntN(12))
		next += len(ns)
		for _, n := range ns {
			b.Appends = append(b.Appends, crashMsg(n))
		}
		var gone []int
		for len(live) > 40 {
			gone, live = append(gone, live[0]), live[1:]
		}
		for _, n := range gone {
			b.Acks = append(b.Acks, store.Ack{Mailbox: crashBox(n), ID: ID(n), Delete: true})
		}
		add('D', gone...)
		if _, err := e.Mail().Commit(&b); err != nil {
			return err
		}
		add('A', ns...)
		live = append(live, ns...)
		switch rng.IntN(4) {
		case 0:
			if rev, err = e.Directory().Rosters().SetItem(crashRoster(w), rev, store.RosterItem{Contact: user(int(rev % 50)), Listed: true}); err != nil {
				return err
			}
			add('R', w, int(rev))
		case 1:
			_, err := e.GroupLog().Commit(&store.GroupBatch{Appends: []store.GroupAppend{groupMsg(crashGroup(w), 1, ns[0])}})
			if err != nil {
				return err
			}
			add('G', ns[0])
		}
	}
	return nil
}

// check compares a store that was opened after a crash with what it has promised. It says what is lost, and what is there
// that nobody wrote.
func (p promise) check(t testing.TB, e store.Engine, when string) {
	t.Helper()
	found := map[int]bool{}
	for m := range crashMailboxes {
		rows := index(t, e, user(m))
		var ids []ident.MessageID
		for _, r := range rows {
			ids = append(ids, r.ID)
		}
		bodies, err := e.Mail().Read(bg, user(m), ids)
		must(t, err)
		for i, r := range rows {
			n := int(r.Ord)
			if r.ID != ID(n) || crashBox(n) != user(m) || !bytes.Equal(bodies[i], body(user(m), n)) || r.Size != len(bodies[i]) {
				t.Fatalf("%s: row %+v with body %q is not what was written", when, r, bodies[i])
			}
			found[n] = true
		}
	}
	missing(t, when+": messages", p.rows, found)
	logged := map[int]bool{}
	for w := range crashWriters {
		for _, n := range unfinished(t, e, crashGroup(w)) {
			logged[int(n)] = true
		}
		var r store.Roster
		profile, err := e.Directory().Accounts().Account(bg, crashRoster(w))
		if !errors.Is(err, store.ErrNotFound) || p.roster[w] > 0 {
			must(t, err)
			r = profile.Roster
		}
		if wanted := p.roster[w]; r.Rev < wanted || r.Rev > 0 && len(r.Items) != min(int(r.Rev), 50) {
			t.Fatalf("%s: roster at revision %d with %d items, acknowledged was %d", when, r.Rev, len(r.Items), wanted)
		}
	}
	missing(t, when+": group entries", p.groups, logged)
}

func missing(t testing.TB, what string, wanted, found map[int]bool) {
	t.Helper()
	lost := 0
	for n := range wanted {
		if !found[n] {
			lost++
			t.Errorf("%s: %d (writer %d) was acknowledged and is lost", what, n, n/crashSpan)
			if lost == 5 {
				break
			}
		}
	}
	if lost > 0 {
		t.FailNow()
	}
}
