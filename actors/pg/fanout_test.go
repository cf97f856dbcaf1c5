package pg

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
)

// farther is a router that notes what it is given for other nodes.
type farther struct {
	single []string
	fans   []int
	got    map[actors.Ref]int
	deaf   actors.Ref
	from   []actors.Ref
}

var errDeaf = errors.New("deaf")

func (f *farther) Local(to actors.Ref) bool { return to.Node == "" || to.Node == "n@1" }

func (f *farther) Send(to actors.Ref, sig actors.Signal) error {
	f.single = append(f.single, to.ID)
	f.got[to]++
	return nil
}

func (f *farther) SendAll(from actors.Ref, to []actors.Ref, _ any) (refused []actors.Refused) {
	f.fans, f.from = append(f.fans, len(to)), append(f.from, from)
	for _, ref := range to {
		if ref == f.deaf {
			refused = append(refused, actors.Refused{To: ref, Err: errDeaf})
			continue
		}
		f.got[ref]++
	}
	return refused
}

// plainCaster can cast to one at a time only.
type plainCaster struct{ sys *actors.System }

func (p plainCaster) Cast(to actors.Ref, msg any) error { return p.sys.Cast(to, msg) }

func away(node ident.NodeID, n int) (list []actors.Ref) {
	for i := range n {
		list = append(list, actors.Ref{Kind: "member", ID: fmt.Sprint(i), Node: node})
	}
	return list
}

// TestBroadcastToOtherNodes: members of other nodes are told by whole chunks, each once; those of this node one by one.
func TestBroadcastToOtherNodes(t *testing.T) {
	run(t, func(r *rig) {
		f := &farther{got: map[actors.Ref]int{}}
		r.sys.SetRouter(f)
		a, b := r.start("a"), r.start("b")
		r.must(r.scope.Join(bg, "g", a, b))
		const two, three = 3000, 4000
		for node, n := range map[ident.NodeID]int{"n@2": two, "n@3": three} {
			r.scope.PeerUp(node)
			list := away(node, n)
			r.must(r.scope.Receive(node, &Update{Whole: true, Joined: []Membership{{"g", list}, {"g", list[:10]}}}))
		}
		f.deaf = actors.Ref{Kind: "member", ID: "17", Node: "n@3"}
		check := func(how string, taken int, refused []Refusal) {
			t.Helper()
			if taken != 2+two+three-1 || len(refused) != 1 || refused[0].To != f.deaf || !errors.Is(refused[0].Err, errDeaf) {
				t.Errorf("%s: %d have taken it, refused: %v", how, taken, refused)
			}
			if !slices.Equal(f.fans, []int{fanOutLen, two + three - fanOutLen}) || f.single != nil || len(f.got) != two+three-1 {
				t.Errorf("%s: fan-outs to %v, casts to %v, to %d in all", how, f.fans, f.single, len(f.got))
			}
			for ref, n := range f.got {
				if n != 1 {
					t.Fatalf("%s: %v has got it %d times", how, ref, n)
				}
			}
			f.fans, f.got = nil, map[actors.Ref]int{}
		}
		n, refused := r.scope.Broadcast(r.sys, "g", "all")
		check("from outside", n, refused)
		r.on(a, func(ctx *actors.Context) error { n, refused = r.scope.Broadcast(ctx, "g", "all"); return nil })
		check("by an actor", n, refused)
		if !slices.Equal(f.from, []actors.Ref{{}, {}, a, a}) {
			t.Errorf("who has sent: %v", f.from)
		}
		synctest.Wait()
		if got := r.all["b"].got; len(got) != 2 {
			t.Errorf("b has got %v", got)
		}

		f.deaf = actors.Ref{}
		n, refused = r.scope.Broadcast(plainCaster{r.sys}, "g", "all")
		if n != 2+two+three || refused != nil || f.fans != nil || len(f.single) != two+three {
			t.Errorf("one by one: %d have taken it, %d casts, fan-outs to %v", n, len(f.single), f.fans)
		}

		// In parts, of which one is of both kinds.
		g := r.scope.Group("g")
		f.got = map[actors.Ref]int{}
		for next := 1; next < 8; {
			next, _ = g.Cast(r.sys, "part", next, 3)
		}
		synctest.Wait()
		if !slices.Equal(f.fans, []int{2, 3, 3}) || len(f.got) != 8 || len(r.all["a"].got) != 3 || len(r.all["b"].got) != 4 {
			t.Errorf("fan-outs to %v, to %d in all", f.fans, len(f.got))
		}
		if next, refused := g.Cast(r.sys, "none", g.Len(), 1); next != g.Len() || refused != nil || len(f.fans) != 3 {
			t.Error("nobody is left, and yet", f.fans)
		}
		r.scope.PeerDown("n@2")
		r.scope.PeerDown("n@3")
	})
}
