package simcluster

import (
	"time"
)

// fault is something that happens to a cluster under load.
type fault struct {
	name  string
	nodes int
	do    func(w *world)
	// parts: while it is on, and until all agree again, two nodes may have the same mailbox, so that the order isn't promised and
	// that messages may wait in vain.
	parts bool
	// within bounds how long anybody waits for an outcome; 0: nothing does but the patience of senders.
	within time.Duration
	// waits: nobody may have an answer within a message's patience.
	waits bool
	// noDetours: nobody passes frames on.
	noDetours bool
	// emptied: nodes end only after they have given all away, so that each stream can be resumed.
	emptied bool
	// restless: mailboxes move faster than sessions, or views, follow, so that requests may get no answer.
	restless bool
	// trust: nodes have keys and certificates.
	trust bool
	// slow: it takes long, and runs with few seeds.
	slow bool
}

// detourTime is how long a message may wait for its outcome when a detour has to be found: two seconds and what was asked in vain before, and, for
// the way to the mailbox and that of the outcome, twice.
const detourTime = 5 * time.Second

// faults are all there are, apart from two at once.
var faults = []fault{
	{name: "none", within: 3 * time.Second, nodes: 3, do: func(w *world) { w.wait(10 * time.Second) }},
	{name: "crash", nodes: 4, do: func(w *world) { w.some().crash(); w.wait(20 * time.Second) }},
	{name: "crash and restart", nodes: 4, do: crashAndRestart},
	{name: "restart at once", nodes: 3, do: func(w *world) {
		n := w.some()
		n.crash()
		w.wait(w.between(0, 2*time.Second))
		w.start(n.name)
		w.wait(20 * time.Second)
	}},
	{name: "two crashes", nodes: 5, do: func(w *world) {
		w.some().crash()
		w.wait(w.between(0, 12*time.Second))
		w.some().crash()
		w.wait(20 * time.Second)
	}},
	{name: "pause", nodes: 4, parts: true, do: func(w *world) {
		n := w.some()
		n.sim.Pause()
		w.wait(30 * time.Second)
		n.sim.Resume()
	}},
	{name: "short pause", nodes: 4, parts: true, do: func(w *world) {
		n := w.some()
		for range 4 {
			n.sim.Pause()
			w.wait(w.between(500*time.Millisecond, 6*time.Second))
			n.sim.Resume()
			w.wait(w.between(0, 3*time.Second))
		}
	}},
	{name: "cut 1|2", nodes: 3, parts: true, do: func(w *world) { w.part(1, w.between(5*time.Second, time.Minute)) }},
	{name: "cut 2|2", nodes: 4, parts: true, do: func(w *world) { w.part(2, w.between(5*time.Second, time.Minute)) }},
	{name: "one way cut", nodes: 4, within: detourTime, do: func(w *world) {
		from, to := w.pair()
		w.net.Cut(from.name, to.name)
		w.wait(30 * time.Second)
		w.net.Heal()
	}},
	{name: "cut of a pair", nodes: 3, within: detourTime, do: func(w *world) {
		a, b := w.pair()
		w.net.CutBoth(a.name, b.name)
		w.wait(30 * time.Second)
		w.net.Heal()
	}},
	{name: "cuts of two pairs", nodes: 4, within: detourTime, do: func(w *world) {
		list := w.living()
		w.net.CutBoth(list[0].name, list[1].name)
		w.wait(w.between(0, 5*time.Second))
		w.net.CutBoth(list[2].name, list[3].name)
		w.wait(30 * time.Second)
		w.net.Heal()
	}},
	{name: "flaps of a pair", nodes: 3, within: 2 * detourTime, do: func(w *world) {
		a, b := w.pair()
		for range 8 {
			w.net.Cut(a.name, b.name)
			if w.draw(2) == 0 {
				w.net.Cut(b.name, a.name)
			}
			w.wait(w.between(100*time.Millisecond, 6*time.Second))
			w.net.Heal()
			w.wait(w.between(100*time.Millisecond, 6*time.Second))
		}
	}},
	{name: "a detour is lost", nodes: 4, do: func(w *world) {
		a, b := w.pair()
		w.net.CutBoth(a.name, b.name)
		w.wait(w.between(5*time.Second, 10*time.Second))
		if via := a.via(b); via != nil {
			via.crash()
		}
		w.wait(30 * time.Second)
		w.net.Heal()
	}},
	{name: "cut of a pair, no detours", nodes: 3, parts: true, noDetours: true, do: func(w *world) {
		a, b := w.pair()
		w.net.Cut(a.name, b.name)
		w.wait(20 * time.Second)
		w.net.Heal()
	}},
	{name: "deaf", nodes: 4, parts: true, do: func(w *world) {
		deaf := w.some()
		for _, n := range w.living() {
			if n != deaf {
				w.net.Cut(n.name, deaf.name)
			}
		}
		w.wait(30 * time.Second)
		w.net.Heal()
	}},
	{name: "lossy", nodes: 4, do: func(w *world) {
		w.net.Loss(0.1)
		w.net.Duplicate(0.1)
		w.net.Reorder(0.1)
		w.net.Delay(time.Millisecond, 40*time.Millisecond)
		w.wait(20 * time.Second)
		w.calm()
	}},
	{name: "lossy crash", nodes: 4, do: func(w *world) {
		w.net.Loss(0.05)
		w.net.Duplicate(0.1)
		w.net.Reorder(0.1)
		w.net.Delay(time.Millisecond, 30*time.Millisecond)
		crashAndRestart(w)
		w.calm()
	}},
	{name: "slow net join", within: 3 * time.Second, nodes: 3, do: func(w *world) {
		w.net.Delay(20*time.Millisecond, 300*time.Millisecond)
		w.wait(3 * time.Second)
		w.start(nameOf(4))
		w.wait(15 * time.Second)
		w.calm()
	}},
	{name: "join", within: 3 * time.Second, nodes: 3, do: func(w *world) { w.start(nameOf(4)); w.wait(10 * time.Second) }},
	{name: "many join", within: 3 * time.Second, nodes: 2, do: func(w *world) {
		for i := range 6 {
			w.start(nameOf(3 + i))
			w.wait(w.between(0, 300*time.Millisecond))
		}
		w.wait(10 * time.Second)
	}},
	{name: "leave", emptied: true, within: 3 * time.Second, nodes: 4, do: func(w *world) { w.some().leave(); w.wait(5 * time.Second) }},
	{name: "rolling restart", emptied: true, within: 3 * time.Second, nodes: 3, do: func(w *world) {
		for i := range 3 {
			n := w.living()[i]
			n.leave()
			w.wait(w.between(0, 3*time.Second))
			w.start(n.name)
			w.agree(time.Minute)
		}
	}},
	{name: "rolling crash", nodes: 4, do: func(w *world) {
		for i := range 4 {
			n := w.living()[i]
			n.crash()
			w.wait(w.between(0, 20*time.Second))
			w.start(n.name)
			w.agree(90 * time.Second)
		}
	}},
	{name: "join and crash", nodes: 3, do: func(w *world) {
		w.start(nameOf(4))
		w.wait(w.between(0, 3*time.Second))
		w.some().crash()
		w.wait(20 * time.Second)
	}},
	{name: "leave and crash", nodes: 4, do: func(w *world) {
		list := w.living()
		time.AfterFunc(w.between(0, 2*time.Second), func() { list[1].crash() })
		list[0].leave()
		w.wait(20 * time.Second)
	}},
	{name: "all restarted", nodes: 3, waits: true, do: func(w *world) {
		list := w.living()
		for _, n := range list {
			n.crash()
		}
		w.wait(w.between(0, 5*time.Second))
		for _, n := range list {
			w.start(n.name)
		}
		w.wait(20 * time.Second)
	}},
	{name: "flap", nodes: 4, parts: true, do: func(w *world) {
		for range 3 {
			w.flap(w.between(500*time.Millisecond, 4*time.Second))
			w.wait(w.between(0, 5*time.Second))
		}
	}},
	{name: "long flap", nodes: 4, parts: true, do: func(w *world) { w.flap(30 * time.Second) }},
	{name: "cut and crash", nodes: 4, parts: true, do: func(w *world) {
		list := w.living()
		w.net.Partition([]string{list[0].name, list[1].name}, []string{list[2].name, list[3].name})
		w.wait(w.between(time.Second, 30*time.Second))
		list[3].crash()
		w.wait(10 * time.Second)
		w.net.Heal()
		w.start(list[3].name)
	}},
	{name: "pins", within: 3 * time.Second, nodes: 4, do: func(w *world) {
		defer w.watchTwins()()
		for range 25 {
			w.pinSome(w.users)
			w.wait(w.between(0, time.Second))
		}
		w.wait(3 * time.Second)
	}},
	{name: "pins in haste", restless: true, within: 3 * time.Second, nodes: 4, do: func(w *world) {
		defer w.watchTwins()()
		for range 60 {
			w.pinSome(w.users[:2])
			w.wait(w.between(0, 150*time.Millisecond))
		}
		w.wait(3 * time.Second)
	}},
	{name: "pins and join", within: 3 * time.Second, nodes: 3, do: func(w *world) {
		for i := range 20 {
			if i == 5 || i == 10 {
				w.start(nameOf(4 + i/10))
			}
			w.pinSome(w.users)
			w.wait(w.between(0, 500*time.Millisecond))
		}
		w.wait(5 * time.Second)
	}},
	{name: "pins and leave", emptied: true, restless: true, within: 3 * time.Second, nodes: 4, do: func(w *world) {
		for i := range 20 {
			if i == 8 {
				w.some().leave()
			}
			w.pinSome(w.users)
			w.wait(w.between(0, 500*time.Millisecond))
		}
		w.wait(5 * time.Second)
	}},
	{name: "pins and crash", nodes: 4, do: func(w *world) {
		for i := range 30 {
			if i == 10 {
				n := w.some()
				n.crash()
				time.AfterFunc(w.between(0, 20*time.Second), func() { w.start(n.name) })
			}
			w.pinSome(w.users)
			w.wait(w.between(0, time.Second))
		}
		w.wait(20 * time.Second)
	}},
	{name: "pinned crash", nodes: 4, do: func(w *world) {
		n := w.pinAll()
		n.crash()
		w.wait(w.between(0, 25*time.Second))
		w.start(n.name)
		w.wait(10 * time.Second)
	}},
	{name: "pinned pause", nodes: 4, parts: true, do: func(w *world) {
		n := w.pinAll()
		n.sim.Pause()
		w.wait(30 * time.Second)
		n.sim.Resume()
	}},
	{name: "pinned short pause", nodes: 4, parts: true, do: func(w *world) {
		n := w.pinAll()
		for range 4 {
			n.sim.Pause()
			w.wait(w.between(500*time.Millisecond, 9*time.Second))
			n.sim.Resume()
			w.wait(w.between(0, 3*time.Second))
		}
	}},
	{name: "pinned cut", nodes: 4, parts: true, do: func(w *world) {
		n := w.pinAll()
		for _, other := range w.living() {
			if other != n {
				w.net.CutBoth(n.name, other.name)
			}
		}
		w.wait(w.between(5*time.Second, time.Minute))
		w.net.Heal()
	}},
	{name: "pinned cut and others restarted", nodes: 3, parts: true, do: func(w *world) {
		n := w.pinAll()
		list := w.living()
		for _, other := range list {
			if other != n {
				w.net.CutBoth(n.name, other.name)
			}
		}
		w.wait(w.between(10*time.Second, time.Minute))
		for _, other := range list {
			if other != n {
				other.crash()
			}
		}
		w.net.Heal()
		for _, other := range list {
			if other != n {
				w.start(other.name)
			}
		}
	}},
	{name: "cut of ten minutes", nodes: 4, parts: true, slow: true, do: func(w *world) { w.part(2, 10*time.Minute) }},
}

