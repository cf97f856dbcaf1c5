package pg

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
)

// world runs a state's effects in memory.
type world struct {
	st        *state
	table     table
	kept      map[MonitorRef]watcher
	monitored map[actors.Ref]bool
	ears      map[MonitorRef]*listener
	full      map[actors.Ref]bool   // whose queue takes nothing
	cut       map[ident.NodeID]bool // to which nothing is taken
	sent      map[ident.NodeID][]*Update
	retry     int
	log       []string
}

func newWorld() *world {
	return &world{
		st: newState(), kept: map[MonitorRef]watcher{}, monitored: map[actors.Ref]bool{}, ears: map[MonitorRef]*listener{},
		full: map[actors.Ref]bool{}, cut: map[ident.NodeID]bool{}, sent: map[ident.NodeID][]*Update{},
	}
}

func (w *world) run() {
	for i := 0; i < len(w.st.effects); i++ {
		switch e := w.st.effects[i].(type) {
		case publish:
			w.table.store(e.group, e.view)
			w.log = append(w.log, "publish "+e.group)
		case watch:
			if w.monitored[e.ref] {
				panic("watched twice: " + e.ref.ID)
			}
			w.monitored[e.ref] = true
			w.log = append(w.log, "watch "+e.ref.ID)
		case unwatch:
			if !w.monitored[e.ref] {
				panic("not watched: " + e.ref.ID)
			}
			delete(w.monitored, e.ref)
			w.log = append(w.log, "unwatch "+e.ref.ID)
		case tell:
			if w.full[e.w.who] {
				w.st.refused(e.w)
				continue
			}
			if w.ears[e.w.id] == nil {
				w.ears[e.w.id] = &listener{}
			}
			w.ears[e.w.id].hear(e.msg)
			w.log = append(w.log, fmt.Sprintf("tell %d", e.w.id))
		case send:
			if w.cut[e.to] {
				w.st.unsent(e.to)
				continue
			}
			w.sent[e.to] = append(w.sent[e.to], e.u)
			w.log = append(w.log, "send "+string(e.to))
		case keep:
			w.kept[e.w.id] = *e.w
		case unkeep:
			delete(w.kept, e.id)
		case retry:
			w.retry++
		}
	}
	w.st.effects = w.st.effects[:0]
}

// die ends an actor: its monitor is used up.
func (w *world) die(ref actors.Ref) {
	if w.monitored[ref] {
		delete(w.monitored, ref)
		w.st.ended(ref)
		w.run()
	}
}

// crash starts another life of the scope.
func (w *world) crash() {
	w.st = newState()
	clear(w.monitored)
	w.retry = 0
	w.st.restore(&w.table, slices.Collect(maps.Values(w.kept)), []ident.NodeID{"p@1"})
	w.run()
}

