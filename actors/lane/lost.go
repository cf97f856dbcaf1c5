package lane

import (
	"fmt"
	"runtime/debug"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
)

// lost are the mailboxes of one lane that have an append of which nothing is known. What they still have on its way must not be
// stored before that one comes again: it is lost as well, until they have loaded what there is. It outlives the lane's actor
// and is touched on its turns only.
type lost map[ident.UserID]struct{}

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
