package cluster_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/cluster/link"
	"github.com/jackdaw-im/jackdaw/cluster/placement"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

var shuffles = flag.Int("shuffles", 5, "how many random runs of an actor's moves among senders are tried, of each kind")

// TestOrder: four nodes send to one actor all the time, to it alone and to many, by both classes of link, while views, or the override table,
// take it from node to node. The next one hears of that at once, the others by and by, and each link has a delay of its own. What a sender
// sends by one class comes once and in order. If a sender heard before the next one, that one would send on what it gets, which may overtake
// what was sent to the old one before.
func TestOrder(t *testing.T) {
	for _, pins := range []bool{false, true} {
		for seed := range uint64(*shuffles) {
			t.Run(fmt.Sprintf("%d, pins %v", seed, pins), func(t *testing.T) {
				run(t, func(r *rig) { r.shuffle(rand.New(rand.NewPCG(seed, 5)), pins) })
			})
		}
	}
}

func (r *rig) shuffle(rng *rand.Rand, pins bool) {
	t := r.t
	r.newBox = func(n *node) actors.Behaviour { return &notice{box{n: n}} }
	late := map[[2]ident.NodeID]time.Duration{}
	line := map[[3]any]time.Time{} // when the last on each link comes: frames don't overtake each other, or each costs a pause
	r.carrier = func(n *node, to link.Peer, f *nodepb.Frame) error {
		f = proto.Clone(f).(*nodepb.Frame)
		r.mu.Lock()
		at, way := time.Now().Add(time.Millisecond+late[[2]ident.NodeID{n.id, to.ID}]), [3]any{n.id, to.ID, f.GetClass()}
		if line[way].After(at) {
			at = line[way]
		}
		line[way] = at
		r.mu.Unlock()
		time.AfterFunc(time.Until(at), func() {
			r.mu.Lock()
			there := r.nodes[to.ID]
			r.mu.Unlock()
			if there != nil {
				there.links.Receive(f)
			}
		})
		return nil
	}
	var all []*node
	var peers []*peer
	for _, id := range []ident.NodeID{"a@1", "b@1", "c@1", "d@1"} {
		all = append(all, r.start(id))
	}
	for _, n := range all {
		peers = append(peers, n.peer("p"))
	}
	r.view(all, all...)
	r.settle(3 * time.Second)
	ref := actors.Ref{Kind: "box", ID: fmt.Sprint("box", rng.IntN(1000))}
	var seeing sync.Mutex
	change := func() {
		var see func(*node)
		owner := ownersAmong(all...)(ref)
		if pins {
			table := placement.Pins{}
			if i := rng.IntN(len(all) + 1); i < len(all) {
				owner = all[i].id
				table = placement.MakePins([]placement.Pin{{Kind: ref.Kind, ID: ref.ID, Node: all[i].id.Name()}})
			}
			see = func(n *node) { n.c.SetPins(table) }
		} else {
			placed := []*node{all[rng.IntN(len(all))]}
			for _, n := range all {
				if n != placed[0] && rng.IntN(2) == 0 {
					placed = append(placed, n)
				}
			}
			see, owner = func(n *node) {
				seeing.Lock()
				defer seeing.Unlock()
				r.seeView(n, all, placed)
			}, ownersAmong(placed...)(ref)
		}
		for _, n := range all {
			at := time.Now().Add(time.Duration(rng.IntN(60)) * time.Millisecond)
			if n.id == owner {
				at = time.Now()
			}
			time.AfterFunc(time.Until(at), func() { see(n) })
		}
	}
	said := uint64(0)
	for range 12 {
		change()
		r.mu.Lock()
		for _, a := range all {
			for _, b := range all {
				late[[2]ident.NodeID{a.id, b.id}] = time.Duration(rng.IntN(40)) * time.Millisecond
			}
		}
		r.mu.Unlock()
		for round := range 80 {
			said++
			for i, p := range peers {
				many := rng.IntN(4) == 0
				p.do(func(ctx *actors.Context) {
					for _, m := range []any{number(1000000*uint64(i+1) + said), &nodepb.Presence{Id: fmt.Sprint(1000000*uint64(i+11) + said)}} {
						if many {
							_ = ctx.CastAll([]actors.Ref{ref}, m)
						} else {
							_ = ctx.Cast(ref, m)
						}
					}
				})
			}
			r.settle(2*time.Millisecond + time.Duration(round/50)*10*time.Millisecond)
		}
	}
	r.settle(3 * time.Second)
	last := map[int]int{}
	for _, got := range r.opened(ref) {
		var on string
		var tag int
		fmt.Sscan(got, &on, &tag)
		sender, n := tag/1000000, tag%1000000
		if n != last[sender]+1 {
			t.Errorf("%d of sender %d came after %d, on %s", n, sender, last[sender], on)
			return
		}
		last[sender] = n
	}
	for i, p := range peers {
		p.wants()
		for _, sender := range []int{i + 1, i + 11} {
			if last[sender] != int(said) {
				t.Errorf("%d of sender %d came last, of %d", last[sender], sender, said)
			}
		}
	}
	for _, n := range all {
		if s := n.c.Status(); s.Waiting+s.Leaving+s.Held > 0 {
			t.Errorf("%s: %+v", n.id, s)
		}
	}
}
