package simcluster

import (
	"flag"
	"math"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/internal/simnet"
)

var large = flag.Bool("large", false, "measure the traffic of 50 and 100 nodes, too, which takes some minutes")

// rates are what one node sends each second.
type rates struct{ packets, gossip, frames, links float64 }

// TestTraffic measures what the nodes of clusters of several sizes send to each other: nothing going on, and with two users on each node who
// say something every second, each to anybody. The bounds are those of the growth that docs/BENCHMARKS.md gives: a node's gossip grows by the
// exchanges of whole states, and its links' frames don't grow but with its load.
func TestTraffic(t *testing.T) {
	sizes, long := []int{3, 10}, time.Minute
	if *large {
		sizes, long = append(sizes, 50, 100), 3*time.Minute
	}
	for _, n := range sizes {
		run(t, *first, options{users: 2 * n, keys: [][]byte{make([]byte, 32)}}, func(w *world) {
			started := time.Now()
			for i := range n {
				w.start(nameOf(i + 1))
				w.wait(100 * time.Millisecond) // as an operator would, or slower
			}
			w.agree(5 * time.Minute)
			joined := time.Since(started)
			for i, u := range w.users {
				w.login(u, w.living()[i%n], nil)
			}
			w.wait(time.Minute)
			quiet := w.measure(n, long)
			w.pause.Store(int64(time.Second))
			w.wait(5 * time.Second)
			said := w.saidUntilNow()
			busy := w.measure(n, long/3)
			load := float64(w.saidUntilNow()-said) / float64(n) / (long / 3).Seconds()
			w.pause.Store(0)
			w.settle()
			t.Logf("%3d nodes, agreed after %v. quiet: gossip %.2f packets and %.0f B, links %.3f frames and %.1f B. with %.1f messages a second on each: gossip %.0f B, links %.1f frames and %.0f B, %.0f B a message. Each node and second",
				n, joined.Round(time.Second), quiet.packets, quiet.gossip, quiet.frames, quiet.links, load, busy.gossip, busy.frames, busy.links, busy.links/load)
			if law := gossipLaw(n); quiet.packets > 2.5 || quiet.gossip > 1.25*law || quiet.gossip < 0.75*law {
				t.Errorf("%d nodes: gossip isn't as it was measured, %.0f B: %+v", n, law, quiet)
			}
			if quiet.frames > 0.1 || busy.frames > 14*load || busy.links > 2500*load {
				t.Errorf("%d nodes: too much on the links: %+v, %+v", n, quiet, busy)
			}
		})
	}
}

// gossipLaw is how many bytes a node's gossip is in a second, as docs/BENCHMARKS.md says. The second part are the exchanges of whole states: they come less often from 32
// nodes on, once less with each doubling (memberlist's pushPullScale).
func gossipLaw(nodes int) float64 {
	m := 1.0
	if nodes > 32 {
		m += math.Ceil(math.Log2(float64(nodes) / 32))
	}
	return 203 + 39*float64(nodes)/m
}

// measure counts what a node sends each second, on the average of all of them.
func (w *world) measure(n int, d time.Duration) rates {
	packets, streams, frames := w.net.Count(simnet.Packet), w.net.Count(simnet.Stream), w.net.Count(simnet.Link)
	w.wait(d)
	per := func(now, before uint64) float64 { return float64(now-before) / float64(n) / d.Seconds() }
	p, s, f := w.net.Count(simnet.Packet), w.net.Count(simnet.Stream), w.net.Count(simnet.Link)
	return rates{packets: per(p.Sent, packets.Sent), gossip: per(p.Bytes, packets.Bytes) + per(s.Bytes, streams.Bytes),
		frames: per(f.Sent, frames.Sent), links: per(f.Bytes, frames.Bytes)}
}

func (w *world) saidUntilNow() int {
	w.book.mu.Lock()
	defer w.book.mu.Unlock()
	return len(w.book.all)
}
