package session

import "github.com/jackdaw-im/jackdaw/proto/nodepb"

// outgoing numbers the stanzas written to the client and remembers those that are not acknowledged: of a row its id, of
// any other stanza, where the stream can be resumed, its bytes.
type outgoing struct {
	sent, acked uint64 // numbers of stanzas
	lastRow     uint64 // number of the newest row
	items       []sentItem
	head        int
	rows        int // rows among the items
	bytes       int // bytes of stanzas kept among the items
}

// sentItem is one unacknowledged stanza.
type sentItem struct {
	n    uint64
	row  bool
	data []byte // a row's id, or a stanza
	end  uint64 // of a row: where it ends among all bytes that the outlet was given
}

// skip counts a stanza of which nothing is kept.
func (o *outgoing) skip() { o.sent++ }

// row counts a row, which ends with a byte of this number.
func (o *outgoing) row(id []byte, end uint64) {
	o.push(sentItem{row: true, data: id, end: end})
	o.lastRow = o.sent
	o.rows++
}

// stanza counts a stanza and keeps data, which must be the list's own.
func (o *outgoing) stanza(data []byte) {
	o.push(sentItem{data: data})
	o.bytes += len(data)
}

func (o *outgoing) push(it sentItem) {
	o.sent++
	it.n = o.sent
	if o.head > 0 && len(o.items) == cap(o.items) {
		n := copy(o.items, o.items[o.head:])
		clear(o.items[n:])
		o.items, o.head = o.items[:n], 0
	}
	o.items = append(o.items, it)
}

// ack takes the client's word that it has everything up to number n, and appends the ids of the rows among them to ids.
func (o *outgoing) ack(n uint64, ids [][]byte) [][]byte {
	if n <= o.acked || n > o.sent {
		return ids
	}
	o.acked = n
	for o.head < len(o.items) && o.items[o.head].n <= n {
		it := &o.items[o.head]
		if it.row {
			ids = append(ids, it.data)
			o.rows--
		} else {
			o.bytes -= len(it.data)
		}
		*it = sentItem{}
		o.head++
	}
	if o.head == len(o.items) {
		o.head = 0
		if o.items = o.items[:0]; cap(o.items) > keepSlots {
			o.items = nil
		}
	}
	return ids
}

// upTo is the number of the newest row that ends within the first bytes, or of what is acknowledged.
func (o *outgoing) upTo(bytes uint64) uint64 {
	n := o.acked
	for _, it := range o.items[o.head:] {
		if it.row && it.end <= bytes {
			n = it.n
		}
	}
	return n
}

// has reports whether a row is among the items.
func (o *outgoing) has(id []byte) bool {
	for _, it := range o.items[o.head:] {
		if it.row && string(it.data) == string(id) {
			return true
		}
	}
	return false
}

// stanzas returns the stanzas kept, without the rows, in order.
func (o *outgoing) stanzas() [][]byte {
	var all [][]byte
	for _, it := range o.items[o.head:] {
		if !it.row {
			all = append(all, it.data)
		}
	}
	return all
}

// kept returns what is kept, for one who doesn't know how much of it the client has. Numbers count from base on; of rows before that no h
// says anything, and the mailbox has them.
func (o *outgoing) kept(base uint64) (all []*nodepb.SentStanza) {
	for _, it := range o.items[o.head:] {
		switch {
		case it.n <= base:
		case it.row:
			all = append(all, &nodepb.SentStanza{Number: it.n - base, Row: it.data})
		default:
			all = append(all, &nodepb.SentStanza{Number: it.n - base, Stanza: it.data})
		}
	}
	return all
}

// restore takes what was kept, where something was.
func (o *outgoing) restore(h *nodepb.Handover) {
	for _, s := range h.GetKept() {
		o.sent = max(o.sent, s.GetNumber()-min(s.GetNumber(), 1))
		if row := s.GetRow(); len(row) > 0 {
			o.row(row, 0)
		} else {
			o.stanza(s.GetStanza())
		}
	}
	o.sent = max(o.sent, h.GetWritten())
}

// acks collects what is due to the own mailbox at the end of a batch.
type acks struct {
	ids    [][]byte
	credit uint32
}
