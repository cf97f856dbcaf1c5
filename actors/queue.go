package actors

import "sync"

// queue holds an actor's messages: one user message inline, because most queues are empty or hold one, and blocks that come from a
// pool and go back to it as soon as they have been read, so that a burst pins no memory. Control messages (answers, downs, timers,
// starts and stops) have a lane of their own before the user's.
//
// All of it is guarded by mu, but for touched.
type queue struct {
	mu      sync.Mutex
	first   any
	user    fifo
	ctl     fifo
	held    fifo   // what came by the control lane while the actor had no life, or was suspended
	firstAt uint32 // when first came
	busyAt  uint32 // when the running message was taken
	touched uint32 // when the last user message was handled, for passivation; owned by the turn
	state   runState
	phase   phase
	busy    bool // a message is being handled
	paused  bool // suspended by sys: user messages wait
}

// runState says whether a queue is known to a worker.
type runState uint8

const (
	idle runState = iota
	queued
)

// phase is where an actor is in its life.
type phase uint8

const (
	starting phase = iota // Init has not run yet
	alive
	suspended // between two lives: its supervisor decides
	ended
)

// fifo is a queue: the first of its blocks, nil if it is empty.
type fifo struct{ *block }

// item is a message and the tick at which it came.
type item struct {
	msg any
	at  uint32
}

// blockItems makes a block 384 bytes, which is a size of the allocator.
const blockItems = 14

// block is a piece of a fifo. The first one knows the last one and the number of all items.
type block struct {
	items      [blockItems]item
	next, last *block
	read       int32 // items taken from this block
	written    int32 // items put into this block
	n          int32
}

var blocks = sync.Pool{New: func() any { return new(block) }}

func (f *fifo) len() int {
	if f.block == nil {
		return 0
	}
	return int(f.n)
}

func (f *fifo) push(v any, at uint32) {
	first := f.block
	if first == nil {
		first = blocks.Get().(*block)
		first.last, f.block = first, first
	}
	b := first.last
	if b.written == blockItems {
		b.next = blocks.Get().(*block)
		b = b.next
		first.last = b
	}
	b.items[b.written] = item{v, at}
	b.written++
	first.n++
}

// pop takes the oldest message, nil if there is none.
func (f *fifo) pop() any {
	b := f.block
	if b == nil {
		return nil
	}
	v := b.items[b.read].msg
	b.items[b.read].msg = nil
	b.read++
	b.n--
	if b.read < b.written {
		return v
	}
	if f.block = b.next; f.block != nil {
		f.last, f.n = b.last, b.n
	}
	*b = block{}
	blocks.Put(b)
	return v
}

// each calls f for up to n messages, oldest first.
func (f *fifo) each(n int, do func(msg any)) {
	for b := f.block; b != nil; b = b.next {
		for _, it := range b.items[b.read:b.written] {
			if n--; n < 0 {
				return
			}
			do(it.msg)
		}
	}
}

// length is the number of user messages; called with the lock held.
func (q *queue) length() int {
	n := q.user.len()
	if q.first != nil {
		n++
	}
	return n
}

// oldest is the tick at which the oldest waiting user message came; called with the lock held.
func (q *queue) oldest() (at uint32, ok bool) {
	switch {
	case q.first != nil:
		return q.firstAt, true
	case q.user.block != nil:
		return q.user.items[q.user.read].at, true
	}
	return 0, false
}

// waiting calls f for up to n waiting user messages, oldest first; called with the lock held.
func (q *queue) waiting(n int, f func(msg any)) {
	if q.first != nil && n > 0 {
		f(q.first)
		n--
	}
	q.user.each(n, f)
}

// pushUser appends a user message that comes at a tick; called with the lock held.
func (q *queue) pushUser(v any, at uint32) {
	if q.first == nil && q.user.block == nil {
		q.first, q.firstAt = v, at
		return
	}
	q.user.push(v, at)
}

// popUser takes the oldest user message, nil if there is none; called with the lock held.
func (q *queue) popUser() any {
	if v := q.first; v != nil {
		q.first = nil
		return v
	}
	return q.user.pop()
}

// hold keeps a message for the actor's next life, or until it is resumed. It reports false if that won't come.
func (q *queue) hold(v any) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.phase == ended {
		return false
	}
	q.held.push(v, 0)
	return true
}

// unhold takes the oldest message that was held, nil if there is none.
func (q *queue) unhold() any {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.held.pop()
}
