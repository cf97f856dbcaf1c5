//go:build unix

package cluster_test

import (
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/cluster"
	"github.com/jackdaw-im/jackdaw/cluster/placement"
	"github.com/jackdaw-im/jackdaw/ident"
)

// BenchmarkLocal is what every message pays: on a node alone, and in a cluster.
func BenchmarkLocal(b *testing.B) {
	for name, placed := range map[string][]placement.Node{"alone": {{ID: "a@1", Weight: 100}}, "cluster": {{ID: "a@1", Weight: 100}, {ID: "b@1", Weight: 100}}} {
		b.Run(name, func(b *testing.B) {
			sys := actors.NewSystem(actors.Config{Node: "a@1"})
			c, err := cluster.New(cluster.Options{System: sys, Placed: []string{"mailbox", "account"}})
			if err != nil {
				b.Fatal(err)
			}
			if err := c.Start(); err != nil {
				b.Fatal(err)
			}
			defer func() { _ = c.Stop(b.Context()) }()
			v := cluster.View{ID: 1, Placed: placed}
			if len(placed) > 1 {
				v.Peers = map[ident.NodeID]string{"b@1": "there"}
			}
			c.SetView(v)
			for tick := time.NewTicker(time.Millisecond); c.Status().Mine == 0; {
				<-tick.C
			}
			ref := actors.Ref{Kind: "mailbox", ID: "juliet.capulet@example.org"}
			begin := cpu()
			for b.Loop() {
				c.Local(ref)
			}
			b.ReportMetric(float64(cpu()-begin)/float64(b.N), "cpu-ns/op") // also on a busy machine
		})
	}
}
