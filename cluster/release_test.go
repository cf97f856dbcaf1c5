package cluster

import (
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/cluster/placement"
	"github.com/jackdaw-im/jackdaw/ident"
)

// chainOf is a partition that is a's, c's and d's, one after the other, and views in which it is so.
func chainOf() (p ident.Partition, inA, inC, inD View) {
	inA, inC, inD = viewOf(1, "a@1", "b@1"), viewOf(2, "a@1", "b@1", "c@1"), viewOf(3, "a@1", "b@1", "c@1", "d@1")
	for _, v := range []View{inA, inC, inD} {
		v.Peers["d@1"], v.Hears["d@1"] = "x", true
	}
	a, c, d := placement.Make(inA.Placed), placement.Make(inC.Placed), placement.Make(inD.Placed)
	for a.Owner(p) != "a@1" || c.Owner(p) != "c@1" || d.Owner(p) != "d@1" {
		p++
	}
	return p, inA, inC, inD
}

// without is a view without some nodes.
func (v View) without(ids ...ident.NodeID) View {
	peers, placed := map[ident.NodeID]string{}, v.Placed
	for id, addr := range v.Peers {
		peers[id] = addr
	}
	v.Placed = nil
	for _, id := range ids {
		delete(peers, id)
	}
	for _, n := range placed {
		if _, there := peers[n.ID]; there {
			v.Placed = append(v.Placed, n)
		}
	}
	v.Peers = peers
	return v
}

// handed gives one state what another releases of a partition, and returns what that leads to; it reports whether anything was released.
func handed(now time.Time, from, to *state, fx effects, p ident.Partition) (next effects, any bool) {
	for h, list := range fx.released {
		for _, q := range list {
			if q == p && h.to == to.self {
				return to.let(now, from.self, h.passes, []ident.Partition{p}), true
			}
		}
	}
	return effects{}, false
}

func claims(fx effects, p ident.Partition) bool {
	for _, q := range fx.claim {
		if q == p {
			return true
		}
	}
	return false
}

// TestComesBack: what comes back to a node whose release waits is released to whoever was to have it, and by that one back: at once where it had
// not heard that it was to have it, once the other says that it doesn't send there any more. So it is while actors are still there.
func TestComesBack(t *testing.T) {
	p, inA, inC, _ := chainOf()
	for name, x := range map[string]struct{ gone, told, sees bool }{
		"released before it is told":  {gone: true},
		"told before it is released":  {gone: true, told: true},
		"c has seen it":               {gone: true, sees: true},
		"actors are there":            {},
		"actors are there, c knows":   {sees: true},
		"actors are there, c is told": {told: true},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Unix(1000, 0)
			a, c := openedState("a@1", inA, now), openedState("c@1", inA, now)
			now = now.Add(time.Minute)
			a.heard(now, "b@1", word{list: []ident.Partition{p}}) // whose word it waits for
			a.look(now, inC)
			c.heard(now, "a@1", word{list: []ident.Partition{p}})
			if x.gone {
				if fx := a.gone(now, []ident.Partition{p}); len(fx.released) > 0 {
					t.Fatalf("it doesn't wait: %v", fx.released)
				}
			}
			if x.sees {
				c.look(now, inC)
			}
			back := a.look(now, inA)
			if !x.gone {
				if len(back.released) > 0 {
					t.Fatal("its actors are there")
				}
				back = a.gone(now, []ident.Partition{p})
			}
			if x.sees {
				c.gone(now, c.look(now, inA).left)
			}
			if x.told {
				c.heard(now, "a@1", word{})
			}
			fx, any := handed(now, a, c, back, p)
			if !any {
				t.Fatalf("c hears nothing: %v", back.released)
			}
			if !x.told {
				fx = c.heard(now, "a@1", word{})
			}
			if fx, any = handed(now, c, a, fx, p); !any || !claims(fx, p) {
				t.Errorf("a waits for c (%v), phase %d", any, a.parts[p].phase)
			}
			if at := c.parts[p]; at.has || !at.quiet.IsZero() || len(c.early) > 0 {
				t.Errorf("c has it still: %+v", at)
			}
		})
	}
	now := time.Unix(1000, 0)
	a := openedState("a@1", inA, now)
	now = now.Add(time.Minute)
	a.heard(now, "b@1", word{list: []ident.Partition{p}})
	a.look(now, inC)
	a.gone(now, []ident.Partition{p})
	if fx := a.look(now, inA.without("c@1")); !claims(fx, p) {
		t.Error("it waits for a node that is gone")
	}
}

