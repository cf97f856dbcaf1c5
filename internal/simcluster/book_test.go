package simcluster

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store/storetest"
)

// book is all that was said, and what became of it.
type book struct {
	mu      sync.Mutex
	all     map[ident.MessageID]*entry
	streams map[string][]*entry // by sender and recipient, in order
	seen    map[ident.UserID]int
	unknown []string // rows that nobody has sent, or for another
	parted  []parting
	errors  map[ident.UserID]int // that users got instead of their own messages
}

// parting is a time in which the order isn't promised.
type parting struct{ from, to time.Time }

// entry is one message.
type entry struct {
	from  string
	to    ident.UserID
	n     int
	at    time.Time
	code  nodepb.Code // its outcome; 0: its sender hasn't heard of it
	took  time.Duration
	times int // that it was delivered
	place int // among what its recipient saw, by the first time
}

func (e *entry) String() string {
	return fmt.Sprintf("%s -> %s %d: %v after %v, seen %d times", e.from, e.to, e.n, e.code, e.took, e.times)
}

func newBook() *book {
	return &book{all: map[ident.MessageID]*entry{}, streams: map[string][]*entry{}, seen: map[ident.UserID]int{}, errors: map[ident.UserID]int{}}
}

func (b *book) returned(user ident.UserID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.errors[user]++
}

func (b *book) said(id ident.MessageID, from string, to ident.UserID, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := &entry{from: from, to: to, n: n, at: time.Now()}
	b.all[id] = e
	stream := from + " " + string(to)
	b.streams[stream] = append(b.streams[stream], e)
}

func (b *book) settled(id ident.MessageID, code nodepb.Code) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.all[id]
	e.code, e.took = code, time.Since(e.at)
}

func (b *book) saw(id ident.MessageID, user ident.UserID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.all[id]
	if e == nil || e.to != user {
		b.unknown = append(b.unknown, fmt.Sprintf("%s got %x", user, id))
		return
	}
	if e.times++; e.times == 1 {
		b.seen[user]++
		e.place = b.seen[user]
	}
}

// part notes a time in which the order isn't promised, and somewhat more.
func (b *book) part(from, to time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.parted = append(b.parted, parting{from.Add(-10 * time.Second), to})
}

func (b *book) ordered(e *entry) bool {
	for _, p := range b.parted {
		if e.at.After(p.from) && e.at.Before(p.to) {
			return false
		}
	}
	return true
}

// summary counts.
type summary struct {
	sent, ok, again, unheard int
	codes                    map[nodepb.Code]int // outcomes but OK
	slowest                  *entry              // of those that were accepted
}

func (s summary) String() string {
	return fmt.Sprintf("%d sent, %d OK within %v (%s -> %s %d, said at %s), %d outcomes unheard, others %v, %d came again", s.sent, s.ok,
		s.slowest.took, s.slowest.from, s.slowest.to.Local(), s.slowest.n, s.slowest.at.Format("04:05.000"), s.unheard, s.codes, s.again)
}

// judge returns what is wrong. left are the rows that are still in the store.
func (b *book) judge(left map[ident.MessageID]bool) (s summary, wrong []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	wrong = b.unknown
	s.codes = map[nodepb.Code]int{}
	for id, e := range b.all {
		s.sent++
		switch e.code {
		case 0:
			s.unheard++
		case nodepb.Code_OK:
			s.ok++
			if s.slowest == nil || s.slowest.took < e.took {
				s.slowest = e
			}
		default:
			s.codes[e.code]++
		}
		s.again += max(e.times-1, 0)
		switch {
		case e.code == nodepb.Code_OK && e.times == 0 && !left[id]:
			wrong = append(wrong, "lost: "+e.String())
		case e.code == nodepb.Code_LATER && (e.times > 0 || left[id]):
			wrong = append(wrong, "certainly not taken, and there: "+e.String())
		}
	}
	for _, stream := range b.streams {
		var last *entry
		for _, e := range stream {
			if e.code != nodepb.Code_OK || e.times == 0 || !b.ordered(e) {
				continue
			}
			if last != nil && e.place < last.place {
				wrong = append(wrong, fmt.Sprintf("reordered: %v, place %d, after %v, place %d", e, e.place, last, last.place))
			}
			last = e
		}
	}
	return s, wrong
}

// left are the rows in the store.
func (w *world) left() map[ident.MessageID]bool {
	left := map[ident.MessageID]bool{}
	for _, u := range w.users {
		rows, err := storetest.Rows(context.Background(), w.mem, u)
		if err != nil {
			w.Fatal(err)
		}
		for _, r := range rows {
			left[r.ID] = true
		}
	}
	return left
}

// outcomes counts the messages that were accepted.
func (b *book) outcomes() (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.all {
		if e.code == nodepb.Code_OK {
			n++
		}
	}
	return n
}