func TestEffectsInOrder(t *testing.T) {
	w := newWorld()
	w.st.peerUp("p@1")
	w.st.monitor(1, named("w"), "g", false)
	w.st.monitor(2, named("w"), "", true)
	w.run()
	for _, c := range []struct {
		name string
		do   func()
		want string
	}{
		{"the first join is watched, and seen before anybody is told", func() { w.st.join("g", namedAll("a"), life{}) }, "watch a, publish g, tell 2, tell 1, send p@1"},
		{"a second join isn't", func() { w.st.join("g", namedAll("a"), life{}) }, "publish g, tell 2, tell 1, send p@1"},
		{"of another group only the scope's watcher hears", func() { w.st.join("h", namedAll("a b"), life{}) }, "watch b, publish h, tell 2, send p@1"},
		{"a leave", func() { w.st.leave("g", namedAll("a"), life{}) }, "publish g, tell 2, tell 1, send p@1"},
		{"a leave of none", func() { w.st.leave("g", namedAll("b"), life{}) }, ""},
		{"a leave of an unknown group", func() { w.st.leave("x", namedAll("a"), life{}) }, ""},
		{"the last leave of all", func() { w.st.leave("h", namedAll("b"), life{}) }, "unwatch b, publish h, tell 2, send p@1"},
		{"an end", func() { delete(w.monitored, named("a")); w.st.ended(named("a")) }, "publish h, publish g, tell 2, tell 2, tell 1, send p@1"},
		{"an end of nobody", func() { w.st.ended(named("x")) }, ""},
		{"a join of nobody", func() { w.st.join("g", nil, life{}) }, ""},
		{"somebody else's monitor stays", func() { w.st.demonitor(1, named("x")) }, ""},
		{"one monitor less", func() { w.st.demonitor(1, named("w")); w.st.join("g", namedAll("w"), life{}) }, "publish g, tell 2, send p@1"},
		{"none, but a member", func() { w.st.demonitor(2, named("w")) }, ""},
		{"nor a member", func() { w.st.leave("g", namedAll("w"), life{}) }, "unwatch w, publish g, send p@1"},
	} {
		w.log = nil
		c.do()
		w.run()
		if got := strings.Join(w.log, ", "); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	if s := w.st; len(s.groups) != 0 || len(s.local) != 0 || len(s.watchers) != 0 || len(s.whole) != 0 || len(w.kept) != 0 {
		t.Errorf("something is left: %+v, %v", s, w.kept)
	}
}

// TestLives: what an actor has joined by itself goes with its life, even if nobody tells of the end; what others have joined it to stays.
func TestLives(t *testing.T) {
	w := newWorld()
	w.st.monitor(9, named("w"), "", true)
	w.run()
	w.ears[9].heard = nil
	a := func(id uint64) life { return life{named("a"), id} }
	for _, c := range []struct {
		name        string
		do          func()
		want, heard string
	}{
		{"by itself, and others with it", func() { w.st.join("g", namedAll("a b a"), a(1)) }, "g: a a b; ", "join g: a a b"},
		{"by somebody else", func() { w.st.join("g", namedAll("a"), life{}) }, "g: a a a b; ", "join g: a"},
		{"in another group", func() { w.st.join("h", namedAll("a"), a(1)) }, "g: a a a b; h: a; ", "join h: a"},
		{"another life", func() { w.st.join("g", namedAll("a"), a(2)) }, "g: a a b; ", "leave h: a, leave g: a a, join g: a"},
		{"others leave first what others have joined", func() { w.st.leave("g", namedAll("a"), life{}) }, "g: a b; ", "leave g: a"},
		{"the scope's crash", w.crash, "g: a b; ", "current g: a b;"},
		{"the same life after it", func() { w.st.join("g", namedAll("a"), a(2)) }, "g: a a b; ", "join g: a"},
		{"another life after it", func() { w.crash(); w.st.join("i", namedAll("a"), a(3)) }, "g: b; i: a; ", "current g: a a b;, leave g: a a, join i: a"},
		{"a life that only leaves", func() { w.st.leave("g", namedAll("a"), a(4)) }, "g: b; ", "leave i: a"},
	} {
		c.do()
		w.run()
		if got, heard := draw(w.table.seen()), strings.Join(w.ears[9].heard, ", "); got != c.want || heard != c.heard {
			t.Errorf("%s: %s, heard %s", c.name, got, heard)
		}
		w.ears[9].heard = nil
	}
	if w.monitored[named("a")] || w.st.local[named("a")] != nil {
		t.Error("still watched")
	}
}

func TestPeers(t *testing.T) {
	w := newWorld()
	hear := func(step, want string) {
		t.Helper()
		w.run()
		l := w.ears[1]
		slices.Sort(l.heard) // groups come in no order
		if got := strings.Join(l.heard, ", "); got != want || l.fault != "" {
			t.Errorf("%s: heard %q %s, want %q", step, got, l.fault, want)
		}
		l.heard = nil
	}
	sent := func(step, want string) {
		t.Helper()
		w.run()
		var got []string
		for _, u := range w.sent["p@1"] {
			all := map[string][]actors.Ref{}
			for _, m := range u.Joined {
				all[m.Group] = m.Members
			}
			gone := map[string][]actors.Ref{}
			for _, m := range u.Left {
				gone[m.Group] = m.Members
			}
			got = append(got, strings.TrimSpace(fmt.Sprintf("%v %v +%s-%s", u.Whole, u.Want, draw(all), draw(gone))))
		}
		if s := strings.Join(got, ", "); s != want {
			t.Errorf("%s: sent %q, want %q", step, s, want)
		}
		clear(w.sent)
	}
	w.st.join("g", namedAll("a a"), life{})
	w.st.monitor(1, named("w"), "", true)
	hear("at first", "current g: a a;")
	w.st.received("p@1", &Update{Whole: true, Want: true, Joined: []Membership{{"g", namedAll("x")}}})
	hear("one that isn't up", "")
	sent("one that isn't up", "")
	w.st.peerUp("p@1")
	sent("one comes up", "true true +g: a a; -")
	w.st.received("p@1", &Update{Whole: true, Joined: []Membership{{"g", namedAll("x y y")}, {"h", namedAll("x")}}})
	hear("its all", "join g: x y y, join h: x")
	w.st.received("p@1", &Update{Whole: true, Joined: []Membership{{"h", namedAll("x")}, {"g", namedAll("y x y")}}})
	hear("the same again", "")
	w.st.received("p@1", &Update{Whole: true, Joined: []Membership{{"g", namedAll("x z y")}}})
	hear("something else", "join g: z, leave g: y, leave h: x")
	w.st.received("p@1", &Update{Left: []Membership{{"g", namedAll("q y x x")}, {"no", namedAll("x")}}, Joined: []Membership{{"g", namedAll("x")}}})
	hear("changes", "join g: x, leave g: x y")
	sent("all that", "")
	w.cut["p@1"] = true
	w.st.leave("g", namedAll("a"), life{})
	w.st.join("h", namedAll("b"), life{})
	sent("nothing is taken", "")
	if w.retry != 1 {
		t.Errorf("asked %d times to try again", w.retry)
	}
	w.st.peerUp("p@1")
	sent("nor the question", "")
	w.cut["p@1"] = false
	w.st.retry()
	w.st.leave("h", namedAll("b"), life{})
	sent("now it is", "true true +g: a; h: b; -, false false +-h: b;")
	w.st.received("p@1", &Update{Whole: true, Joined: []Membership{{"g", namedAll("x z")}}})
	w.cut["p@1"] = true
	w.st.join("g", namedAll("b"), life{})
	w.run()
	w.cut["p@1"] = false
	w.st.received("p@1", &Update{Want: true})
	w.st.join("g", namedAll("c"), life{})
	sent("asked while behind", "true false +g: a b; -, false false +g: c; -")
	w.st.retry()
	sent("nothing to try again", "")
	w.ears[1].heard = nil
	before := w.st.peers
	w.st = newState()
	clear(w.monitored)
	w.st.restore(&w.table, []watcher{w.kept[1]}, nil)
	hear("another life, without that node", "current g: a b c;")
	if got := draw(w.table.seen()); got != "g: a b c; " || len(before["p@1"].known) != 2 {
		t.Errorf("readers see %s, %d were known", got, len(before["p@1"].known))
	}
}

// TestHistories compares a scope, what readers see of it and what its watchers hear with a naive book, over random joins, leaves,
// ends, monitors, full queues, another node's doings, and crashes of the scope itself.
func TestHistories(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w, b := newWorld(), book{}
		groups, nodes := []string{"g", "h", "i"}, []ident.NodeID{""}
		ref := rapid.Map(rapid.IntRange(0, 15), func(i int) actors.Ref { return named(fmt.Sprint(i)) })
		refs := rapid.SliceOfN(ref, 0, 20)
		var next MonitorRef
		lives := map[actors.Ref]uint64{} // how many each has had before
		own := book{}                    // what each has joined by itself, in the life below; b counts it too
		of := map[actors.Ref]uint64{}
		by := func(r actors.Ref) life {
			if l := lives[r] + 1; of[r] != l {
				for g, members := range own[""] {
					b.add("", g, r, -members[r])
				}
				own.ended("", r)
				of[r] = l
			}
			return life{r, of[r]}
		}
		watches := map[MonitorRef]watcher{}
		group := func(rt *rapid.T) string { return rapid.SampledFrom(groups).Draw(rt, "group") }
		w.st.peerUp("p@1")
		nodes = append(nodes, "p@1")
		settle := func() {
			for w.run(); w.retry > 0; w.run() {
				w.retry = 0
				w.st.retry()
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"join": func(rt *rapid.T) {
				g, list := group(rt), refs.Draw(rt, "members")
				w.st.join(g, list, life{})
				for _, r := range list {
					b.add("", g, r, 1)
				}
			},
			"leave": func(rt *rapid.T) {
				g, list, some := group(rt), refs.Draw(rt, "members"), false
				for _, r := range list {
					some = some || b[""][g][r] > 0
					if b.add("", g, r, -1); own[""][g][r] > b[""][g][r] {
						own.add("", g, r, -1)
					}
				}
				if got := w.st.leave(g, list, life{}); got != some {
					rt.Fatalf("left: %v, want %v", got, some)
				}
			},
			"another life": func(rt *rapid.T) { lives[ref.Draw(rt, "who")]++ }, // nobody tells
			"join by itself": func(rt *rapid.T) {
				g, list, r := group(rt), refs.Draw(rt, "others"), ref.Draw(rt, "who")
				list = append(list, r)
				w.st.join(g, list, by(r))
				for _, x := range list {
					if b.add("", g, x, 1); x == r {
						own.add("", g, x, 1)
					}
				}
			},
			"leave by itself": func(rt *rapid.T) {
				g, r := group(rt), ref.Draw(rt, "who")
				l := by(r)
				some := b[""][g][r] > 0
				b.add("", g, r, -1)
				own.add("", g, r, -1)
				if got := w.st.leave(g, []actors.Ref{r}, l); got != some {
					rt.Fatalf("left: %v, want %v", got, some)
				}
			},
			"end": func(rt *rapid.T) {
				r := ref.Draw(rt, "who")
				w.die(r)
				b.ended("", r)
				own.ended("", r)
				maps.DeleteFunc(watches, func(_ MonitorRef, x watcher) bool { return x.who == r })
			},
			"monitor": func(rt *rapid.T) {
				next++
				x := watcher{id: next, who: ref.Draw(rt, "who"), group: group(rt), whole: rapid.Bool().Draw(rt, "the scope")}
				w.st.monitor(x.id, x.who, x.group, x.whole)
				watches[x.id] = x
			},
			"demonitor": func(rt *rapid.T) {
				if len(watches) == 0 {
					rt.Skip("none")
				}
				id := rapid.SampledFrom(slices.Sorted(maps.Keys(watches))).Draw(rt, "monitor")
				w.st.demonitor(id, watches[id].who)
				delete(watches, id)
			},
			"fill a queue": func(rt *rapid.T) {
				for _, x := range watches {
					w.full[x.who] = true
				}
			},
			"empty them":    func(rt *rapid.T) { clear(w.full) },
			"cut":           func(rt *rapid.T) { w.cut["p@1"] = !w.cut["p@1"] },
			"crash":         func(rt *rapid.T) { w.run(); w.crash() },
			"peer goes":     func(rt *rapid.T) { w.st.peerDown("p@1"); delete(b, "p@1"); w.run(); w.st.peerUp("p@1") },
			"a third tells": func(rt *rapid.T) { w.st.received("q@1", &Update{Joined: []Membership{{"g", namedAll("1")}}}) },
			"peer tells": func(rt *rapid.T) {
				u := &Update{Whole: rapid.Bool().Draw(rt, "whole"), Want: rapid.Bool().Draw(rt, "want")}
				if u.Whole {
					delete(b, "p@1")
				}
				for range rapid.IntRange(0, 3).Draw(rt, "groups left") {
					m := Membership{group(rt), refs.Draw(rt, "members")}
					u.Left = append(u.Left, m)
					for _, r := range m.Members {
						if !u.Whole {
							b.add("p@1", m.Group, r, -1)
						}
					}
				}
				for range rapid.IntRange(0, 3).Draw(rt, "groups joined") {
					m := Membership{group(rt), refs.Draw(rt, "members")}
					u.Joined = append(u.Joined, m)
					for _, r := range m.Members {
						b.add("p@1", m.Group, r, 1)
					}
				}
				w.st.received("p@1", u)
			},
			"": func(rt *rapid.T) {
				w.run()
				compareAll(rt, w, b, nodes, watches, false)
			},
		})
		clear(w.full)
		clear(w.cut)
		settle()
		compareAll(rt, w, b, nodes, watches, true)
	})
}

