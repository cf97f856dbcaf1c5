package cluster

import (
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/ident"
)

// TestBarriers: one counts with the last of its links, once, and nothing is kept of those of which one never comes.
func TestBarriers(t *testing.T) {
	var b barriers
	kept := func() (n int) {
		for _, of := range b.come {
			n += len(of)
		}
		return n
	}
	come := func(number uint64, want bool) {
		t.Helper()
		if got := b.last("a@1", number); got != want {
			t.Errorf("%d has come: %v, want %v", number, got, want)
		}
	}
	come(1, false)
	come(1, false)
	if kept() != 0 {
		t.Error("something is kept of a node that isn't there")
	}
	b.met("a@1")
	come(2, false)
	come(2, true)
	come(3, false) // the other half was refused by its link
	come(4, false)
	b.met("a@1") // its address has changed
	come(4, true)
	if n := kept(); n != 0 {
		t.Errorf("%d are kept", n)
	}
	come(6, false)
	b.lost("a@1")
	come(6, false) // whose first half was lost
	come(7, false)
	come(7, true)
	if n := kept(); n != 0 {
		t.Errorf("%d are kept after a loss", n)
	}
	come(8, false)
	b.gone("a@1")
	come(8, false)
	if len(b.come) != 0 {
		t.Errorf("%v are kept of one that is gone", b.come)
	}
}

// TestUnsaid: what a link had no room for is said again, as it is by then, and only while there is somebody to hear it.
func TestUnsaid(t *testing.T) {
	now := time.Unix(1000, 0)
	p := partOf("c@1", "a@1", "c@1")
	st := newState("a@1", 2*time.Second)
	st.look(now, viewOf(1, "a@1"))
	st.look(now, viewOf(2, "a@1", "c@1"))
	fx := st.gone(now, []ident.Partition{p})
	for to, list := range fx.released {
		st.unreleased(now, to, list)
	}
	st.untold(now, "b@1")
	st.untold(now, "c@1")
	if fx := st.tick(now.Add(tryAgain - 1)); len(fx.routed)+len(fx.released) > 0 || !st.next.Equal(now.Add(tryAgain)) {
		t.Errorf("it is said too early: %v %v, next at %v", fx.routed, fx.released, st.next)
	}
	fx = st.tick(now.Add(tryAgain))
	if _, told := fx.routed["b@1"]; !told || len(fx.routed["c@1"].list) == 0 || !releasedTo(fx, "c@1", p) {
		t.Errorf("it isn't said again: %v %v", fx.routed, fx.released)
	}
	if fx := st.tick(now.Add(time.Minute)); len(fx.routed)+len(fx.released) > 0 {
		t.Errorf("it is said once more: %v %v", fx.routed, fx.released)
	}
	st.unreleased(now, handing{"c@1", 1}, []ident.Partition{p})
	st.untold(now, "c@1")
	st.look(now, viewOf(3, "a@1").without("c@1"))
	fx = st.tick(now.Add(tryAgain))
	if _, told := fx.routed["c@1"]; told || releasedTo(fx, "c@1", p) {
		t.Errorf("it is said to one that is gone: %v %v", fx.routed, fx.released)
	}
}
