package cluster

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/cluster/placement"
	"github.com/jackdaw-im/jackdaw/ident"
)

// refOf is an actor whose partition is one node's among some.
func refOf(to ident.NodeID, placed ...ident.NodeID) actors.Ref {
	t := placement.Make(viewOf(1, placed...).Placed)
	for i := 0; ; i++ {
		if ref := (actors.Ref{Kind: "box", ID: fmt.Sprint(i)}); t.Owner(ident.PartitionOf(ref.Kind, ref.ID)) == to {
			return ref
		}
	}
}

func pinTo(ref actors.Ref, node string) placement.Pins {
	return placement.Pins{}.With(placement.Pin{Kind: ref.Kind, ID: ref.ID, Node: node})
}

// opened is a state in which a node has all that it owns in a view.
func openedState(self ident.NodeID, v View, now time.Time) *state {
	st := newState(self, 2*time.Second)
	st.look(now, View{ID: v.ID, Peers: v.Peers})
	st.look(now, v)
	fx := st.tick(now.Add(3 * time.Second))
	st.claimed(now.Add(3*time.Second), fx.claim, fx.number)
	return st
}

// three are the states of three nodes that see each other, and an actor whose partition is a's.
func three(now time.Time) (a, b, c *state, ref actors.Ref) {
	nodes := []ident.NodeID{"a@1", "b@1", "c@1"}
	var list []*state
	for _, id := range nodes {
		v := viewOf(1, nodes...)
		delete(v.Peers, id)
		list = append(list, openedState(id, v, now))
	}
	return list[0], list[1], list[2], refOf("a@1", nodes...)
}

// TestPinned: step by step, from the partition's owner to the pin's node and back.
func TestPinned(t *testing.T) {
	now := time.Unix(1000, 0)
	a, b, c, ref := three(now)
	now = now.Add(time.Minute)
	is := func(st *state, home ident.NodeID, ph phase) {
		t.Helper()
		if h, p := st.at(ref); h != home || p != ph {
			t.Fatalf("%s has it as %s's, in phase %d; want %s, %d", st.self, h, p, home, ph)
		}
	}
	is(a, "a@1", mine)
	is(b, "a@1", away)

	// b hears of the pin first, and waits. a and c don't answer before they know.
	fx := b.setPins(now, pinTo(ref, "b"))
	is(b, "b@1", waiting)
	asked := fx.question
	if len(fx.asks) != 2 || !slices.Equal(fx.asks["a@1"], []actors.Ref{ref}) || len(fx.openers) > 0 || b.next != now.Add(2*time.Second) {
		t.Fatalf("%+v", fx)
	}
	for _, st := range []*state{a, c} {
		if fx := st.wanted(now, "b@1", asked, []actors.Ref{ref}); len(fx.yields) > 0 {
			t.Fatalf("%s answers: %+v", st.self, fx.yields)
		}
	}
	is(a, "a@1", mine)
	fx = c.setPins(now.Add(time.Second), pinTo(ref, "b"))
	if len(fx.yields) != 1 || fx.yields[0].to != "b@1" || fx.yields[0].number != asked || len(fx.leavers) > 0 {
		t.Fatalf("%+v", fx)
	}
	b.yielded(now, "c@1", asked, time.Millisecond, []actors.Ref{ref})
	is(b, "b@1", waiting)

	// a does, once its actor has gone.
	fx = a.setPins(now.Add(time.Second), pinTo(ref, "b"))
	is(a, "b@1", away)
	if len(fx.leavers) != 1 || !fx.leavers[0].ran || len(fx.yields) > 0 {
		t.Fatalf("%+v", fx)
	}
	fx = a.ended(now.Add(time.Second), fx.leavers)
	if len(fx.yields) != 1 || fx.yields[0].number != asked {
		t.Fatalf("%+v", fx)
	}
	if fx := b.yielded(now, "a@1", asked+100, 0, []actors.Ref{ref}); len(fx.openers) > 0 {
		t.Fatal("it is opened by the answer to another question")
	}
	fx = b.yielded(now, "a@1", asked, time.Millisecond, []actors.Ref{ref})
	if len(fx.openers) != 1 || !fx.openers[0].released || fx.openers[0].from != "a@1" {
		t.Fatalf("%+v", fx)
	}
	is(b, "b@1", mine)

	// The pin is taken away. b tells a though a hasn't asked yet, and again when it has.
	fx = b.setPins(now, placement.Pins{})
	is(b, "a@1", away)
	fx = b.ended(now, fx.leavers)
	if len(fx.yields) != 1 || fx.yields[0].number != 0 || fx.yields[0].to != "a@1" {
		t.Fatalf("%+v", fx)
	}
	a.yielded(now, "b@1", 0, 0, []actors.Ref{ref})
	is(a, "b@1", away)
	fx = a.setPins(now, placement.Pins{})
	is(a, "a@1", waiting)
	asked = fx.question
	c.setPins(now, placement.Pins{})
	for _, st := range []*state{b, c} {
		fx := st.wanted(now, "a@1", asked, []actors.Ref{ref})
		if len(fx.yields) != 1 {
			t.Fatalf("%s: %+v", st.self, fx)
		}
		fx = a.yielded(now, st.self, asked, fx.yields[0].age, []actors.Ref{ref})
	}
	is(a, "a@1", mine)

	// After a while it is nothing but a part of its partition again.
	for _, st := range []*state{a, b, c} {
		if st.tick(now.Add(time.Second)); len(st.pinned) != 1 {
			t.Errorf("%s has forgotten it too early", st.self)
		}
		if st.tick(now.Add(time.Minute)); len(st.pinned) != 0 {
			t.Errorf("%s still has %+v", st.self, *st.pinned[ref])
		}
	}
	is(a, "a@1", mine)
	is(b, "a@1", away)
}

