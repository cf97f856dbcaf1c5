package lane

import (
	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

// batch is what one commit writes, and who is told of it. It takes appends and acknowledgements in the order in which they
// came, and keeps what must not be in one commit apart: the caller commits a batch that doesn't fit.
type batch struct {
	store.Batch
	// asked are the requests of Appends, in the same order; gone those whose append was acknowledged within the batch.
	asked, gone []*Append
	live        int // asked that are not gone
	bytes       int
	rows        map[rowKey]int // the place of each row's append, or acked
}

type rowKey struct {
	mailbox ident.UserID
	id      ident.MessageID
}

const acked = -1

func (b *batch) empty() bool { return len(b.asked) == 0 && len(b.gone) == 0 && len(b.Acks) == 0 }

// lazy reports whether the batch holds nothing that anybody waits for, and not much.
func (b *batch) lazy() bool {
	return b.live == 0 && len(b.Acks) < lazyAcks
}

func (b *batch) full() bool { return len(b.asked)+len(b.Acks) >= maxItems || b.bytes >= maxBytes }

// fits reports whether an append may join. One of a row that the batch acknowledges may not: a commit's acknowledgements come
// after its appends, and would take the new row along.
func (b *batch) fits(a *Append) bool {
	if b.full() || len(b.asked) > 0 && b.bytes+len(a.Body) > maxBytes {
		return false
	}
	_, known := b.rows[rowKey{a.Mailbox, a.ID}]
	return !known
}

// append adds an append that fits.
func (b *batch) append(a *Append) {
	b.note(a.Mailbox, a.ID, len(b.asked))
	b.asked = append(b.asked, a)
	b.live++
	b.Appends = append(b.Appends, a.Append)
	b.bytes += len(a.Body)
}

// ack adds an acknowledgement to a batch that isn't full. One that deletes a row whose append is in the batch takes that
// away again.
func (b *batch) ack(a store.Ack) {
	key := rowKey{a.Mailbox, a.ID}
	if i, known := b.rows[key]; known && i != acked && a.Delete {
		b.gone = append(b.gone, b.asked[i])
		b.bytes -= len(b.asked[i].Body)
		b.drop(i)
		b.rows[key] = acked
		return
	}
	b.note(a.Mailbox, a.ID, acked)
	b.Acks = append(b.Acks, a)
}

// drop removes the append at i and keeps the order of the others.
func (b *batch) drop(i int) {
	b.asked[i] = nil
	b.live--
	b.Appends[i] = store.Append{}
}

// settle takes the gaps out that drop has left.
func (b *batch) settle() {
	n := 0
	for i, a := range b.asked {
		if a != nil {
			b.asked[n], b.Appends[n] = a, b.Appends[i]
			n++
		}
	}
	clear(b.asked[n:])
	clear(b.Appends[n:])
	b.asked, b.Appends = b.asked[:n], b.Appends[:n]
}

func (b *batch) note(mailbox ident.UserID, id ident.MessageID, place int) {
	if b.rows == nil {
		b.rows = map[rowKey]int{}
	}
	b.rows[rowKey{mailbox, id}] = place
}

// reset empties the batch and keeps its room.
func (b *batch) reset() {
	clear(b.asked)
	clear(b.gone)
	clear(b.Appends)
	clear(b.Acks)
	clear(b.rows)
	*b = batch{Batch: store.Batch{Appends: b.Appends[:0], Acks: b.Acks[:0]}, asked: b.asked[:0], gone: b.gone[:0], rows: b.rows}
}

// tell answers the requests of a list.
func tell(ctx *actors.Context, asked []*Append, r Result) {
	for _, a := range asked {
		if a != nil {
			answer(ctx, a.From, &Committed{a.ID, a.Tag, r})
		}
	}
}

// answer gives an answer to an actor of this node, also to one whose name belongs to another node by now: it waits for what is
// under way. Who is gone needs no answer.
func answer(ctx *actors.Context, to actors.Ref, msg any) {
	if sys := ctx.System(); sys.Alive(to) {
		_ = sys.Receive(to, actors.Signal{How: actors.HowAnswer, From: ctx.Self(), Msg: msg})
	}
}
