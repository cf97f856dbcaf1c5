package cluster

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/cluster/placement"
	"github.com/jackdaw-im/jackdaw/ident"
)

// handover is some states that hear of views one after the other, and what is under way between them, about one partition.
type handover struct {
	pinWorld // its clock, its list and its links
	p        ident.Partition
	nodes    map[ident.NodeID]*holder
	views    []View
	trace    []string
}

// holder is a node of a handover: its state, and the actors of the partition that it has.
type holder struct {
	*state
	knows  int // the newest view
	actors bool
	ending bool
	dead   bool
}

// start has a node see the views, from now on.
func (w *handover) start(id ident.NodeID) {
	w.nodes[id] = &holder{state: newState(id, time.Minute)}
}

// living are the nodes that are there, sorted.
func (w *handover) living() (list []ident.NodeID) {
	for id, n := range w.nodes {
		if !n.dead {
			list = append(list, id)
		}
	}
	slices.Sort(list)
	return list
}

// change makes a view, of which each node hears by and by, or only of a later one.
func (w *handover) change() {
	list := w.living()
	v := View{ID: uint64(len(w.views) + 1), Peers: map[ident.NodeID]string{}, Hears: map[ident.NodeID]bool{}}
	w.rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	old := false // there is a node that isn't new: nobody comes into everything
	for i, id := range list {
		v.Peers[id], v.Hears[id] = "there", true
		known := w.nodes[id].knows > 0 || len(w.views) == 0
		if known && !old && !slices.ContainsFunc(list[i+1:], func(id ident.NodeID) bool { return w.nodes[id].knows > 0 }) || w.rng.IntN(2) == 0 {
			v.Placed = append(v.Placed, placement.Node{ID: id, Weight: 100})
			old = old || known
		}
	}
	w.views = append(w.views, v)
	w.note("view %d: %v", v.ID, v.Placed)
	slices.Sort(list)
	for _, id := range list {
		n := w.nodes[id]
		w.after(w.random(300*time.Millisecond), func() {
			if n.dead || n.knows >= int(v.ID) {
				return
			}
			n.knows = int(v.ID)
			own := v
			own.Peers = map[ident.NodeID]string{}
			for peer, addr := range v.Peers {
				if peer != id {
					own.Peers[peer] = addr
				}
			}
			w.did(n, fmt.Sprint("sees view ", v.ID), n.look(w.now, own))
		})
	}
}

func (w *handover) note(f string, args ...any) {
	w.trace = append(w.trace, w.now.Format("05.000 ")+fmt.Sprintf(f, args...))
}

// link brings something to a node that knows this one, after what was sent before.
func (w *handover) link(from *holder, to ident.NodeID, what string, do func(n *holder) effects) {
	way := [2]ident.NodeID{from.self, to}
	at := w.now.Add(w.random(50 * time.Millisecond))
	if w.line[way].After(at) {
		at = w.line[way]
	}
	w.line[way] = at
	n := w.nodes[to]
	var come func()
	come = func() {
		switch {
		case n == nil || n.dead || from.dead && !n.known[from.self]:
		case !n.known[from.self]:
			w.after(10*time.Millisecond, come)
		default:
			w.did(n, what+" from "+string(from.self), do(n))
		}
	}
	w.after(at.Sub(w.now), come)
}

// did does what an event leads to.
func (w *handover) did(n *holder, what string, fx effects) {
	has := func(list []ident.Partition) bool { return slices.Contains(list, w.p) }
	p := &n.parts[w.p]
	w.note("%s %s: owner %s phase %d leaving %v from %s released %v owed %s has %v quiet %v", n.self, what, p.owner, p.phase, p.leaving, p.from, p.released, p.owed, p.has, !p.quiet.IsZero())
	if has(fx.left) {
		if n.actors && !n.ending {
			n.ending = true
			w.after(w.random(300*time.Millisecond), func() { n.actors, n.ending = false, false })
		}
		w.retire(n)
	}
	if has(fx.claim) {
		if has(fx.unreleased) && n.known[p.from] {
			w.fail("%s has it unreleased", n.self)
		}
		w.after(time.Millisecond, func() {
			if !n.dead {
				w.did(n, "has claimed", n.claimed(w.now, fx.claim, fx.number))
			}
		})
	}
	if has(fx.opened) {
		n.actors = true
		w.opened++
	}
	for to, said := range fx.routed {
		var some word
		if has(said.list) {
			some.list = append(some.list, w.p)
		}
		w.link(n, to, fmt.Sprint("hears routes ", some.list), func(x *holder) effects { return x.heard(w.now, n.self, some) })
	}
	for to, list := range fx.released {
		if has(list) {
			w.note("%s releases to %s, %d", n.self, to.to, to.passes)
			w.link(n, to.to, fmt.Sprint("is released ", to.passes), func(x *holder) effects { return x.let(w.now, n.self, to.passes, []ident.Partition{w.p}) })
		}
	}
	if at := n.next; !at.IsZero() {
		w.after(max(at.Sub(w.now), 0), func() {
			if !n.dead && n.next.Equal(at) {
				w.did(n, "looks", n.tick(w.now))
			}
		})
	}
	acting := ""
	for _, id := range w.living() {
		if n := w.nodes[id]; n.actors && len(w.living()) == len(w.nodes) { // nobody waits for who is lost, nor for whoever that one waited for
			if acting != "" {
				w.fail("%s and %s both have its actors", acting, id)
			}
			acting = string(id)
		}
	}
}

