package lane

import (
	"context"
	"slices"

	"go.uber.org/zap"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/store"
)

// pageLen is how many expired rows one page of a walk asks for.
const pageLen = 256

// walker looks for expired rows, a page at a time, and tells their mailboxes. It deletes nothing.
type walker struct {
	lanes *Lanes
	after string
}

type nextPage struct{}

// Init implements actors.Behaviour; args are *Lanes.
func (w *walker) Init(ctx *actors.Context, args any) error {
	w.lanes = args.(*Lanes)
	ctx.SendAfter(w.lanes.opts.WalkEvery, nextPage{})
	return nil
}

// Handle implements actors.Behaviour.
func (w *walker) Handle(ctx *actors.Context, msg any) error {
	if _, ok := msg.(nextPage); !ok {
		return nil
	}
	page, err := w.page()
	if err != nil {
		ctx.Log().Warn("a part of the store could not be searched for expired messages", zap.Error(err))
	}
	w.lanes.Counters.Expired.Add(int64(len(page.Rows)))
	for rows := page.Rows; len(rows) > 0; {
		mailbox, n := rows[0].Mailbox, 1
		for n < len(rows) && rows[n].Mailbox == mailbox {
			n++
		}
		told := &nodepb.Expired{Ids: make([][]byte, n)}
		for i := range n {
			told.Ids[i] = rows[i].ID[:]
		}
		rows = rows[n:]
		// Wherever it is: a pin may have put it on another node. Refused: the next walk finds it again.
		_ = ctx.Cast(actors.Ref{Kind: store.MailKind, ID: string(mailbox)}, told)
	}
	w.after = page.Next
	if w.after == "" {
		ctx.SendAfter(w.lanes.opts.WalkEvery, nextPage{})
	} else {
		ctx.SendAfter(w.lanes.opts.PageEvery, nextPage{})
	}
	return nil
}

// page asks for the next rows of the partitions that this node owns now.
func (w *walker) page() (store.ExpiredPage, error) {
	q := store.ExpiredQuery{After: w.after, Limit: pageLen}
	if owned := w.lanes.opts.Owned; owned != nil {
		q.Partitions = slices.Sorted(slices.Values(owned()))
		if len(q.Partitions) == 0 {
			return store.ExpiredPage{}, nil
		}
	}
	return w.lanes.engine.Mail().Expired(context.Background(), q)
}