// TestHandedOn: a release that comes to a node which never was to have it, by its own view, or isn't any more, goes on to the owner, whom it
// lets begin, whomever that one waits for.
func TestHandedOn(t *testing.T) {
	p, inA, inC, inD := chainOf()
	for name, x := range map[string]struct{ cSees, dSees, late bool }{
		"all see all":                {cSees: true, dSees: true},
		"c sees the last only":       {dSees: true},
		"c sees the last too late":   {dSees: true, late: true},
		"c and d see the last only":  {},
		"d sees the last only":       {cSees: true},
		"the same, and c hears late": {late: true},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Unix(1000, 0)
			a, c, d := openedState("a@1", inA, now), openedState("c@1", inA, now), openedState("d@1", inA, now)
			now = now.Add(time.Minute)
			c.heard(now, "a@1", word{list: []ident.Partition{p}})
			if x.cSees {
				c.look(now, inC)
			}
			if x.dSees {
				d.look(now, inC)
			}
			d.look(now, inD)
			a.look(now, inC)
			fx := a.gone(now, []ident.Partition{p})
			if !x.late {
				c.gone(now, c.look(now, inD).left)
			}
			if _, any := handed(now, a, c, fx, p); !any {
				t.Fatal("a doesn't release it to c")
			}
			if x.late {
				c.gone(now, c.look(now, inD).left)
			}
			fx, any := c.heard(now, "a@1", word{}), false // a has seen the last, too
			if fx, any = handed(now, c, d, fx, p); !any || !claims(fx, p) {
				t.Errorf("d waits for %s (%v)", d.parts[p].from, any)
			}
		})
	}
}

// TestReleaseOfLostNode: what a node that is gone hasn't released any more is released by the one that waited for it, and what was released to
// one that is gone, by the one that has done so, to whoever waits for them.
func TestReleaseOfLostNode(t *testing.T) {
	p, inA, inC, inD := chainOf()
	for _, at := range []string{"before the next view", "with it", "after it"} {
		now := time.Unix(1000, 0)
		c, d := openedState("c@1", inA, now), openedState("d@1", inA, now)
		now = now.Add(time.Minute)
		c.look(now, inC)
		d.look(now, inC)
		var fx effects
		switch d.look(now, inD.without("a@1")); at {
		case "before the next view":
			c.look(now, inC.without("a@1"))
			fx = c.gone(now, c.look(now, inD.without("a@1")).left)
		case "with it":
			fx = c.gone(now, c.look(now, inD.without("a@1")).left)
		default:
			c.gone(now, c.look(now, inD).left)
			fx = c.look(now, inD.without("a@1"))
		}
		if fx, any := handed(now, c, d, fx, p); !any || !claims(fx, p) {
			t.Errorf("a is gone %s: d waits for c (%v)", at, any)
		}
	}

	now := time.Unix(1000, 0)
	a, d := openedState("a@1", inA, now), openedState("d@1", inA, now)
	now = now.Add(time.Minute)
	a.look(now, inC)
	a.gone(now, []ident.Partition{p}) // to c, who is gone then, and of whom d never hears
	d.look(now, inD.without("c@1"))
	if fx, any := handed(now, a, d, a.look(now, inD.without("c@1")), p); !any || !claims(fx, p) {
		t.Errorf("d waits for a (%v)", any)
	}
}

// TestHasNone: a node that comes in and says of what is another's that it has none of it may have it later, and is waited for then.
func TestHasNone(t *testing.T) {
	p, inA, _, inD := chainOf()
	now := time.Unix(1000, 0)
	a := openedState("a@1", inA, now)
	now = now.Add(time.Minute)
	a.heard(now, "d@1", word{})
	a.look(now, inD)
	a.let(now, "d@1", 0, []ident.Partition{p})
	a.gone(now, []ident.Partition{p})
	if fx := a.look(now, inA); claims(fx, p) {
		t.Error("a has it while d does")
	}
}