// retire is Cluster.retire: it waits until no actor is here that isn't this node's.
func (w *handover) retire(n *holder) {
	w.after(10*time.Millisecond, func() {
		switch {
		case n.dead:
		case n.actors && n.parts[w.p].phase != mine:
			w.retire(n)
		default:
			w.did(n, "has none", n.gone(w.now, []ident.Partition{w.p}))
		}
	})
}

// play has some views come, and wants the partition open where it belongs soon after the last. Hold is far longer than all that.
func play(t *testing.T, seed uint64, joins, dies bool) (opened int) {
	w := &handover{pinWorld: pinWorld{now: time.Unix(1000, 0), rng: rand.New(rand.NewPCG(seed, 3)), line: map[[2]ident.NodeID]time.Time{}}, nodes: map[ident.NodeID]*holder{}}
	w.p = ident.Partition(w.rng.IntN(ident.Partitions))
	w.fail = func(f string, args ...any) {
		for _, s := range w.trace {
			t.Log(s)
		}
		t.Fatalf("seed %d: "+f, append([]any{seed}, args...)...)
	}
	for _, id := range []ident.NodeID{"a@1", "b@1", "c@1", "d@1"} {
		w.start(id)
	}
	w.change()
	w.until(w.now.Add(70 * time.Second)) // nobody was there before, whom the first view has them wait for
	w.trace = nil
	begin := w.now
	at := w.now
	for i := range 10 {
		at = at.Add(w.random(time.Second))
		w.after(at.Sub(begin), func() {
			if joins && i == 5 {
				w.start("e@1")
			}
			w.change()
		})
	}
	if dies { // while partitions move once, and the others see that a while later: with several changes at once it may take until hold is over
		at = at.Add(2 * time.Second)
		w.after(at.Sub(begin), w.change)
		w.after(at.Sub(begin)+w.random(400*time.Millisecond), func() {
			id := w.living()[w.rng.IntN(4)]
			w.nodes[id].dead = true
			w.note("%s dies", id)
		})
		at = at.Add(400 * time.Millisecond)
		w.after(at.Sub(begin), w.change)
	}
	w.until(at.Add(2 * time.Second))
	for _, id := range w.living() {
		p := &w.nodes[id].parts[w.p]
		if own := p.owner == id; own != (p.phase == mine) || p.leaving || !p.quiet.IsZero() {
			w.fail("in the end %s has it so: %+v", id, *p)
		}
	}
	return w.opened
}

// until lets time pass.
func (w *handover) until(end time.Time) {
	for len(w.todo) > 0 {
		slices.SortStableFunc(w.todo, func(a, b pending) int { return a.at.Compare(b.at) })
		next := w.todo[0]
		if next.at.After(end) {
			break
		}
		w.todo = w.todo[1:]
		w.now = next.at
		next.do()
	}
	w.now = end
}

var handovers = flag.Uint64("handovers", 100, "how many random handovers of each kind are tried")

// TestHandovers: whatever the order in which nodes hear of views, and whichever they never hear of, no two nodes have actors of a partition at a
// time, and as they agree its owner has it without waiting for as long as hold says.
func TestHandovers(t *testing.T) {
	for name, x := range map[string]struct{ joins, dies bool }{"all stay": {}, "one joins": {joins: true}, "one dies": {dies: true}} {
		t.Run(name, func(t *testing.T) {
			opened := 0
			for seed := uint64(0); seed < *handovers; seed++ {
				opened += play(t, seed, x.joins, x.dies)
			}
			t.Logf("opened %d times", opened)
		})
	}
}
