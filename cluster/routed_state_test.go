package cluster

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
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
	return slices.Contains(fx.released[to], p)
}

// TestReleaseWaitsForSenders: for each node that sends by way of the old owner, by its own word, until it says that it doesn't, or is gone,
// or half of the time is over for which the new one waits.
func TestReleaseWaitsForSenders(t *testing.T) {
	bSends := func(st *state, now time.Time, p ident.Partition) {
		st.heard(now, "b@1", []ident.Partition{p, p + 1})
	}
	if _, _, p, fx := quietly(t, nil); !releasedTo(fx, "c@1", p) {
		t.Error("nodes that say nothing are waited for: those of old versions never will")
	}
	if _, _, p, fx := quietly(t, func(st *state, now time.Time, p ident.Partition) {
		bSends(st, now, p)
		st.heard(now, "b@1", []ident.Partition{p + 1})
	}); !releasedTo(fx, "c@1", p) {
		t.Error("a node that has said otherwise since is waited for")
	}
	for name, ends := range map[string]func(st *state, now time.Time, p ident.Partition) effects{
		"it says so": func(st *state, now time.Time, p ident.Partition) effects {
			return st.heard(now, "b@1", []ident.Partition{p + 1})
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
	bSends := func(st *state, now time.Time, p ident.Partition) { st.heard(now, "b@1", []ident.Partition{p}) }
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
			if list, told := fx.routed[id]; told != wanted || len(list) != n {
				t.Errorf("%s is told of %d (%v), want %d (%v)", id, len(list), told, n, wanted)
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
	if st.heard(now, "b@1", nil); !st.speaks("b@1") {
		t.Error("b has spoken")
	}
	if st.heard(now, "d@1", nil); st.speaks("d@1") {
		t.Error("a node that isn't there was heard")
	}
	if st.look(now, v); st.speaks("b@1") {
		t.Error("what b has said outlives it")
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
