package cluster_test

import (
	"slices"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/cluster"
	"github.com/jackdaw-im/jackdaw/ident"
)

// TestBothHadIt: two nodes that each took all for its own claim what they keep once more as soon as they know of each other and
// the other has let go: the store may know the other's claim, and what the other has stored has to be loaded.
func TestBothHadIt(t *testing.T) {
	run(t, func(r *rig) {
		a, b := r.start("a@1"), r.start("b@1")
		r.view([]*node{a}, a)
		r.view([]*node{b}, b)
		r.settle(time.Second)
		r.view([]*node{a, b}, a, b)
		r.settle(time.Second)
		for _, n := range []*node{a, b} {
			claims := n.claims()
			again := 0
			for _, list := range claims[1:] {
				again += len(list)
			}
			if s := n.c.Status(); s.Mine != s.Owned[n.id] || again != s.Mine || len(claims[0]) != ident.Partitions {
				t.Errorf("%s has claimed %d, then %d, and has %d of %d", n.id, len(claims[0]), again, s.Mine, s.Owned[n.id])
			}
		}
	})
}

// TestClaimsOfOthers: what is open on a node and another's by the store is claimed again once the view stands: soon if that one is in
// it, or revoked, late and seldom if not, since it may be in the other half of a split cluster.
func TestClaimsOfOthers(t *testing.T) {
	run(t, func(r *rig) {
		owners := make([]ident.NodeID, ident.Partitions)
		a, b := r.start("a@1", func(o *cluster.Options) {
			o.Owners = func() []ident.NodeID {
				r.mu.Lock()
				defer r.mu.Unlock()
				return slices.Clone(owners)
			}
		}), r.start("b@1")
		r.view([]*node{a, b}, a, b)
		r.settle(time.Second)
		mine := a.c.Owned()
		taken := func(by ident.NodeID) (begin time.Time, since int) {
			r.mu.Lock()
			defer r.mu.Unlock()
			for i := range owners {
				owners[i] = b.id
			}
			for _, p := range mine[2:] {
				owners[p] = a.id
			}
			owners[mine[0]] = by
			owners[mine[1]] = by
			return time.Now(), len(a.claimed)
		}
		for _, c := range []struct {
			by    ident.NodeID
			after time.Duration
		}{{"c@1", 31 * time.Second}, {b.id, 6 * time.Second}} {
			begin, since := taken(c.by)
			for len(a.claims()) == since && time.Since(begin) < time.Hour {
				r.settle(time.Second)
			}
			if d := time.Since(begin); d > c.after || !slices.Equal(a.claims()[len(a.claims())-1], mine[:2]) {
				t.Errorf("after %v it claims %v, not %v", d, a.claims()[len(a.claims())-1], mine[:2])
			}
		}
		_, since := taken("c@1")
		r.settle(25 * time.Minute)
		if n := len(a.claims()) - since; n != 2 {
			t.Errorf("claimed %d times in 25 minutes", n)
		}
		r.revoked = []string{"c", "d"}
		r.view([]*node{a, b}, a, b)
		for range 3 { // as often as it takes them
			_, since = taken("c@1")
			if r.settle(8 * time.Second); len(a.claims()) == since || !slices.Equal(a.claims()[since], mine[:2]) {
				t.Errorf("what a revoked node has claimed is claimed %d times", len(a.claims())-since)
			}
		}
	})
}
