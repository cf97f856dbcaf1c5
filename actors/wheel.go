package actors

import (
	"sync"
	"time"
)

// tick is the wheel's resolution.
const tick = 10 * time.Millisecond

const (
	wheelBits   = 8
	wheelSlots  = 1 << wheelBits
	wheelLevels = 4 // 2^32 ticks, 497 days
)

// longest is how far ahead a timer may be, 248 days: ticks are compared modulo 2^32. It leaves three hours for a late wheel.
const longest = (1<<31 - 1<<20) * tick

// timerID names an entry: its index and how often that index was used, so that a late cancel can't hit a successor.
type timerID uint64

// wheel is the one hierarchical timing wheel of a system. Entries live in blocks and are linked by index, so that a million
// timers are nothing for the collector to walk but blocks of pointers, and that nobody waits while a large slice grows.
type wheel struct {
	start time.Time
	wake  chan struct{}
	quit  chan struct{}
	done  chan struct{}

	mu     sync.Mutex
	at     uint32 // the last tick that was run
	live   int
	asleep bool // nobody runs the ticks: nothing was due
	blocks []*[blockLen]entry
	used   int32 // entries of the blocks that have been in use
	free   int32
	slots  [wheelLevels][wheelSlots]int32
}

// blockLen is how many entries are made at a time.
const (
	blockBits = 10
	blockLen  = 1 << blockBits
)

func (w *wheel) entry(i int32) *entry { return &w.blocks[i>>blockBits][i&(blockLen-1)] }

type entry struct {
	p          *process
	msg        any
	due        uint32
	gen        uint32
	next, prev int32
	slot       int32 // level*wheelSlots+index, -1 when free
}

const none = -1

func newWheel() *wheel {
	w := &wheel{start: time.Now(), wake: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{}), free: none}
	for l := range w.slots {
		for i := range w.slots[l] {
			w.slots[l][i] = none
		}
	}
	return w
}

// launch starts the wheel's goroutine.
func (w *wheel) launch() { go w.run() }

// halt ends it.
func (w *wheel) halt() {
	close(w.quit)
	<-w.done
}

// now is the current tick.
func (w *wheel) now() uint32 { return uint32(time.Since(w.start) / tick) }

// add gives p msg after d.
func (w *wheel) add(d time.Duration, p *process, msg any) timerID {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := time.Since(w.start)
	if w.live == 0 {
		w.at = uint32(at / tick) // nothing was due: skip the ticks that nobody ran
		if w.asleep {
			w.asleep = false
			w.wake <- struct{}{}
		}
	}
	w.live++
	i := w.free
	if i == none {
		if i = w.used; int(i) == len(w.blocks)<<blockBits {
			w.blocks = append(w.blocks, new([blockLen]entry))
		}
		w.used++
	} else {
		w.free = w.entry(i).next
	}
	e := w.entry(i)
	e.p, e.msg = p, msg
	e.gen = (e.gen + 1) & (1<<31 - 1)
	e.due = uint32((at + min(max(d, 0), longest) + tick - 1) / tick) // never early, be it by a part of a tick
	if int32(e.due-w.at) <= 0 {
		e.due = w.at + 1
	}
	w.link(i, false)
	return timerID(uint64(e.gen)<<32|uint64(uint32(i))) | 1<<63
}

// link puts an entry into the slot of the level whose span it fits: at its end, or at its beginning when it comes from a
// higher level, since what is due at the same tick and stands here already was added later.
func (w *wheel) link(i int32, first bool) {
	e := w.entry(i)
	level, ahead := 0, e.due-w.at
	for level < wheelLevels-1 && ahead >= 1<<(wheelBits*(level+1)) {
		level++
	}
	e.slot = int32(level*wheelSlots) + int32(e.due>>(wheelBits*level)&(wheelSlots-1))
	head := &w.slots[level][e.slot%wheelSlots]
	switch h := *head; {
	case h == none:
		e.prev, e.next, *head = i, none, i
	case first:
		e.prev, e.next, *head = w.entry(h).prev, h, i
		w.entry(h).prev = i
	default:
		last := w.entry(h).prev // the first entry's prev is the last one
		e.prev, e.next, w.entry(h).prev = last, none, i
		w.entry(last).next = i
	}
}

func (w *wheel) unlink(i int32) {
	e := w.entry(i)
	head := &w.slots[e.slot/wheelSlots][e.slot%wheelSlots]
	if *head == i {
		*head = e.next
	} else {
		w.entry(e.prev).next = e.next
	}
	switch {
	case e.next != none:
		w.entry(e.next).prev = e.prev
	case *head != none:
		w.entry(*head).prev = e.prev
	}
}

func (w *wheel) release(i int32) {
	e := w.entry(i)
	e.p, e.msg, e.slot, e.next = nil, nil, none, w.free
	w.free = i
	w.live--
}

// cancel withdraws an entry, if it is still there.
func (w *wheel) cancel(id timerID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := int32(uint32(id))
	if e := w.entry(i); e.slot != none && e.gen == uint32(id>>32)&(1<<31-1) {
		w.unlink(i)
		w.release(i)
	}
}

// run fires what is due, each tick while there is anything.
func (w *wheel) run() {
	defer close(w.done)
	for {
		w.mu.Lock()
		w.asleep = w.live == 0
		asleep := w.asleep
		w.mu.Unlock()
		if asleep {
			select {
			case <-w.wake:
			case <-w.quit:
				return
			}
		}
		t := time.NewTimer(tick)
		select {
		case <-t.C:
		case <-w.quit:
			t.Stop()
			return
		}
		w.advance(w.now())
	}
}

// advance runs the ticks up to to.
func (w *wheel) advance(to uint32) {
	type due struct {
		p   *process
		msg any
	}
	var fire []due
	w.mu.Lock()
	for int32(to-w.at) > 0 && w.live > 0 {
		w.at++
		for l := 1; l < wheelLevels && w.at&(1<<(wheelBits*l)-1) == 0; l++ {
			w.cascade(l)
		}
		for i := w.slots[0][w.at&(wheelSlots-1)]; i != none; {
			e := w.entry(i)
			next := e.next
			fire = append(fire, due{e.p, e.msg})
			w.unlink(i)
			w.release(i)
			i = next
		}
	}
	w.mu.Unlock()
	for _, d := range fire {
		d.p.control(d.msg, nil)
	}
}

// cascade spreads one slot of a higher level over the lower ones, from its end, so that the order stays.
func (w *wheel) cascade(l int) {
	head := &w.slots[l][w.at>>(wheelBits*l)&(wheelSlots-1)]
	first := *head
	if *head = none; first == none {
		return
	}
	for i := w.entry(first).prev; ; {
		prev := w.entry(i).prev
		w.link(i, true)
		if i == first {
			return
		}
		i = prev
	}
}
