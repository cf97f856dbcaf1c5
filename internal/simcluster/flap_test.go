package simcluster

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/cluster/link"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// The bounds of links that aren't told any, as package link has them.
const (
	resend, resendMax    = 200 * time.Millisecond, 5 * time.Second
	frameLen, frameBytes = 256, 256 << 10
)

// bound is how many frames with envelopes a link sends at most from the first probes of a cut on: those of the formula in the comment of
// package link, and one for each envelope that is new.
func bound(cut time.Duration, held link.Stat, fresh uint64) int {
	probes := 1 + int(math.Ceil(math.Log2(float64(resendMax)/float64(resend)))) + int(float64(cut)/(0.75*float64(resendMax)))
	rest := 8 + 2*(held.Queue+held.Unacked)/frameLen + 2*held.Bytes/frameBytes
	return probes + rest + int(fresh)
}

// TestFlapIsBounded: all links of a cluster are cut at once while everybody talks, for so short that nobody is given up, and for so
// long that everybody is. What that costs in frames is within the links' formula, and the envelopes in them come of what was
// open, not of what was tried.
func TestFlapIsBounded(t *testing.T) {
	for _, cut := range []time.Duration{2 * time.Second, 4 * time.Second, 40 * time.Second} {
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			run(t, *first, options{users: 12}, func(w *world) {
				w.begin(4)
				w.pause.Store(int64(100 * time.Millisecond))
				w.wait(3 * time.Second)
				list := w.living()
				begin := snapshot(list)
				for i, a := range list {
					for _, b := range list[i+1:] {
						w.net.CutBoth(a.name, b.name)
					}
				}
				w.wait(cut)
				w.pause.Store(0)
				held := snapshot(list)
				open := w.open() + len(w.left())
				w.net.Heal()
				w.agree(2 * time.Minute)
				w.settle()
				w.wait(5 * time.Second)
				end := snapshot(list)
				for _, n := range list { // of which each may ask each of the others in four ways, every second at most
					n.mu.Lock()
					if limit := 3 * 4 * (5 + int(cut/time.Second)); n.crossed > limit {
						t.Errorf("%s: %d frames to find detours, at most %d", n.id, n.crossed, limit)
					}
					n.mu.Unlock()
				}
				frames, most, envelopes := 0, 0, 0
				for at, now := range end {
					was := begin[at]
					if was.Epoch != now.Epoch {
						was.Sent = 0
					}
					fresh := now.Sent - was.Sent
					limit := bound(cut, held[at].Stat, fresh)
					if n := now.data - begin[at].data; n > limit {
						t.Errorf("%v: %d frames, at most %d: %+v", at, n, limit, now)
					}
					back := end[pair{at.to, at.from, at.class}]
					if n := now.rest - begin[at].rest; n > back.data-begin[pair{at.to, at.from, at.class}].data+2*int(now.Epoch) {
						t.Errorf("%v: %d frames that only acknowledge", at, n)
					}
					frames += now.data - begin[at].data + now.rest - begin[at].rest
					most += 2 * limit
					if before := held[at]; before.Epoch == now.Epoch {
						envelopes += int(now.Sent - before.Sent)
					} else {
						envelopes += int(now.Sent)
					}
				}
				t.Logf("cut of %v: %d frames, at most %d; %d messages were open, %d envelopes came of it", cut, frames, most, open, envelopes)
				// A message that was open makes a cast, an outcome, a push and an acknowledgement; each user's peer attaches again, a few times.
				if limit := 6*open + 20*len(w.users); envelopes > limit {
					t.Errorf("%d envelopes, at most %d", envelopes, limit)
				}
				w.proof()
				w.empty()
			})
		})
	}
}

// pair is one link, in one direction.
type pair struct {
	from, to ident.NodeID
	class    nodepb.LinkClass
}

// traffic is a link at one time.
type traffic struct {
	link.Stat
	data, rest int // frames since the start
}

func snapshot(list []*node) map[pair]traffic {
	all := map[pair]traffic{}
	for _, n := range list {
		n.mu.Lock()
		for _, other := range list {
			for class := range nodepb.LinkClass(3) {
				if other != n {
					all[pair{n.id, other.id, class}] = traffic{data: n.frames[way{other.id, class, true}], rest: n.frames[way{other.id, class, false}]}
				}
			}
		}
		n.mu.Unlock()
		for _, st := range n.links.Stats() {
			at := pair{n.id, st.Peer.ID, st.Class}
			x := all[at]
			x.Stat = st
			all[at] = x
		}
	}
	return all
}

// open is how many messages have no outcome.
func (w *world) open() (n int) {
	w.book.mu.Lock()
	defer w.book.mu.Unlock()
	for _, e := range w.book.all {
		if e.code == 0 {
			n++
		}
	}
	return n
}
