package mailbox

import (
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/jackdaw-im/jackdaw/actors/lane"
)

// TestHandoff: whatever happens between the old owner's last word and the new one's first, nothing that was accepted is lost, and
// each sender's messages come in order while no partition is on; a message that comes twice has the same id.
func TestHandoff(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newHanding(t)
		node := func(t *rapid.T) int { return rapid.IntRange(before, after).Draw(t, "node") }
		sender := func(t *rapid.T) *correspondent { return rapid.SampledFrom(w.senders).Draw(t, "sender") }
		steps := map[string]func(*rapid.T){
			"send": func(t *rapid.T) {
				c := sender(t)
				for range rapid.IntRange(1, 3).Draw(t, "n") {
					w.send(c)
				}
			},
			"arrive": func(t *rapid.T) {
				c, i := sender(t), node(t)
				for range rapid.IntRange(1, 3).Draw(t, "n") {
					w.arriveNext(c, i)
				}
			},
			"handle":  func(t *rapid.T) { w.handleNext(w.owners[node(t)]) },
			"commit":  func(t *rapid.T) { w.commit(w.owners[node(t)], w.result(t)) },
			"lanes":   func(t *rapid.T) { w.lanes(w.owners[node(t)]) },
			"outcome": func(t *rapid.T) { w.deliver(node(t), sender(t).name) },
			"push":    func(t *rapid.T) { w.deliver(node(t), "device") },
			"link":    func(*rapid.T) { w.deliver(before, "link") },
			"ack":     func(*rapid.T) { w.ackSome() },
			"session": func(t *rapid.T) { w.sessionNext(node(t)) },
			"time": func(t *rapid.T) {
				w.now = w.now.Add(time.Duration(rapid.IntRange(0, 4000).Draw(t, "ms")) * time.Millisecond)
				w.tick()
			},
			"room":    func(t *rapid.T) { w.owners[node(t)].r.noRoom = rapid.IntRange(0, 3).Draw(t, "full") == 0 },
			"reload":  func(*rapid.T) { w.reload() },
			"follow":  func(t *rapid.T) { w.follows(sender(t)) },
			"handoff": func(t *rapid.T) { w.next(rapid.IntRange(0, 9).Draw(t, "step")) },
		}
		names := slices.Sorted(maps.Keys(steps))
		for range rapid.IntRange(100, 250).Draw(t, "steps") { // a handoff takes more of them than Repeat makes by itself
			steps[rapid.SampledFrom(names).Draw(t, "what")](t)
			w.owners[before].r.check()
			w.owners[after].r.check()
		}
		w.finish()
	})
}

// next is a step of the handoff.
func (w *handing) next(step int) {
	o := w.owners[before]
	switch {
	case step == 0 && !o.dead:
		w.die()
	case step == 1 && !w.open && (w.moved || w.parted || o.dead): // 2 s are over, or it is known to be dead
		w.timeUp()
	case step < 4 && !w.parted, step == 4 && w.open:
		w.move()
	case w.moved && o.alive:
		w.retire()
	case w.open && w.device.at == before:
		w.attach(after)
	}
}

// timeUp opens the new owner without a release. The old one, if it has been told, has ended by now.
func (w *handing) timeUp() {
	if o := w.owners[before]; o.alive && w.moved {
		w.end(false)
	}
	w.opens(false)
}

func (w *handing) result(t *rapid.T) lane.Result {
	return rapid.SampledFrom([]lane.Result{lane.Stored, lane.Stored, lane.Stored, lane.Full}).Draw(t, "result")
}

func (w *handing) arriveNext(c *correspondent, i int) {
	if len(c.out[i]) > 0 {
		d := c.out[i][0]
		c.out[i] = c.out[i][1:]
		w.arrive(i, d, false)
	}
}

func (w *handing) sessionNext(i int) {
	if d := &w.device; len(d.out[i]) > 0 {
		m := d.out[i][0]
		d.out[i] = d.out[i][1:]
		w.arrive(i, m, false)
	}
}

func (w *handing) handleNext(o *owner) {
	if o.alive && len(o.queue) > 0 && !o.r.st.handoff.retiring {
		m := o.queue[0]
		o.queue = o.queue[1:]
		w.handle(o, m)
	}
}

// finish brings the handoff to its end and looks for what was lost.
func (w *handing) finish() {
	for _, o := range w.owners {
		o.r.noRoom = false
	}
	w.note("finish")
	if w.open {
		w.move()
	}
	for i := 0; ; i++ {
		open := w.round()
		if o := w.owners[before]; w.moved && o.alive {
			w.retire()
		}
		if (w.moved || w.owners[before].dead) && !w.open && i > 20 {
			w.timeUp()
		}
		if open == 0 && i > 30 {
			break
		}
		if i > 2000 {
			w.fail("%d messages have no outcome", open)
		}
		w.now = w.now.Add(100 * time.Millisecond)
		w.tick()
	}
	for w.notices > 0 || w.owners[after].r.st.reload.tag != 0 {
		w.reload()
	}
	at := before
	if w.open {
		at = after
	}
	w.attach(at)
	for i := 0; len(w.rows) > 0; i++ {
		w.round()
		w.ackSome()
		if i > 200 {
			w.fail("%d rows never come", len(w.rows))
		}
	}
	w.judge()
}

// judge looks at what became of the messages.
func (w *handing) judge() {
	for _, n := range w.byID {
		switch {
		case n.code == ok && n.seen == 0:
			w.fail("%s %d was accepted and never came", n.by.name, n.n)
		case (n.code == later || n.code == quota) && n.seen > 0:
			w.fail("%s %d was certainly not taken, and came", n.by.name, n.n)
		}
		for _, m := range w.byID {
			if m.by == n.by && m.code == ok && n.code == ok && m.n < n.n && m.seen > n.seen && !m.full && !w.parted {
				w.fail("%s %d comes after %d", n.by.name, m.n, n.n)
			}
		}
	}
}

// round lets everything that is on its way arrive, and returns how many messages have no outcome.
func (w *handing) round() (open int) {
	for range 3 {
		for _, c := range w.senders {
			w.follows(c)
			for i := range w.owners {
				for len(c.out[i]) > 0 {
					w.arriveNext(c, i)
				}
			}
		}
		for i, o := range w.owners {
			for len(w.device.out[i]) > 0 {
				w.sessionNext(i)
			}
			for o.alive && len(o.queue) > 0 && !o.r.st.handoff.retiring {
				w.handleNext(o)
			}
			for o.alive && len(o.r.appends) > 0 && w.snapshot == nil {
				w.commit(o, lane.Stored)
			}
			w.lanes(o)
			for _, to := range []string{"juliet", "tybalt", "device", "link"} {
				for len(o.out[to]) > 0 {
					w.deliver(i, to)
				}
			}
		}
		w.reload()
	}
	for _, c := range w.senders {
		open += c.box.Len()
	}
	return open
}
