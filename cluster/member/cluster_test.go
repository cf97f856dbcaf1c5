package member

import (
	"testing"
	"time"
)

func TestJoinOfTen(t *testing.T) {
	bubble(t, func(r *rig) {
		start := time.Now()
		r.cluster(10)
		t.Logf("10 nodes agree after %v", time.Since(start))
		for _, n := range r.nodes {
			if len(n.View().Members) != 10 || n.Self().State != Active || n.Self().Rejected != "" {
				t.Errorf("%s: %d members, self %+v", n.id, len(n.View().Members), n.Self())
			}
			m, ok := n.View().Find(r.nodes[3].id)
			want := Member{ID: "n4@4", Name: "n4", Gossip: "10.0.0.4:7946", Carriage: "10.0.0.4:7946", Proto: 1, Oldest: 1, Release: "1.0", State: Active, Weight: 100}
			if !ok || m != want {
				t.Errorf("%s sees %+v, want %+v", n.id, m, want)
			}
		}
	})
}
