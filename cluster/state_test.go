package cluster

import (
	"slices"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/cluster/placement"
	"github.com/jackdaw-im/jackdaw/ident"
)

func viewOf(id uint64, placed ...ident.NodeID) View {
	v := View{ID: id, Peers: map[ident.NodeID]string{"a@1": "x", "b@1": "x", "c@1": "x"}, Hears: map[ident.NodeID]bool{"a@1": true, "b@1": true, "c@1": true}}
	for _, n := range placed {
		v.Placed = append(v.Placed, placement.Node{ID: n, Weight: 100})
	}
	return v
}

// partOf is a partition of one node among some.
func partOf(to ident.NodeID, placed ...ident.NodeID) ident.Partition {
	t := placement.Make(viewOf(1, placed...).Placed)
	for p := range ident.Partition(ident.Partitions) {
		if t.Owner(p) == to {
			return p
		}
	}
	return 0
}

// TestOldRelease: a release of long ago lets no partition be claimed that its owner still has.
func TestOldRelease(t *testing.T) {
	now := time.Unix(1000, 0)
	st := newState("b@1", 2*time.Second)
	st.look(now, viewOf(1, "a@1"))
	p := partOf("b@1", "a@1", "b@1")
	st.let(now, "a@1", 0, []ident.Partition{p}) // a's view was {a, b} for a moment: this node never saw that
	now = now.Add(time.Hour)
	fx := st.look(now, viewOf(2, "a@1", "b@1"))
	for _, q := range fx.claim {
		if q == p {
			t.Errorf("partition %d is claimed at once by a release that is an hour old; %d others wait", p, len(st.parts))
		}
	}
}

// TestJoinClaimsNoMore: a node that comes in says that it has none of what others own, and these have nothing to claim, and to read, again for
// it; they have once somebody else who has had it lets go.
func TestJoinClaimsNoMore(t *testing.T) {
	now := time.Unix(1000, 0)
	a, b := newState("a@1", 2*time.Second), newState("b@1", 2*time.Second)
	fx := a.look(now, viewOf(1, "a@1"))
	a.claimed(now, fx.claim, fx.number)
	a.look(now, viewOf(2, "a@1", "b@1"))
	said := 0
	for to, list := range b.look(now, viewOf(2, "a@1", "b@1")).released {
		if to.to == "a@1" {
			said += len(list)
			if got := a.let(now, "b@1", to.passes, list); len(got.claim) > 0 {
				t.Errorf("%d partitions are claimed again", len(got.claim))
			}
		}
	}
	if said == 0 {
		t.Error("b says nothing")
	}
	p := partOf("a@1", "a@1", "b@1")
	if got := a.let(now, "b@1", 1, []ident.Partition{p}); !slices.Equal(got.claim, []ident.Partition{p}) {
		t.Errorf("claimed again: %v", got.claim)
	}
}

// TestOldClaim: a claim of an earlier tenure doesn't open the partition for a later one.
func TestOldClaim(t *testing.T) {
	now := time.Unix(1000, 0)
	st := newState("b@1", 2*time.Second)
	fx := st.look(now, viewOf(1, "b@1"))
	if len(fx.claim) != ident.Partitions {
		t.Fatal(len(fx.claim))
	}
	st.look(now, viewOf(2, "a@1")) // away before the claim is done
	st.gone(now, fx.claim)
	now = now.Add(time.Second)
	st.look(now, viewOf(3, "b@1"))
	fx3 := st.let(now, "a@1", 0, fx.claim) // a has opened them meanwhile and releases them: claimed again
	if len(fx3.claim) == 0 {
		t.Fatal("no second claim")
	}
	if got := st.claimed(now, fx.claim, fx.number); len(got.opened) > 0 { // the first claim's done comes
		t.Errorf("%d partitions are opened by the first claim, which a's has overridden since; the second isn't done", len(got.opened))
	}
}

// TestSkippedOwner: a node that never had a partition doesn't release it for the one that has.
func TestSkippedOwner(t *testing.T) {
	now := time.Unix(1000, 0)
	// c's view: {a} -> {a, b} -> {a, b, c}; a part that goes a -> b -> c.
	ab, abc := placement.Make(viewOf(1, "a@1", "b@1").Placed), placement.Make(viewOf(1, "a@1", "b@1", "c@1").Placed)
	var p ident.Partition
	for ; ab.Owner(p) != "b@1" || abc.Owner(p) != "c@1"; p++ {
	}
	b, c := newState("b@1", 2*time.Second), newState("c@1", 2*time.Second)
	for _, st := range []*state{b, c} {
		st.look(now, viewOf(1, "a@1"))
		st.look(now, viewOf(2, "a@1", "b@1"))
	}
	if b.parts[p].phase != waiting {
		t.Fatal(b.parts[p])
	}
	fx := b.look(now, viewOf(3, "a@1", "b@1", "c@1"))
	c.look(now, viewOf(3, "a@1", "b@1", "c@1"))
	// b retires: nobody there
	rel := b.gone(now, fx.left)
	var list []ident.Partition
	for to, all := range rel.released {
		if to.to == "c@1" && slices.Contains(all, p) {
			list = append(list, p)
			fx = c.let(now, "b@1", to.passes, list)
		}
	}
	if len(list) == 0 {
		fx = c.let(now, "b@1", 0, nil)
	}
	if len(fx.claim) > 0 {
		t.Errorf("c claims partition %d on b's word, and a, which has its actors, has released it to nobody", p)
	}
}

// TestReleasesEnd: releases don't go round for ever between nodes that each think the next is the owner.
func TestReleasesEnd(t *testing.T) {
	now := time.Unix(1000, 0)
	nodes := map[ident.NodeID]*state{}
	next := map[ident.NodeID]ident.NodeID{"a@1": "b@1", "b@1": "c@1", "c@1": "a@1"}
	for id, owner := range next {
		st := newState(id, time.Second)
		v := viewOf(1, owner)
		st.look(now, v)
		nodes[id] = st
	}
	for _, passes := range []uint32{0, 1} {
		from, at := ident.NodeID("x@1"), ident.NodeID("a@1")
		hops := 0
		for ; hops < 1000; hops++ {
			fx := nodes[at].let(now, from, passes, []ident.Partition{1})
			if len(fx.released) == 0 {
				break
			}
			for to := range fx.released {
				from, at, passes = at, to.to, to.passes
			}
		}
		if hops > 10 {
			t.Errorf("a release went round %d times, and goes on", hops)
		}
	}
}

// TestFirstView: a node whose first view has it active waits for those who had its share.
func TestFirstView(t *testing.T) {
	now := time.Unix(1000, 0)
	st := newState("b@1", 2*time.Second)
	fx := st.look(now, viewOf(1, "a@1", "b@1"))
	if len(fx.claim) > 0 {
		t.Errorf("%d partitions are claimed at once, though a had them all until now and has released none", len(fx.claim))
	}
}