func crashAndRestart(w *world) {
	n := w.some()
	n.crash()
	w.wait(w.between(0, 25*time.Second))
	w.start(n.name)
	w.wait(10 * time.Second)
}

// pair is two of the living.
func (w *world) pair() (a, b *node) {
	list := w.living()
	i := w.draw(len(list))
	return list[i], list[(i+1+w.draw(len(list)-1))%len(list)]
}

// via is the node by which another one is reached, nil if that is reached directly.
func (n *node) via(to *node) *node {
	for _, p := range n.links.Paths() {
		for _, x := range n.w.living() {
			if p.Peer.ID == to.id && p.Via == x.id {
				return x
			}
		}
	}
	return nil
}

// part cuts the first n nodes off the others for a while.
func (w *world) part(n int, d time.Duration) {
	var sides [2][]string
	for i, x := range w.living() {
		side := min(i/n, 1)
		sides[side] = append(sides[side], x.name)
	}
	w.net.Partition(sides[0], sides[1])
	w.wait(d)
	w.net.Heal()
}

// flap cuts all links for a while.
func (w *world) flap(d time.Duration) {
	list := w.living()
	for i, a := range list {
		for _, b := range list[i+1:] {
			w.net.CutBoth(a.name, b.name)
		}
	}
	w.wait(d)
	w.net.Heal()
}

// calm makes the network as it was at first.
func (w *world) calm() {
	w.net.Loss(0)
	w.net.Duplicate(0)
	w.net.Reorder(0)
	w.net.Delay(200*time.Microsecond, time.Millisecond)
}