// TestPinnedWaitsInVain: what doesn't answer is waited for until it is gone, or for a bounded time. Who answers later has had it until then.
func TestPinnedWaitsInVain(t *testing.T) {
	now := time.Unix(1000, 0)
	for _, lost := range []bool{true, false} {
		_, b, _, ref := three(now)
		begin := now.Add(time.Minute)
		asked := b.setPins(begin, pinTo(ref, "b")).question
		b.yielded(begin, "c@1", asked, 0, []actors.Ref{ref})
		var fx effects
		if lost {
			v := viewOf(2, "b@1", "c@1")
			delete(v.Peers, "a@1")
			fx = b.look(begin.Add(time.Second), v)
		} else if fx = b.tick(begin.Add(1900 * time.Millisecond)); len(fx.openers) == 0 {
			fx = b.tick(begin.Add(2 * time.Second))
		}
		if len(fx.openers) != 1 || fx.openers[0].released {
			t.Fatalf("lost %v: %+v", lost, fx.openers)
		}
		if lost {
			continue
		}
		fx = b.yielded(begin.Add(3*time.Second), "a@1", asked, 0, []actors.Ref{ref})
		if len(fx.leavers) != 1 || !fx.leavers[0].ran {
			t.Fatalf("it doesn't begin anew: %+v", fx)
		}
		if _, ph := b.at(ref); ph != waiting {
			t.Fatal(ph)
		}
		if fx = b.ended(begin.Add(3*time.Second), fx.leavers); len(fx.openers) != 1 {
			t.Fatalf("%+v", fx)
		}
	}
}

