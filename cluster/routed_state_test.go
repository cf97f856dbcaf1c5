package cluster

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/cluster/placement"
	"github.com/jackdaw-im/jackdaw/ident"
)

// quietly is a's state after it was alone, c has come and a's actors of one of c's partitions have gone; b, and c, may have said what they
// send by way of a.
func quietly(t *testing.T, said func(st *state, now time.Time, p ident.Partition)) (st *state, now time.Time, p ident.Partition, fx effects) {
	t.Helper()
	now = time.Unix(1000, 0)
	st = newState("a@1", 2*time.Second)
	st.look(now, viewOf(1, "a@1"))
	p = partOf("c@1", "a@1", "c@1")
	if said != nil {
		said(st, now, p)
	}
	st.look(now, viewOf(2, "a@1", "c@1"))
	return st, now, p, st.gone(now, []ident.Partition{p})
}

func releasedTo(fx effects, to ident.NodeID, p ident.Partition) bool {
	for h, list := range fx.released {
		if h.to == to && slices.Contains(list, p) {
			return true
		}
	}
	return false
}

// TestReleaseWaitsForSenders: for each node that sends by way of the old owner, by its own word, until it says that it doesn't, or is gone,
// or half of the time is over for which the new one waits.
func TestReleaseWaitsForSenders(t *testing.T) {
	bSends := func(st *state, now time.Time, p ident.Partition) {
		st.heard(now, "b@1", word{list: []ident.Partition{p, p + 1}})
	}
	if _, _, p, fx := quietly(t, nil); !releasedTo(fx, "c@1", p) {
		t.Error("nodes that say nothing are waited for: those of old versions never will")
	}
	if _, _, p, fx := quietly(t, func(st *state, now time.Time, p ident.Partition) {
		bSends(st, now, p)
		st.heard(now, "b@1", word{list: []ident.Partition{p + 1}})
	}); !releasedTo(fx, "c@1", p) {
		t.Error("a node that has said otherwise since is waited for")
	}
	for name, ends := range map[string]func(st *state, now time.Time, p ident.Partition) effects{
		"it says so": func(st *state, now time.Time, p ident.Partition) effects {
			return st.heard(now, "b@1", word{list: []ident.Partition{p + 1}})
		},
		"it is gone": func(st *state, now time.Time, _ ident.Partition) effects {
			v := viewOf(3, "a@1", "c@1")
			delete(v.Peers, "b@1")
			return st.look(now, v)
		},
		"time": func(st *state, now time.Time, _ ident.Partition) effects {
			if fx := st.tick(now.Add(st.hold/2 - 1)); fx.released != nil {
				t.Error("it is released before its time")
			}
			if at := now.Add(st.hold / 2); !st.next.Equal(at) {
				t.Errorf("it looks again at %v, not at %v", st.next, at)
			}
			return st.tick(now.Add(st.hold / 2))
		},
	} {
		t.Run(name, func(t *testing.T) {
			st, now, p, fx := quietly(t, bSends)
			if fx.released != nil {
				t.Fatal("it doesn't wait")
			}
			if fx := ends(st, now, p); !releasedTo(fx, "c@1", p) {
				t.Error("it is not released")
			}
			if fx := st.tick(now.Add(time.Hour)); fx.released != nil {
				t.Error("it is released twice")
			}
		})
	}
}

// TestReleaseOvertakenByView: a view that comes while a release waits makes it go to whom it was for, who passes it on; if that one is
// gone, there is nobody to tell, or the one after.
func TestReleaseOvertakenByView(t *testing.T) {
	bSends := func(st *state, now time.Time, p ident.Partition) {
		st.heard(now, "b@1", word{list: []ident.Partition{p}})
	}
	st, now, p, _ := quietly(t, bSends)
	if fx := st.look(now, viewOf(3, "a@1")); !releasedTo(fx, "c@1", p) {
		t.Error("c has not heard that a had let go of what is a's again, and will not say so")
	}
	st, now, p, _ = quietly(t, bSends)
	if fx := st.look(now, viewOf(3, "b@1")); !releasedTo(fx, "c@1", p) {
		t.Error("c has not heard that it may pass it on")
	}
	st, now, p, _ = quietly(t, bSends)
	v := viewOf(3, "b@1")
	delete(v.Peers, "c@1")
	st.look(now, v)
	if fx := st.tick(now.Add(time.Second)); !releasedTo(fx, "b@1", p) {
		t.Error("the next after c, which is gone, has not heard of it")
	}
	st, now, _, _ = quietly(t, bSends)
	v = viewOf(3, "a@1")
	delete(v.Peers, "c@1")
	fx := st.look(now, v)
	if late := st.tick(now.Add(time.Second)); fx.released != nil || late.released != nil {
		t.Errorf("it tells somebody that it has let go of its own: %v, %v", fx.released, late.released)
	}
}

