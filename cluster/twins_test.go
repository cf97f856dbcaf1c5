package cluster_test

import (
	"testing"
	"time"

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
			r.mu.Lock()
			claims := n.claimed
			r.mu.Unlock()
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