// TestPinnedHereMeanwhileElsewhere: when a pinned actor begins anew, since others may have had it.
func TestPinnedHereMeanwhileElsewhere(t *testing.T) {
	start := time.Unix(1000, 0)
	alone := viewOf(2, "b@1")
	alone.Peers = nil
	all := viewOf(3, "a@1", "b@1", "c@1")
	delete(all.Peers, "b@1")
	newcomer := viewOf(3, "a@1", "b@1", "c@1")
	newcomer.Peers = map[ident.NodeID]string{"a@1": "x", "c@1": "x", "d@1": "x"}
	for _, x := range []struct {
		name string
		do   func(b *state, now time.Time, answer func(id ident.NodeID, fx effects, age time.Duration) effects) effects
		anew bool
	}{
		{"a node comes that has always seen it here", func(b *state, now time.Time, answer func(ident.NodeID, effects, time.Duration) effects) effects {
			return answer("d@1", b.look(now, newcomer), 0)
		}, false},
		{"a node comes that has seen it elsewhere", func(b *state, now time.Time, answer func(ident.NodeID, effects, time.Duration) effects) effects {
			return answer("d@1", b.look(now, newcomer), time.Second)
		}, true},
		{"a node comes that has seen it elsewhere before it was here", func(b *state, now time.Time, answer func(ident.NodeID, effects, time.Duration) effects) effects {
			return answer("d@1", b.look(now, newcomer), time.Hour)
		}, false},
		{"a node comes that doesn't answer", func(b *state, now time.Time, answer func(ident.NodeID, effects, time.Duration) effects) effects {
			b.look(now, newcomer)
			return b.tick(now.Add(2 * time.Second))
		}, true},
		{"others were gone, and say that it was always here: those before them may have had it", func(b *state, now time.Time, answer func(ident.NodeID, effects, time.Duration) effects) effects {
			b.look(now, alone)
			fx := b.look(now, all)
			answer("a@1", fx, 0)
			return answer("c@1", fx, 0)
		}, true},
		{"another had given this node up", func(b *state, now time.Time, answer func(ident.NodeID, effects, time.Duration) effects) effects {
			return b.returned(now, "a@1")
		}, true},
		{"an unknown one had", func(b *state, now time.Time, answer func(ident.NodeID, effects, time.Duration) effects) effects {
			return b.returned(now, "x@1")
		}, false},
		{"another has had it and lets go", func(b *state, now time.Time, answer func(ident.NodeID, effects, time.Duration) effects) effects {
			return b.yielded(now, "a@1", 0, time.Millisecond, []actors.Ref{refOf("a@1", "a@1", "b@1", "c@1")})
		}, true},
	} {
		_, b, _, ref := three(start)
		now := start.Add(time.Minute)
		asked := b.setPins(now, pinTo(ref, "b")).question
		b.yielded(now, "a@1", asked, 0, []actors.Ref{ref})
		if fx := b.yielded(now, "c@1", asked, 0, []actors.Ref{ref}); len(fx.openers) != 1 {
			t.Fatal(x.name, fx)
		}
		now = now.Add(time.Minute)
		fx := x.do(b, now, func(id ident.NodeID, fx effects, age time.Duration) effects {
			if len(fx.asks[id]) != 1 {
				t.Fatalf("%s: %s isn't asked: %+v", x.name, id, fx.asks)
			}
			return b.yielded(now, id, fx.question, age, []actors.Ref{ref})
		})
		if anew := len(fx.leavers) == 1 && fx.leavers[0].ran; anew != x.anew {
			t.Errorf("%s: it begins anew: %v", x.name, anew)
		}
		if _, ph := b.at(ref); (ph == mine) == x.anew {
			t.Errorf("%s: phase %d", x.name, ph)
		}
	}
}

// TestPinnedAndItsPartition: what is the partition's owner's by the pin, or has no node, isn't open before the partition is claimed.
func TestPinnedAndItsPartition(t *testing.T) {
	now := time.Unix(1000, 0)
	ref := refOf("b@1", "b@1")
	for _, node := range []string{"b", "x"} {
		st := newState("b@1", 2*time.Second)
		st.setPins(now, pinTo(ref, node))
		v := viewOf(1, "b@1")
		v.Peers = nil
		fx := st.look(now, v)
		if len(fx.claim) != ident.Partitions || len(fx.openers) > 0 {
			t.Fatalf("%d claimed, %v opened", len(fx.claim), fx.openers)
		}
		if fx = st.claimed(now, fx.claim, fx.number); len(fx.openers) != 1 {
			t.Errorf("not opened with its partition: %v", fx.openers)
		}
	}
}

// pinWorld is some states, and what is under way between them.
type pinWorld struct {
	now    time.Time
	rng    *rand.Rand
	states []*state
	ref    actors.Ref
	tables []placement.Pins
	knows  []int // of each node: the newest of the tables
	todo   []pending
	line   map[[2]ident.NodeID]time.Time // when the last on each link comes
	fail   func(string, ...any)
	opened int
}

type pending struct {
	at time.Time
	do func()
}