// compareAll holds a world against the book; settled says that nobody is behind.
func compareAll(rt *rapid.T, w *world, b book, nodes []ident.NodeID, watches map[MonitorRef]watcher, settled bool) {
	if got, want := draw(w.table.seen()), draw(b.members("", nodes...)); got != want {
		rt.Fatalf("readers see %s\nwant %s", got, want)
	}
	for id, x := range watches {
		l := w.ears[id]
		if l == nil {
			l = &listener{}
		}
		if l.fault != "" {
			rt.Fatalf("monitor %d: %s", id, l.fault)
		}
		if w.st.watchers[id].behind && !settled {
			continue
		}
		g := x.group
		if x.whole {
			g = ""
		}
		if got, want := draw(l.groups), draw(b.members(g, nodes...)); got != want || l.groups == nil {
			rt.Fatalf("monitor %d of %q was told %s\nwant %s", id, g, got, want)
		}
	}
	if len(w.kept) != len(watches) || len(w.st.watchers) != len(watches) {
		rt.Fatalf("%d monitors, %d kept, want %d", len(w.st.watchers), len(w.kept), len(watches))
	}
	need := map[actors.Ref]bool{}
	for _, members := range b[""] {
		for r := range members {
			need[r] = true
		}
	}
	for _, x := range watches {
		need[x.who] = true
	}
	if !maps.Equal(need, w.monitored) {
		rt.Fatalf("watches %d actors, want %d", len(w.monitored), len(need))
	}
	for name, g := range w.st.groups {
		if len(g.at) == 0 && len(g.watchers) == 0 {
			rt.Fatalf("the empty group %s is left", name)
		}
	}
}
