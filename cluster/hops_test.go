package cluster_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/cluster"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// TestViewsThatSendItRound: three nodes, each of which takes the next for the owner of everything, send a message on as often as Options
// say, and then it comes back.
func TestViewsThatSendItRound(t *testing.T) {
	for _, c := range []struct {
		hops uint32
		want int64
	}{{0, cluster.DefaultHops}, {1, 1}, {7, 7}} {
		t.Run(fmt.Sprint(c.hops), func(t *testing.T) {
			run(t, func(r *rig) {
				hops := func(o *cluster.Options) { o.Hops = c.hops }
				ring := []*node{r.start("a@1", hops), r.start("b@1", hops), r.start("c@1", hops)}
				forwarded := func() (n int64) {
					for _, x := range ring {
						n += x.c.Counters().Forwarded.Load()
					}
					return n
				}
				for i, n := range ring {
					r.seeView(n, ring, []*node{ring[(i+1)%len(ring)]})
				}
				r.settle(time.Second)
				p, ref := ring[0].peer("p"), actors.Ref{Kind: "box", ID: "round"}
				for _, x := range []struct {
					do   func(ctx *actors.Context)
					says string
				}{
					{func(ctx *actors.Context) { _ = ctx.Cast(ref, number(5)) }, "undelivered round 5 "},
					{func(ctx *actors.Context) { ctx.Call(ref, &nodepb.Relay{}, time.Minute) }, "reply <nil> "},
				} {
					before := forwarded()
					p.do(x.do)
					r.settle(time.Second)
					p.wants(x.says + actors.ErrOverloaded.Error()) // it was certainly not taken
					if n := forwarded() - before; n != c.want {
						t.Errorf("sent on %d times, not %d", n, c.want)
					}
				}
			})
		})
	}
}