func (w *pinWorld) after(d time.Duration, do func()) {
	w.todo = append(w.todo, pending{w.now.Add(d), do})
}

func (w *pinWorld) random(most time.Duration) time.Duration {
	return time.Duration(w.rng.Int64N(int64(most)))
}

// send brings something to a node, after what was sent on the same link before.
func (w *pinWorld) send(from, to ident.NodeID, do func(st *state) effects) {
	link := [2]ident.NodeID{from, to}
	at := w.now.Add(w.random(50 * time.Millisecond))
	if w.line[link].After(at) {
		at = w.line[link]
	}
	w.line[link] = at
	w.todo = append(w.todo, pending{at, func() {
		for _, st := range w.states {
			if st.self == to {
				w.run(st, do(st))
			}
		}
	}})
}

func (w *pinWorld) run(st *state, fx effects) {
	for _, l := range fx.leavers {
		if l.ran {
			w.after(w.random(200*time.Millisecond), func() { w.run(st, st.ended(w.now, []leaver{l})) })
		}
	}
	for to, said := range fx.routed {
		w.send(st.self, to, func(x *state) effects { return x.heard(w.now, st.self, said) })
	}
	for to, refs := range fx.asks {
		w.send(st.self, to, func(x *state) effects { return x.wanted(w.now, st.self, fx.question, refs) })
	}
	for _, y := range fx.yields {
		w.send(st.self, y.to, func(x *state) effects { return x.yielded(w.now, st.self, y.number, y.age, []actors.Ref{y.ref}) })
	}
	for _, o := range fx.openers {
		if w.opened++; !o.released {
			w.fail("%s opens it without having heard of all", st.self)
		}
	}
	acts, has := "", 0
	for _, st := range w.states {
		_, ph := st.at(w.ref)
		x := st.pinned[w.ref]
		if ph == mine {
			acts += string(st.self) + " "
		}
		if ph == mine || x != nil && x.leaving != 0 {
			has++
		}
	}
	if acts != "" && has > 1 {
		w.fail("%s may act, and %d have it", acts, has)
	}
}

// TestPinsExclude: whatever the order in which nodes hear of pins, and of each other, no two have an actor at a time, and in the end it is
// where it belongs.
func TestPinsExclude(t *testing.T) {
	opened := 0
	for seed := range uint64(300) {
		start := time.Unix(1000, 0)
		a, b, c, ref := three(start)
		w := &pinWorld{now: start.Add(time.Minute), rng: rand.New(rand.NewPCG(seed, 2)), states: []*state{a, b, c}, ref: ref, tables: []placement.Pins{{}},
			knows: make([]int, 3), line: map[[2]ident.NodeID]time.Time{}}
		w.fail = func(f string, args ...any) { t.Fatalf("seed %d: "+f, append([]any{seed}, args...)...) }
		for range 12 {
			w.after(w.random(4*time.Second), func() {
				w.tables = append(w.tables, pinTo(ref, []string{"", "a", "b", "c", "x"}[w.rng.IntN(5)]))
				for i, st := range w.states {
					w.after(w.random(400*time.Millisecond), func() {
						if w.knows[i] < len(w.tables)-1 {
							w.knows[i] = len(w.tables) - 1
							w.run(st, st.setPins(w.now, w.tables[w.knows[i]]))
						}
					})
				}
			})
		}
		for steps := 0; len(w.todo) > 0; steps++ {
			slices.SortStableFunc(w.todo, func(a, b pending) int { return a.at.Compare(b.at) })
			next := w.todo[0]
			w.todo = w.todo[1:]
			w.now = next.at
			next.do()
			if steps > 100_000 {
				w.fail("it doesn't end")
			}
		}
		owner := ""
		for _, st := range w.states {
			if _, ph := st.at(ref); ph == mine {
				owner = st.self.Name()
			}
		}
		want, _ := w.tables[len(w.tables)-1].Find(ref.Kind, ref.ID)
		if want == "" || want == "x" {
			want = "a"
		}
		if owner != want {
			w.fail("it is on %q, not %q", owner, want)
		}
		opened += w.opened
	}
	if opened < 1000 {
		t.Errorf("opened %d times in all", opened)
	}
}
