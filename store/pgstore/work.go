package pgstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store"
)

// work is what one batch has for one shard: the items in the order of their keys, and what became of them.
type work struct {
	b       *store.Batch
	shard   *shard
	node    ident.NodeID
	appends []itemKey
	deletes []itemKey
	partial []itemKey

	room  *scratch
	next  int // the next append that the server may have inserted
	fresh []bool
	stale map[ident.Partition]struct{}
}

// scratch is memory for parameters, which have been copied when they are sent.
type scratch [9]array

func newWork(b *store.Batch, s *shard, node ident.NodeID) *work {
	return &work{b: b, shard: s, node: node}
}

func (w *work) empty() bool { return len(w.appends)+len(w.deletes)+len(w.partial) == 0 }

func (w *work) sort() {
	for _, keys := range [][]itemKey{w.appends, w.deletes, w.partial} {
		slices.SortFunc(keys, compareKeys)
	}
}

// begin forgets what an earlier try has brought.
func (w *work) begin() {
	w.next, w.fresh, w.stale = 0, make([]bool, len(w.appends)), nil
}

// rows are the parameters of stInsert.
func (w *work) rows(shift time.Duration) [][]byte {
	n, r := len(w.appends), w.room
	p, mailbox, id, ord, ttl, cseq, flags, sender, body := &r[0], &r[1], &r[2], &r[3], &r[4], &r[5], &r[6], &r[7], &r[8]
	p.int16s(n)
	mailbox.strings(n)
	id.strings(n)
	ord.int64s(n)
	ttl.int64s(n)
	cseq.int64s(n)
	flags.int16s(n)
	sender.strings(n)
	body.strings(n)
	for i := range w.appends {
		k := &w.appends[i]
		a := &w.b.Appends[k.i]
		p.int16(int16(k.p))
		mailbox.string(string(k.mailbox))
		id.bytes(k.id[:])
		ord.int64(a.Ord)
		ttl.int64(micros(a.TTL))
		cseq.int64(int64(a.CSeq))
		flags.int16(int16(a.Flags))
		sender.string(string(a.Sender))
		body.bytes(a.Body)
	}
	return [][]byte{p.buf, mailbox.buf, id.buf, ord.buf, ttl.buf, cseq.buf, flags.buf, sender.buf, body.buf, int64Param(shift.Microseconds())}
}

// mailboxes are the parameters of stNotice: each mailbox that has appends, once.
func (w *work) mailboxes(version int64) [][]byte {
	n := 0
	each := func(use func(k *itemKey)) {
		for i := range w.appends {
			if k := &w.appends[i]; i == 0 || k.mailbox != w.appends[i-1].mailbox {
				use(k)
			}
		}
	}
	each(func(*itemKey) { n++ })
	p, mailbox := &w.room[0], &w.room[1]
	p.int16s(n)
	mailbox.strings(n)
	each(func(k *itemKey) {
		p.int16(int16(k.p))
		mailbox.string(string(k.mailbox))
	})
	return [][]byte{p.buf, mailbox.buf, []byte(w.node), int64Param(version)}
}

// keys are the parameters that name rows.
func (r *scratch) keys(items []itemKey) [][]byte {
	p, mailbox, id := &r[0], &r[1], &r[2]
	p.int16s(len(items))
	mailbox.strings(len(items))
	id.strings(len(items))
	for i := range items {
		k := &items[i]
		p.int16(int16(k.p))
		mailbox.string(string(k.mailbox))
		id.bytes(k.id[:])
	}
	return [][]byte{p.buf, mailbox.buf, id.buf}
}

// partialAcks are the parameters of stPartial: the acknowledgements of rows that this batch doesn't delete; nil if there are none.
func (w *work) partialAcks() [][]byte {
	if len(w.partial) == 0 {
		return nil
	}
	gone := make(map[itemKey]struct{}, len(w.deletes))
	for _, k := range w.deletes {
		gone[k.row()] = struct{}{}
	}
	var keep []itemKey
	for _, k := range w.partial {
		if _, ok := gone[k.row()]; !ok {
			keep = append(keep, k)
		}
	}
	if keep == nil {
		return nil
	}
	device := &w.room[3]
	device.strings(len(keep))
	for _, k := range keep {
		device.string(string(w.b.Acks[k.i].Device))
	}
	return append(w.room.keys(keep), device.buf)
}

var errStrangeRow = errors.New("the server has inserted a row that it was not given")

// inserted takes note of a row that the server has inserted. They come in the order in which they were given; of equal ones the first.
func (w *work) inserted(row [][]byte) error {
	for ; w.next < len(w.appends); w.next++ {
		k := &w.appends[w.next]
		if string(k.mailbox) == string(row[0]) && bytes.Equal(k.id[:], row[1]) {
			w.fresh[w.next] = true
			w.next++
			return nil
		}
	}
	return errStrangeRow
}

// foreign takes note of a partition that another node has claimed.
func (w *work) foreign(row [][]byte) error {
	if w.stale == nil {
		w.stale = map[ident.Partition]struct{}{}
	}
	w.stale[ident.Partition(binary.BigEndian.Uint16(row[0]))] = struct{}{}
	return nil
}

// finish is the result of the work, or its error.
func (w *work) finish(err error) (store.Result, error) {
	if err != nil {
		return store.Result{}, err
	}
	var res store.Result
	for i, k := range w.appends {
		if !w.fresh[i] {
			res.Duplicates = append(res.Duplicates, k.i)
		}
	}
	slices.Sort(res.Duplicates)
	if len(w.stale) > 0 {
		res.Stale = slices.Sorted(maps.Keys(w.stale))
		w.shard.owned.forget()
	}
	return res, nil
}
