package pg

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// mesh is some nodes' scopes and the links between them, whose deliveries come when the test likes.
type mesh struct {
	ids    []ident.NodeID
	worlds map[ident.NodeID]*world
	links  map[[2]ident.NodeID][]*Update
	up     map[[2]ident.NodeID]bool // by the lower and the higher node
}

// linkLen is how many updates a link takes.
const linkLen = 2

func newMesh(n int) *mesh {
	m := &mesh{worlds: map[ident.NodeID]*world{}, links: map[[2]ident.NodeID][]*Update{}, up: map[[2]ident.NodeID]bool{}}
	for i := range n {
		id := ident.NodeID(fmt.Sprintf("n%d@1", i))
		m.ids = append(m.ids, id)
		m.worlds[id] = newWorld()
	}
	return m
}

// run does what a node's scope wants done.
func (m *mesh) run(id ident.NodeID) {
	w := m.worlds[id]
	for _, to := range m.ids {
		w.cut[to] = len(m.links[[2]ident.NodeID{id, to}]) >= linkLen
	}
	w.run()
	for to, list := range w.sent {
		if m.linked(id, to) {
			m.links[[2]ident.NodeID{id, to}] = append(m.links[[2]ident.NodeID{id, to}], list...)
		}
	}
	clear(w.sent)
}

func edge(a, b ident.NodeID) [2]ident.NodeID { return [2]ident.NodeID{min(a, b), max(a, b)} }

func (m *mesh) linked(a, b ident.NodeID) bool { return m.up[edge(a, b)] }

// connect makes or cuts a link; each side hears of it.
func (m *mesh) connect(a, b ident.NodeID, up bool) {
	m.up[edge(a, b)] = up
	delete(m.links, [2]ident.NodeID{a, b})
	delete(m.links, [2]ident.NodeID{b, a})
	for _, x := range [][2]ident.NodeID{{a, b}, {b, a}} {
		if up {
			m.worlds[x[0]].st.peerUp(x[1])
		} else {
			m.worlds[x[0]].st.peerDown(x[1])
		}
		m.run(x[0])
	}
}

// deliver hands over the oldest update of a link.
func (m *mesh) deliver(from, to ident.NodeID) bool {
	k := [2]ident.NodeID{from, to}
	if len(m.links[k]) == 0 {
		return false
	}
	u := m.links[k][0]
	m.links[k] = m.links[k][1:]
	m.worlds[to].st.received(from, u)
	m.run(to)
	return true
}

// settle delivers all there is.
func (m *mesh) settle(rt *rapid.T) {
	for range 1000 {
		quiet := true
		for _, a := range m.ids {
			for _, b := range m.ids {
				for m.deliver(a, b) {
					quiet = false
				}
			}
		}
		for _, id := range m.ids {
			if w := m.worlds[id]; w.retry > 0 {
				quiet, w.retry = false, 0
				w.st.retry()
				m.run(id)
			}
		}
		if quiet {
			return
		}
	}
	rt.Fatal("the nodes never stop talking")
}

