package mailbox

import (
	"slices"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/chatpb"
	"github.com/jackdaw-im/jackdaw/store"
)

// row is one message of the queue, or (transient) one that only passes through it.
type row struct {
	store.Row
	// msg is the message while it is to be had without reading it.
	msg *chatpb.Message
	// holders are the sessions that have it, or will have it as soon as their credit allows.
	holders []*attachment
	// queued is how many sessions' todo it is in.
	queued int
	// resource is the one it was addressed to, if it came since the mailbox was loaded.
	resource  string
	pending   uint64 // tag of its append while that has no answer; else 0
	found     bool   // another node has stored it meanwhile
	transient bool   // it is no row: nobody acknowledges it
	hidden    bool   // nobody is given it before it is stored
	delayed   bool   // it has waited
	gone      bool   // it is acknowledged, or not there any more
	expiring  bool   // its sender is being told that it expired
	flying    bool   // one of its holders has been given it
	held      bool   // its message is in memory though it is in nobody's todo
}

// cost is what a row takes of a session's credit and of the room for messages kept in memory.
func (r *row) cost() int { return r.Size + rowOverhead }

const rowOverhead = 128

// rows is the queue: what is in the store or on the way to it.
type rows struct {
	byID  map[ident.MessageID]*row
	order []*row // by (Ord, Sender, CSeq, ID); rows that are gone are taken out when they are too many
	gone  int
	// unheld is how many rows nobody holds, of those that may be given to somebody.
	unheld int
	hidden int // rows that are hidden
	bytes  int64
	shares map[ident.UserID]share
	clock  int64 // the highest Ord
}

// share is what one sender has in the queue.
type share struct {
	messages int
	bytes    int64
	flying   int // messages, of those, that a session has been given
}

// stamp is the next place in the queue: the time, unless the clock would stand still or go back.
func (q *rows) stamp(now time.Time) int64 {
	q.clock = max(now.UnixMicro(), q.clock+1)
	return q.clock
}

// add puts a row at the end.
func (q *rows) add(r *row) {
	if q.byID == nil {
		q.byID = map[ident.MessageID]*row{}
		q.shares = map[ident.UserID]share{}
	}
	q.byID[r.ID] = r
	q.order = append(q.order, r)
	q.clock = max(q.clock, r.Ord)
	q.count(r, 1)
	if r.hidden {
		q.hidden++
	} else {
		q.unheld++
	}
}

// remove takes a row out.
func (q *rows) remove(r *row) {
	q.fly(r, false)
	delete(q.byID, r.ID)
	q.count(r, -1)
	switch {
	case r.hidden:
		q.hidden--
	case len(r.holders) == 0:
		q.unheld--
	}
	r.gone = true
	q.gone++
	if len(q.byID) == 0 {
		q.byID, q.order, q.gone, q.shares = nil, nil, 0, nil
	} else if q.gone > 32 && q.gone > len(q.order)/2 {
		q.order = slices.DeleteFunc(q.order, func(r *row) bool { return r.gone })
		q.gone = 0
	}
}

// count books a row's share. Errors that this server made are nobody's.
func (q *rows) count(r *row, n int) {
	q.bytes += int64(n * r.Size)
	if r.Flags&store.FlagError != 0 {
		return
	}
	s := q.shares[r.Sender]
	s.messages += n
	s.bytes += int64(n * r.Size)
	if s.messages == 0 {
		delete(q.shares, r.Sender)
		return
	}
	q.shares[r.Sender] = s
}

// fly notes that a row has been given to a session, or that nobody has it any more.
func (q *rows) fly(r *row, on bool) {
	if r.flying == on || r.transient || r.gone {
		return
	}
	r.flying = on
	if r.Flags&store.FlagError != 0 {
		return
	}
	s := q.shares[r.Sender]
	if s.flying--; on {
		s.flying += 2
	}
	q.shares[r.Sender] = s
}

// reveal makes a hidden row one that may be given to somebody.
func (q *rows) reveal(r *row) {
	r.hidden = false
	q.hidden--
	q.unheld++
}

// hold and release note who has a row.
func (q *rows) hold(r *row, s *attachment) {
	if len(r.holders) == 0 && !r.transient && !r.gone {
		q.unheld--
	}
	r.holders = append(r.holders, s)
	if !r.transient {
		s.holds++
	}
}

// given is how many rows somebody holds.
func (q *rows) given() int { return len(q.byID) - q.hidden - q.unheld }

func (q *rows) release(r *row, s *attachment) {
	i := slices.Index(r.holders, s)
	if i < 0 {
		return
	}
	r.holders = slices.Delete(r.holders, i, i+1)
	if !r.transient {
		s.holds--
	}
	if len(r.holders) == 0 && !r.transient && !r.gone {
		q.fly(r, false)
		q.unheld++
		r.delayed = true
	}
}

// admits reports whether the limits let a message of size bytes in. What a session has been given and not acknowledged yet
// doesn't count as a stranger's waiting message: a client without stream management acknowledges only once a second.
func (q *rows) admits(l *Limits, sender ident.UserID, size int, stranger, exempt bool) bool {
	if len(q.byID) >= l.Messages || q.bytes+int64(size) > l.Bytes {
		return false
	}
	if exempt {
		return true
	}
	s := q.shares[sender]
	switch {
	case stranger && s.messages-s.flying >= l.Stranger:
	case s.messages >= max(l.Messages*l.SharePercent/100, 1):
	case s.bytes+int64(size) > l.Bytes*int64(l.SharePercent)/100:
	default:
		return true
	}
	return false
}

// keptIDs bounds the remembered ids, and keptTime is how long they are remembered.
const (
	keptIDs  = 1024
	keptTime = 5 * time.Minute
)

// recent remembers the ids of rows that were acknowledged lately: a resend of one is not taken for a new message.
type recent struct {
	at    map[ident.MessageID]int64 // when, in seconds
	queue []ident.MessageID         // oldest first
}

func (k *recent) add(id ident.MessageID, now time.Time) {
	if k.at == nil {
		k.at = map[ident.MessageID]int64{}
	}
	if len(k.queue) >= keptIDs {
		k.drop(1)
	}
	if _, known := k.at[id]; !known {
		k.queue = append(k.queue, id)
	}
	k.at[id] = now.Unix()
}

func (k *recent) has(id ident.MessageID, now time.Time) bool {
	at, ok := k.at[id]
	return ok && now.Unix()-at <= int64(keptTime/time.Second)
}

// forget drops what is too old and reports whether nothing is left.
func (k *recent) forget(now time.Time) bool {
	n := 0
	for n < len(k.queue) && !k.has(k.queue[n], now) {
		n++
	}
	k.drop(n)
	return len(k.queue) == 0
}

func (k *recent) drop(n int) {
	for _, id := range k.queue[:n] {
		delete(k.at, id)
	}
	if k.queue = k.queue[n:]; len(k.queue) == 0 {
		*k = recent{}
	}
}
