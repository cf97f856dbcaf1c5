package lane

import (
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
)

// lost are the mailboxes of one lane that have an append of which nothing is known. What they still have on its way must not be
// stored before that one comes again: it is lost as well, until they have loaded what there is. It outlives the lane's actor
// and is touched on its turns only.
type lost map[ident.UserID]struct{}

// abandoned are the mailboxes that had to leave this node before all their appends were stored. The next owner gets these messages
// from their senders: should they be stored here later than what follows them there, the order would be lost.
type abandoned struct {
	n  atomic.Int32 // how many there are: usually none
	mu struct {
		sync.Mutex
		of map[ident.UserID]struct{}
	}
}

// Abandon has the lanes store nothing more of what a mailbox has asked to append before it ends. What a commit is at work on may be
// stored. Nobody is told.
func (l *Lanes) Abandon(ctx *actors.Context, mailbox ident.UserID) {
	l.abandoned.add(mailbox)
	_ = l.cast(ctx, mailbox, &abandon{mailbox}) // comes after all that; if it is refused, the mailbox's next load here does
}

func (a *abandoned) add(mailbox ident.UserID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.mu.of == nil {
		a.mu.of = map[ident.UserID]struct{}{}
	}
	a.mu.of[mailbox] = struct{}{}
	a.n.Store(int32(len(a.mu.of)))
}

// has reports whether a mailbox is abandoned.
func (a *abandoned) has(mailbox ident.UserID) bool {
	if a.n.Load() == 0 {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	_, yes := a.mu.of[mailbox]
	return yes
}

// over ends that: nothing of it is left in the lane.
func (a *abandoned) over(mailbox ident.UserID) {
	if a.n.Load() == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.mu.of, mailbox)
	a.n.Store(int32(len(a.mu.of)))
}

// forsake takes what abandoned mailboxes have asked for out of the batch.
func (m *mailLane) forsake() {
	b := &m.batch
	for i, a := range b.asked {
		if a != nil && m.lanes.abandoned.has(a.Mailbox) {
			delete(b.rows, rowKey{a.Mailbox, a.ID})
			b.bytes -= len(a.Body)
			b.drop(i)
		}
	}
}

// lose tells those who asked for appends that nothing is known about them.
func (m *mailLane) lose(ctx *actors.Context, asked []*Append) {
	for _, a := range asked {
		if a != nil {
			m.lost[a.Mailbox] = struct{}{}
			answer(ctx, a.From, &Lost{a.Tag})
		}
	}
}

// loseAll does so with all that a crash has taken along.
func (m *mailLane) loseAll(ctx *actors.Context) {
	m.lose(ctx, m.batch.asked)
	m.lose(ctx, m.batch.gone)
	for _, r := range m.reads {
		loseRead(ctx, r)
	}
	switch r := m.current.(type) {
	case *Append:
		m.lose(ctx, []*Append{r})
	default:
		loseRead(ctx, r)
	}
}

func loseRead(ctx *actors.Context, request any) {
	switch r := request.(type) {
	case *load:
		answer(ctx, r.from, &Lost{r.tag})
	case *flush:
		answer(ctx, r.from, &Lost{r.tag})
	case *read:
		answer(ctx, r.from, &Lost{r.tag})
	}
}

// guarded runs a call of the engine. A panic of that is an error like any other.
func guarded(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("lane: the store panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return f()
}
