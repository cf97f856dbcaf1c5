package actors

import "sync"

// queue holds an actor's messages: one user message inline, because most queues are empty or hold one, and slices that come
// from a pool and go back to it as soon as they are empty, so that a burst pins no memory. Control messages (answers, downs,
// timers, starts and stops) have a lane of their own before the user's.
//
// All of it is guarded by mu, but for touched.
type queue struct {
	mu      sync.Mutex
	first   any
	user    *fifo
	ctl     *fifo
	held    *fifo  // what came by the control lane while the actor had no life, or was suspended
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

// fifo is a queue over a slice.
type fifo struct {
	items []item
	head  int
}

// item is a message and the tick at which it came.
type item struct {
	msg any
	at  uint32
}

const keepCap = 64 // larger slices are left to the collector

var fifos = sync.Pool{New: func() any { return &fifo{items: make([]item, 0, 8)} }}

func (f *fifo) len() int { return len(f.items) - f.head }

func (f *fifo) push(v any, at uint32) {
	if f.head > 32 && f.head*2 > len(f.items) {
		if n := f.len(); cap(f.items) > keepCap && n < cap(f.items)/8 { // the burst is over, though the queue never was empty
			f.items, f.head = append(make([]item, 0, max(2*n, 8)), f.items[f.head:]...), 0
		} else {
			copy(f.items, f.items[f.head:])
			clear(f.items[n:])
			f.items, f.head = f.items[:n], 0
		}
	}
	f.items = append(f.items, item{v, at})
}

func (f *fifo) pop() any {
	v := f.items[f.head].msg
	f.items[f.head].msg = nil
	f.head++
	return v
}

func (f *fifo) release() {
	if cap(f.items) <= keepCap {
		f.items, f.head = f.items[:0], 0
		fifos.Put(f)
	}
}

// length is the number of user messages; called with the lock held.
func (q *queue) length() int {
	n := 0
	if q.first != nil {
		n = 1
	}
	if q.user != nil {
		n += q.user.len()
	}
	return n
}

// oldest is the tick at which the oldest waiting user message came; called with the lock held.
func (q *queue) oldest() (at uint32, ok bool) {
	switch {
	case q.first != nil:
		return q.firstAt, true
	case q.user != nil:
		return q.user.items[q.user.head].at, true
	}
	return 0, false
}

// waiting calls f for up to n waiting user messages, oldest first; called with the lock held.
func (q *queue) waiting(n int, f func(msg any)) {
	if q.first != nil && n > 0 {
		f(q.first)
		n--
	}
	if q.user != nil {
		for _, it := range q.user.items[q.user.head:][:min(n, q.user.len())] {
			f(it.msg)
		}
	}
}

// pushUser appends a user message that comes at a tick; called with the lock held.
func (q *queue) pushUser(v any, at uint32) {
	if q.first == nil && q.user == nil {
		q.first, q.firstAt = v, at
		return
	}
	if q.user == nil {
		q.user = fifos.Get().(*fifo)
	}
	q.user.push(v, at)
}

// popUser takes the oldest user message, nil if there is none; called with the lock held.
func (q *queue) popUser() any {
	if v := q.first; v != nil {
		q.first = nil
		return v
	}
	if q.user == nil {
		return nil
	}
	v := q.user.pop()
	if q.user.len() == 0 {
		q.user.release()
		q.user = nil
	}
	return v
}

// pushControl appends a control message; called with the lock held.
func (q *queue) pushControl(v any) {
	if q.ctl == nil {
		q.ctl = fifos.Get().(*fifo)
	}
	q.ctl.push(v, 0)
}

// popControl takes the oldest control message, nil if there is none; called with the lock held.
func (q *queue) popControl() any {
	if q.ctl == nil {
		return nil
	}
	v := q.ctl.pop()
	if q.ctl.len() == 0 {
		q.ctl.release()
		q.ctl = nil
	}
	return v
}

// hold keeps an answer for the actor's next life, and reports false if there won't be one.
func (q *queue) hold(v any) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.phase == ended {
		return false
	}
	if q.held == nil {
		q.held = fifos.Get().(*fifo)
	}
	q.held.push(v, 0)
	return true
}

// unhold takes the oldest answer that was held, nil if there is none.
func (q *queue) unhold() any {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.popHeld()
}

// popHeld is unhold with the lock held.
func (q *queue) popHeld() any {
	if q.held == nil {
		return nil
	}
	v := q.held.pop()
	if q.held.len() == 0 {
		q.held.release()
		q.held = nil
	}
	return v
}
