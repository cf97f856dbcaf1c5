package simcluster

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store/storetest"
)

// book is all that was said, and what became of it.
type book struct {
	mu        sync.Mutex
	all       map[ident.MessageID]*entry
	streams   map[string][]*entry // by sender and recipient, in order
	seen      map[string]int      // how many, by who saw them
	unknown   []string            // rows that nobody has sent, or for another
	parted    []parting
	errors    map[ident.UserID]int // that users got instead of their own messages
	backwards []backward

	twice    atomic.Int64 // requests that were answered more than once
	repeated atomic.Int64 // messages that came again though the server was told that the client had them
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
	again int // of them to who had it
	// places are where it stands among what its recipient, or each of its devices, saw, by the first time.
	places map[string]int
}

func (e *entry) String() string {
	return fmt.Sprintf("%s -> %s %d: %v after %v, seen %d times", e.from, e.to, e.n, e.code, e.took, e.times)
}

func newBook() *book {
	return &book{all: map[ident.MessageID]*entry{}, streams: map[string][]*entry{}, seen: map[string]int{}, errors: map[ident.UserID]int{}}
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

// handled notes that a server has taken a message over, if it hasn't said otherwise.
func (b *book) handled(id ident.MessageID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.all[id]; e.code == 0 {
		e.code, e.took = nodepb.Code_OK, time.Since(e.at)
	}
}

// backward is presence that is older than what was seen before.
type backward struct {
	at   time.Time
	what string
}

func (b *book) backward(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.backwards = append(b.backwards, backward{time.Now(), fmt.Sprintf(format, args...)})
}

// again notes that a message is sent once more, whatever was said of it.
func (b *book) again(id ident.MessageID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all[id].code = 0
}

// saw notes that a message came to a user's device, or whatever it has instead.
func (b *book) saw(id ident.MessageID, user ident.UserID, device string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.all[id]
	if e == nil || e.to != user {
		b.unknown = append(b.unknown, fmt.Sprintf("%s got %x", user, id))
		return
	}
	e.times++
	if e.places[device] > 0 {
		e.again++
		return
	}
	if e.places == nil {
		e.places = map[string]int{}
	}
	b.seen[device]++
	e.places[device] = b.seen[device]
}

// part notes a time in which the order isn't promised, and somewhat more.
func (b *book) part(from, to time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.parted = append(b.parted, parting{from.Add(-10 * time.Second), to})
}

func (b *book) ordered(e *entry) bool { return !b.isParted(e.at) }

func (b *book) isParted(at time.Time) bool {
	for _, p := range b.parted {
		if at.After(p.from) && at.Before(p.to) {
			return true
		}
	}
	return false
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
		s.again += e.again
		switch {
		case e.code == nodepb.Code_OK && e.times == 0 && !left[id]:
			wrong = append(wrong, "lost: "+e.String())
		case e.code == nodepb.Code_LATER && (e.times > 0 || left[id]):
			wrong = append(wrong, "certainly not taken, and there: "+e.String())
		}
	}
	for _, stream := range b.streams {
		last := map[string]*entry{} // by who saw them
		for _, e := range stream {
			if e.code != nodepb.Code_OK || !b.ordered(e) {
				continue
			}
			for who, place := range e.places {
				if before := last[who]; before != nil && place < before.places[who] {
					wrong = append(wrong, fmt.Sprintf("reordered: %v, place %d, after %v, place %d, at %s", e, place, before, before.places[who], who))
				}
				last[who] = e
			}
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
