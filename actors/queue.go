package actors

import "sync"

// queue holds an actor's messages: one user message inline, because most queues are empty or hold one, and slices that come
// from a pool and go back to it as soon as they are empty, so that a burst pins no memory. Control messages (answers, downs,
// timers, starts and stops) have a lane of their own before the user's.
type queue struct {
	mu    sync.Mutex
	first any
	user  *fifo
	ctl   *fifo
	held  *fifo // answers that came while the actor had no life
	state runState
	phase phase
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
	suspended // crashed, its supervisor decides
	ended
)

// fifo is a queue over a slice.
type fifo struct {
	items []any
	head  int
}

const keepCap = 64 // larger slices are left to the collector

var fifos = sync.Pool{New: func() any { return &fifo{items: make([]any, 0, 8)} }}

func (f *fifo) len() int { return len(f.items) - f.head }

func (f *fifo) push(v any) {
	if f.head > 32 && f.head*2 > len(f.items) {
		if n := f.len(); cap(f.items) > keepCap && n < cap(f.items)/8 { // the burst is over, though the queue never was empty
			f.items, f.head = append(make([]any, 0, max(2*n, 8)), f.items[f.head:]...), 0
		} else {
			copy(f.items, f.items[f.head:])
			clear(f.items[n:])
			f.items, f.head = f.items[:n], 0
		}
	}
	f.items = append(f.items, v)
}

func (f *fifo) pop() any {
	v := f.items[f.head]
	f.items[f.head] = nil
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

// pushUser appends a user message; called with the lock held.
func (q *queue) pushUser(v any) {
	if q.first == nil && q.user == nil {
		q.first = v
		return
	}
	if q.user == nil {
		q.user = fifos.Get().(*fifo)
	}
	q.user.push(v)
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
	q.ctl.push(v)
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
	q.held.push(v)
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