// TestNodesAgreeInTheEnd: whatever is cut, late, refused or crashes, once all is well everybody sees the same, and so do those who
// monitor.
func TestNodesAgreeInTheEnd(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m, b := newMesh(3), book{}
		for i, id := range m.ids {
			for _, other := range m.ids[:i] {
				m.connect(other, id, true)
			}
			m.worlds[id].st.monitor(1, named("watcher"), "", true)
			m.run(id)
		}
		node := func(rt *rapid.T) ident.NodeID { return rapid.SampledFrom(m.ids).Draw(rt, "node") }
		two := func(rt *rapid.T) (a, b ident.NodeID) {
			i := rapid.IntRange(0, len(m.ids)-1).Draw(rt, "node")
			return m.ids[i], m.ids[(i+rapid.IntRange(1, len(m.ids)-1).Draw(rt, "other"))%len(m.ids)]
		}
		group := func(rt *rapid.T) string { return rapid.SampledFrom([]string{"g", "h"}).Draw(rt, "group") }
		who := rapid.Map(rapid.IntRange(0, 5), func(i int) actors.Ref { return named(fmt.Sprint(i)) })
		rt.Repeat(map[string]func(*rapid.T){
			"join": func(rt *rapid.T) {
				id, g, r := node(rt), group(rt), who.Draw(rt, "who")
				for range rapid.IntRange(1, 4).Draw(rt, "times") {
					m.worlds[id].st.join(g, []actors.Ref{r}, life{})
					m.run(id)
					b.add(id, g, r, 1)
				}
			},
			"leave": func(rt *rapid.T) {
				id, g, r := node(rt), group(rt), who.Draw(rt, "who")
				m.worlds[id].st.leave(g, []actors.Ref{r}, life{})
				m.run(id)
				b.add(id, g, r, -1)
			},
			"end": func(rt *rapid.T) {
				id, r := node(rt), who.Draw(rt, "who")
				m.worlds[id].die(r)
				m.run(id)
				b.ended(id, r)
			},
			"deliver": func(rt *rapid.T) {
				x, y := two(rt)
				for range rapid.IntRange(1, 3).Draw(rt, "updates") {
					m.deliver(x, y)
				}
			},
			"cut": func(rt *rapid.T) {
				x, y := two(rt)
				m.connect(x, y, false)
				for _, v := range [][2]ident.NodeID{{x, y}, {y, x}} { // who goes takes its members along
					for g, members := range m.worlds[v[0]].table.seen() {
						if n := len(members) - len(b.members(g, slices.DeleteFunc(slices.Clone(m.ids), func(id ident.NodeID) bool { return id == v[1] })...)[g]); n > 0 {
							for _, e := range m.worlds[v[0]].st.groups[g].halves[there].vec.entries() {
								if e.node == v[1] {
									rt.Fatalf("%s still sees %s in %s", v[0], e.ref.ID, g)
								}
							}
						}
					}
				}
			},
			"flap that only one side notices": func(rt *rapid.T) {
				x, y := two(rt)
				if m.linked(x, y) {
					delete(m.links, [2]ident.NodeID{x, y})
					delete(m.links, [2]ident.NodeID{y, x})
					m.worlds[x].st.peerDown(y)
					m.run(x)
					m.worlds[x].st.peerUp(y)
					m.run(x)
				}
			},
			"updates that are not taken": func(rt *rapid.T) {
				x, y := two(rt)
				delete(m.links, [2]ident.NodeID{x, y})
				m.worlds[y].st.missed(x)
				m.run(y)
			},
			"heal": func(rt *rapid.T) {
				x, y := two(rt)
				m.connect(x, y, true)
			},
			"crash of a scope": func(rt *rapid.T) {
				id := node(rt)
				w := m.worlds[id]
				w.st = newState()
				clear(w.monitored)
				w.retry = 0
				var up []ident.NodeID
				for _, other := range m.ids {
					if other != id && m.linked(id, other) {
						up = append(up, other)
					}
				}
				w.st.restore(&w.table, []watcher{w.kept[1]}, up)
				m.run(id)
			},
			"retry": func(rt *rapid.T) {
				id := node(rt)
				if w := m.worlds[id]; w.retry > 0 {
					w.retry = 0
					w.st.retry()
					m.run(id)
				}
			},
		})
		for i, id := range m.ids {
			for _, other := range m.ids[:i] {
				if !m.linked(other, id) {
					m.connect(other, id, true)
				}
			}
		}
		m.settle(rt)
		for _, id := range m.ids {
			w, want := m.worlds[id], draw(b.members("", m.ids...))
			if got := draw(w.table.seen()); got != want {
				rt.Fatalf("%s sees %s\nwant %s", id, got, want)
			}
			if l := w.ears[1]; l.fault != "" || draw(l.groups) != want {
				rt.Fatalf("%s has told %s %s\nwant %s", id, draw(l.groups), l.fault, want)
			}
		}
	})
}

// wire is Peers over channels of nothing: it hands updates over at once, or refuses them.
type wire struct {
	from   ident.NodeID
	scopes map[ident.NodeID]*Scope
	mu     *sync.Mutex
	broken *bool
}

func (w wire) Send(to ident.NodeID, u *Update) error {
	w.mu.Lock()
	broken := *w.broken
	w.mu.Unlock()
	if broken {
		return errOnPurpose
	}
	return w.scopes[to].Receive(w.from, u)
}

// TestTwoNodes runs the exchange between real scopes.
func TestTwoNodes(t *testing.T) {
	run(t, func(r *rig) {
		var mu sync.Mutex
		broken := false
		scopes := map[ident.NodeID]*Scope{}
		for _, id := range []ident.NodeID{"n@2", "m@2"} {
			s := New(actors.NewSystem(actors.Config{Workers: 1, Node: id}), "scope")
			s.SetPeers(wire{id, scopes, &mu, &broken})
			scopes[id] = s
			r.must(s.sys.Start())
		}
		for id, other := range map[ident.NodeID]ident.NodeID{"n@2": "m@2", "m@2": "n@2"} {
			s := scopes[id]
			s.PeerUp(other) // before the scope runs
			root, err := supervision.StartRoot(s.sys, supervision.SupervisorSpec{ID: "root", Children: []supervision.ChildSpec{Spec(s)}})
			r.must(err)
			defer func() {
				if err := errors.Join(root.Stop(bg), s.sys.Stop(bg)); err != nil {
					t.Error(err)
				}
			}()
		}
		n, m := scopes["n@2"], scopes["m@2"]
		see := func(s *Scope, want string) {
			t.Helper()
			synctest.Wait()
			if got := ids(s.Members("g")); got != want {
				t.Fatalf("%s sees %q, want %q", s.sys.Node(), got, want)
			}
		}
		asleep := func(id string) actors.Ref { // may be a member while it rests
			return actors.Ref{Kind: "sleeper", ID: id}
		}
		n.sys.SetActivator("sleeper", nobody{})
		m.sys.SetActivator("sleeper", nobody{})
		time.Sleep(2 * retryTime) // the first that was up found the other not there
		r.must(n.Join(bg, "g", asleep("a"), asleep("b")))
		r.must(m.Join(bg, "g", asleep("c")))
		see(n, "a b c")
		see(m, "a b c")

		mu.Lock()
		broken = true
		mu.Unlock()
		r.must(n.Leave(bg, "g", asleep("a")))
		r.must(n.Join(bg, "g", asleep("d")))
		see(m, "a b c")
		mu.Lock()
		broken = false
		mu.Unlock()
		time.Sleep(2 * retryTime)
		see(m, "b c d")
		m.PeerDown("n@2")
		see(m, "c")
		see(n, "b c d")
		m.PeerUp("n@2")
		see(m, "b c d")
	})
}

// nobody starts nothing.
type nobody struct{}

func (nobody) Activate(actors.Ref) error { return errOnPurpose }