// TestNodesAreToldOfRoutes: each node that comes, though there be nothing, and then whenever it is another list; one that has lost what
// it knew, anew.
func TestNodesAreToldOfRoutes(t *testing.T) {
	now := time.Unix(1000, 0)
	st := newState("a@1", time.Second)
	wants := func(fx effects, want map[ident.NodeID]int) {
		t.Helper()
		for _, id := range []ident.NodeID{"a@1", "b@1", "c@1"} {
			n, wanted := want[id]
			if w, told := fx.routed[id]; told != wanted || len(w.list) != n {
				t.Errorf("%s is told of %d (%v), want %d (%v)", id, len(w.list), told, n, wanted)
			}
		}
	}
	wants(st.look(now, viewOf(1, "b@1")), map[ident.NodeID]int{"b@1": ident.Partitions, "c@1": 0})
	wants(st.look(now, viewOf(2, "b@1")), nil)
	wants(st.look(now, viewOf(3, "c@1")), map[ident.NodeID]int{"b@1": 0, "c@1": ident.Partitions})
	wants(st.returned(now, "c@1"), map[ident.NodeID]int{"c@1": ident.Partitions})
	v := viewOf(4, "c@1")
	delete(v.Peers, "b@1")
	wants(st.look(now, v), nil)
	wants(st.look(now, viewOf(5, "c@1")), map[ident.NodeID]int{"b@1": 0})
	old := viewOf(6, "b@1")
	delete(old.Hears, "b@1")
	wants(st.look(now, old), map[ident.NodeID]int{"c@1": 0}) // b doesn't want to know
	if st.speaks("b@1") {
		t.Error("b has said nothing")
	}
	if st.heard(now, "b@1", word{}); !st.speaks("b@1") {
		t.Error("b has spoken")
	}
	if st.heard(now, "d@1", word{}); st.speaks("d@1") {
		t.Error("a node that isn't there was heard")
	}
	if st.look(now, v); st.speaks("b@1") {
		t.Error("what b has said outlives it")
	}
}

// TestNodesAreToldOfPins: what the override table puts elsewhere are exceptions from the lists of partitions, for the node that loses by it and
// the one that gains, and none once it is taken away.
func TestNodesAreToldOfPins(t *testing.T) {
	now := time.Unix(1000, 0)
	st := newState("a@1", time.Second)
	st.look(now, viewOf(1, "b@1"))
	ref, other := actors.Ref{Kind: "box", ID: "x"}, actors.Ref{Kind: "box", ID: "y"}
	table := pinTo(ref, "c").With(placement.Pin{Kind: other.Kind, ID: other.ID, Node: "c"})
	if fx := st.setPins(now, table); len(fx.routed) != 0 {
		t.Errorf("of nodes that own nothing: %v", fx.routed)
	}
	v := viewOf(2, "b@1", "c@1")
	v.Placed[1].Weight = 1 // nearly everything is b's
	fx := st.look(now, v)
	for _, r := range []actors.Ref{ref, other} {
		if st.table.Owner(ident.PartitionOf(r.Kind, r.ID)) != "b@1" {
			t.Fatal("take other names")
		}
	}
	b, c, both := fx.routed["b@1"], fx.routed["c@1"], []actors.Ref{ref, other}
	if !slices.Equal(b.without, both) || b.with != nil || !slices.Equal(c.with, both) || c.without != nil {
		t.Errorf("b is told %v, %v; c %v, %v", b.with, b.without, c.with, c.without)
	}
	if fx := st.look(now, v); len(fx.routed) != 0 {
		t.Errorf("told again: %v", fx.routed)
	}
	to := newState("b@1", time.Second)
	to.look(now, viewOf(1, "b@1", "c@1"))
	to.heard(now, "a@1", b)
	if w := to.routed["a@1"]; w.leads(ref) || !w.leads(placedAt("b@1", "b@1")) {
		t.Error("b takes it that a sends by way of it")
	}
	to.heard(now, "a@1", c)
	if !to.routed["a@1"].leads(ref) {
		t.Error("an actor whose partition isn't sent for isn't, though it is named")
	}
	fx = st.setPins(now, placement.Pins{})
	if b, c := fx.routed["b@1"], fx.routed["c@1"]; len(b.list)+len(c.list) != ident.Partitions || b.without != nil || c.with != nil {
		t.Errorf("with no pins b is told %v, c %v", b.without, c.with)
	}
}

