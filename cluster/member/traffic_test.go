package member

import (
	"flag"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/internal/simnet"
)

var large = flag.Bool("large", false, "measure the gossip of 50 and 100 nodes too, which takes a minute")

// What gossip costs when nothing happens, and what it takes to learn that one node is gone. The bounds
// are of the growth: a node's packets don't grow with the number of nodes, its bytes only by the exchanges. They are
// what docs/BENCHMARKS.md has for a whole node. Here it tells less of itself, and takes 83 to 87 % of it: that is the margin.
func TestGossipTraffic(t *testing.T) {
	sizes := []int{3, 10}
	if *large {
		sizes = append(sizes, 50, 100)
	}
	for _, n := range sizes {
		bubble(t, func(r *rig) {
			for i := range n {
				r.start(fmt.Sprintf("n%d", i+1), keys('k'))
			}
			joined := r.agree(5*time.Minute, r.nodes...)
			time.Sleep(time.Minute)
			const minutes = 5
			packets, streams := r.net.Count(simnet.Packet), r.net.Count(simnet.Stream)
			time.Sleep(minutes * time.Minute)
			synctest.Wait()
			per := func(k simnet.Kind, before simnet.Count) (count, bytes float64) {
				c := r.net.Count(k)
				return float64(c.Sent-before.Sent) / float64(n) / minutes / 60, float64(c.Bytes-before.Bytes) / float64(n) / minutes / 60
			}
			count, size := per(simnet.Packet, packets)
			writes, streamed := per(simnet.Stream, streams)

			change := r.net.Count(simnet.Packet)
			last := r.nodes[n-1]
			last.sim.Crash()
			gone := r.agree(5*time.Minute, r.nodes[:n-1]...)
			cost := float64(r.net.Count(simnet.Packet).Sent-change.Sent)/float64(n-1) - count*gone.Seconds()
			t.Logf("%3d nodes: a node sends %.2f packets of %3.0f B and %4.0f B of streams (%.2f writes) each second, %4.0f B in all; joined after %v, a crash is agreed upon after %v and costs each %.0f packets",
				n, count, size/count, streamed, writes, size+streamed, joined, gone, max(cost, 0))
			if law := gossipLaw(n); count > 2.5 || size+streamed > law {
				t.Errorf("%d nodes: each sends %.1f packets and %.0f bytes a second, and not at most 2.5 and %.0f", n, count, size+streamed, law)
			}
		})
	}
}

// gossipLaw is how many bytes a whole node's gossip is in a second. The exchanges of everything with another node come less often from 32
// nodes on, once less with each doubling (memberlist's pushPullScale).
func gossipLaw(nodes int) float64 {
	m := 1.0
	if nodes > 32 {
		m += math.Ceil(math.Log2(float64(nodes) / 32))
	}
	return 203 + 39*float64(nodes)/m
}