// TestAnswerWaitsForSenders: an actor's home has no answer from where it was before while a node sends for it by way of that one, by its own
// word, until that node says otherwise, or is gone, or half of the time is over for which the home waits.
func TestAnswerWaitsForSenders(t *testing.T) {
	for name, ends := range map[string]func(a *state, now time.Time, ref actors.Ref) effects{
		"it says so": func(a *state, now time.Time, ref actors.Ref) effects {
			return a.heard(now, "c@1", word{list: []ident.Partition{ident.PartitionOf(ref.Kind, ref.ID)}, without: []actors.Ref{ref}})
		},
		"it is gone": func(a *state, now time.Time, _ actors.Ref) effects {
			return a.look(now, viewOf(2, "a@1", "b@1", "c@1").without("a@1", "c@1"))
		},
		"time": func(a *state, now time.Time, _ actors.Ref) effects {
			if fx := a.tick(now.Add(a.hold/2 - 1)); len(fx.yields) > 0 || !a.next.Equal(now.Add(a.hold/2)) {
				t.Errorf("before its time: %v, next at %v", fx.yields, a.next)
			}
			return a.tick(now.Add(a.hold / 2))
		},
	} {
		now := time.Unix(1000, 0)
		a, b, _, ref := three(now)
		now = now.Add(time.Minute)
		a.heard(now, "c@1", word{list: []ident.Partition{ident.PartitionOf(ref.Kind, ref.ID)}})
		asked := b.setPins(now, pinTo(ref, "b")).question
		left := a.setPins(now, pinTo(ref, "b")).leavers
		a.wanted(now, "b@1", asked, []actors.Ref{ref})
		if fx := a.ended(now, left); len(fx.yields) > 0 {
			t.Fatalf("%s: it doesn't wait: %v", name, fx.yields)
		}
		fx := ends(a, now, ref)
		if len(fx.yields) != 1 || fx.yields[0].to != "b@1" || fx.yields[0].number != asked {
			t.Errorf("%s: %v", name, fx.yields)
			continue
		}
		a.unyielded(now, "b@1", asked, []actors.Ref{ref}) // the link is full
		if fx := a.tick(now.Add(time.Minute)); len(fx.yields) != 1 || fx.yields[0].number != asked {
			t.Errorf("%s: it isn't said again: %v", name, fx.yields)
		}
		if fx := a.tick(now.Add(time.Hour)); len(fx.yields) != 0 {
			t.Errorf("%s: it is said once more: %v", name, fx.yields)
		}
	}
}

// TestUnaskedAnswerIsSaidAgain: the home of a pin hears that there is none of it elsewhere any more, however full the link is, and though it has not asked.
func TestUnaskedAnswerIsSaidAgain(t *testing.T) {
	now := time.Unix(1000, 0)
	a, _, _, ref := three(now)
	now = now.Add(time.Minute)
	fx := a.ended(now, a.setPins(now, pinTo(ref, "b")).leavers)
	for range 3 {
		if len(fx.yields) != 1 || fx.yields[0].to != "b@1" || fx.yields[0].number != 0 {
			t.Fatalf("said %v", fx.yields)
		}
		a.unyielded(now, "b@1", 0, []actors.Ref{ref})
		if now = now.Add(tryAgain); a.next.After(now) {
			t.Fatalf("next at %v", a.next)
		}
		fx = a.tick(now)
	}
	if fx = a.tick(now.Add(time.Hour)); len(fx.yields) > 0 {
		t.Errorf("it is said once more: %v", fx.yields)
	}
	a.unyielded(now, "b@1", 0, []actors.Ref{ref})
	a.setPins(now, pinTo(ref, "c"))
	for _, y := range a.tick(now.Add(time.Minute)).yields {
		if y.to == "b@1" {
			t.Errorf("it is said to who isn't its home: %v", y)
		}
	}
}

// placedAt is an actor of one node among some.
func placedAt(owner ident.NodeID, placed ...ident.NodeID) actors.Ref {
	p := partOf(owner, placed...)
	for i := 0; ; i++ {
		if id := fmt.Sprint("box", i); ident.PartitionOf("box", id) == p {
			return actors.Ref{Kind: "box", ID: id}
		}
	}
}

// TestLately: what was this node's until a moment ago, and nothing else.
func TestLately(t *testing.T) {
	now := time.Unix(1000, 0)
	st := newState("a@1", 2*time.Second)
	st.look(now, viewOf(1, "a@1", "b@1"))
	now = now.Add(time.Hour)
	st.look(now, viewOf(2, "b@1"))
	gone, others := placedAt("a@1", "a@1", "b@1"), placedAt("b@1", "a@1", "b@1")
	if !st.lately(now, gone) || st.lately(now, others) || st.lately(now.Add(parkTime), gone) {
		t.Error(st.lately(now, gone), st.lately(now, others), st.lately(now.Add(parkTime), gone))
	}
	now = now.Add(time.Minute)
	if st.look(now, viewOf(3, "b@1")); st.lately(now, gone) {
		t.Error("what has been others' for long is said to be gone lately")
	}
	if st.look(now.Add(time.Hour), viewOf(4, "a@1")); st.lately(now.Add(time.Hour), gone) {
		t.Error("what is coming back isn't gone")
	}
}
