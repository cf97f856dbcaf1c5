package cluster_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/cluster"
	"github.com/jackdaw-im/jackdaw/cluster/placement"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// three starts as many nodes, each of which owns a third.
func (r *rig) three(change ...func(*cluster.Options)) (a, b, c *node) {
	a, b, c = r.start("a@1", change...), r.start("b@1", change...), r.start("c@1", change...)
	r.view([]*node{a, b, c}, a, b, c)
	r.settle(50 * time.Millisecond)
	return a, b, c
}

// ownersAmong tells whose a box is where these share them all.
func ownersAmong(placed ...*node) func(actors.Ref) ident.NodeID {
	var nodes []placement.Node
	for _, n := range placed {
		nodes = append(nodes, placement.Node{ID: n.id, Weight: placement.UsualWeight})
	}
	t := placement.Make(nodes)
	return func(ref actors.Ref) ident.NodeID { return t.Owner(ident.PartitionOf(ref.Kind, ref.ID)) }
}

// boxesOf are some boxes that a node owns among these.
func boxesOf(n int, owner *node, placed ...*node) (list []actors.Ref) {
	ownerOf := ownersAmong(placed...)
	for i := 0; len(list) < n; i++ {
		if ref := (actors.Ref{Kind: "box", ID: fmt.Sprint("box", i)}); ownerOf(ref) == owner.id {
			list = append(list, ref)
		}
	}
	return list
}

// all has the peer cast to all of a list, and returns what it is told of those that refuse.
func (p *peer) all(list []actors.Ref, msg any) (refused []string) {
	p.do(func(ctx *actors.Context) {
		for _, r := range ctx.CastAll(list, msg) {
			refused = append(refused, fmt.Sprintf("%s %v", r.To.ID, r.Err))
		}
	})
	return refused
}

// opened is what a box has got since the last time.
func (r *rig) opened(ref actors.Ref) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.boxes[ref.ID]
	delete(r.boxes, ref.ID)
	return got
}

func (r *rig) wantsBox(ref actors.Ref, want ...string) {
	r.t.Helper()
	if got := r.opened(ref); !slices.Equal(got, want) {
		r.t.Fatalf("%s has got %q, want %q", ref.ID, got, want)
	}
}

// TestFanOut: 5,000 actors on three nodes get a message each, on its way to the other nodes in one envelope for 512 of them.
func TestFanOut(t *testing.T) {
	run(t, func(r *rig) {
		a, b, c := r.three()
		ownerOf := ownersAmong(a, b, c)
		var list []actors.Ref
		on := map[ident.NodeID]int{}
		for i := range 5000 {
			ref := actors.Ref{Kind: "box", ID: fmt.Sprint("box", i)}
			list = append(list, ref)
			on[ownerOf(ref)]++
		}
		p := a.peer("p")
		before := a.c.Counters().Sent.Load()
		if refused := p.all(list, number(1)); refused != nil {
			t.Errorf("refused %q", refused)
		}
		r.settle(time.Second)
		p.wants()
		for _, ref := range list {
			r.wantsBox(ref, fmt.Sprint(ownerOf(ref), " 1"))
		}
		if got, want := a.c.Counters().Sent.Load()-before, int64((on[b.id]+511)/512+(on[c.id]+511)/512); got != want || on[a.id] == 0 {
			t.Errorf("%d envelopes, want %d for %v", got, want, on)
		}

		// From outside of any actor, and one addressee twice.
		near, far := boxesOf(1, a, a, b, c)[0], boxesOf(2, b, a, b, c)
		if refused := a.sys.CastAll([]actors.Ref{far[0], near, far[1], far[0], near}, number(2)); refused != nil {
			t.Errorf("refused %v", refused)
		}
		r.settle(time.Second)
		r.wantsBox(near, "a@1 2", "a@1 2")
		r.wantsBox(far[0], "b@1 2", "b@1 2")
		r.wantsBox(far[1], "b@1 2")
	})
}

// TestFanOutOrder: what one actor casts to another arrives in order, to it alone or to many.
func TestFanOutOrder(t *testing.T) {
	run(t, func(r *rig) {
		a, b, c := r.three()
		p, far := a.peer("p"), boxesOf(600, b, a, b, c)
		last := far[len(far)-1]
		p.do(func(ctx *actors.Context) {
			for i := range uint64(6) {
				if i%2 == 0 {
					_ = ctx.CastAll(far, number(i))
				} else {
					_ = ctx.Cast(last, number(i))
				}
			}
		})
		r.settle(time.Second)
		r.wantsBox(last, "b@1 0", "b@1 1", "b@1 2", "b@1 3", "b@1 4", "b@1 5")
		r.wantsBox(far[0], "b@1 0", "b@1 2", "b@1 4")
	})
}

// TestFanOutRefused: those for whom a message isn't taken are named, each with its reason, and all others get it.
func TestFanOutRefused(t *testing.T) {
	run(t, func(r *rig) {
		a := r.start("a@1", func(o *cluster.Options) { o.HoldLen = 1 })
		p := a.peer("p")
		box := actors.Ref{Kind: "box", ID: "x"}
		if got, want := p.all([]actors.Ref{box, p.ref}, number(1)), fmt.Sprintf("x %v", actors.ErrNoConnection); fmt.Sprint(got) != "["+want+"]" {
			t.Errorf("in no view: %q, want %q", got, want)
		}
		p.wants("1")
		b := r.start("b@1")
		r.view([]*node{b, a}, b) // a takes its share from b, which doesn't let go of it yet
		r.settle(50 * time.Millisecond)
		r.view([]*node{a}, a, b)
		synctest.Wait()
		far, held := boxesOf(2, b, a, b), boxesOf(3, a, a, b)
		list := []actors.Ref{
			far[0], held[0], {Kind: "peer", ID: "nobody", Node: a.id}, {Kind: "peer", ID: "there", Node: "b@0"}, held[1], far[1], held[2], p.ref,
		}
		got := p.all(list, number(2))
		slices.Sort(got)
		want := []string{
			held[1].ID + " " + actors.ErrOverloaded.Error(), held[2].ID + " " + actors.ErrOverloaded.Error(),
			"nobody " + actors.ErrNoProc.Error(), "there " + actors.ErrNoConnection.Error(),
		}
		if slices.Sort(want); !slices.Equal(got, want) {
			t.Errorf("refused %q\nwant    %q", got, want)
		}
		r.settle(5 * time.Second)
		p.wants("2")
		r.wantsBox(far[0], "b@1 2")
		r.wantsBox(far[1], "b@1 2")
		r.wantsBox(held[0], "a@1 2")
		r.wantsBox(held[1])

		// What can't be sent goes to this node's actors only.
		got = p.all([]actors.Ref{far[0], p.ref, far[1]}, "no protobuf")
		if len(got) != 2 || !strings.Contains(got[0], "is no protobuf message") || !strings.HasPrefix(got[1], far[1].ID+" ") {
			t.Errorf("refused %q", got)
		}
		p.wants("no protobuf")
	})
}

// TestFanOutBounced: those whom another node doesn't reach, or whose queues are full there, come back one by one.
func TestFanOutBounced(t *testing.T) {
	run(t, func(r *rig) {
		a, b, c := r.three()
		p, there := a.peer("p"), b.peer("there")
		var list []actors.Ref
		for i := range 4 {
			list = append(list, actors.Ref{Kind: "peer", ID: fmt.Sprint("nobody", i), Node: b.id}, there.ref)
		}
		stuck := boxesOf(1, c, a, b, c)[0]
		r.fill(c, stuck)
		if refused := p.all(append(list, stuck, stuck), number(3)); refused != nil {
			t.Errorf("refused %q", refused)
		}
		r.settle(time.Second)
		var want []string
		for i := range 4 {
			want = append(want, fmt.Sprintf("undelivered nobody%d 3 %v", i, actors.ErrNoProc))
		}
		for range 2 {
			want = append(want, fmt.Sprintf("undelivered %s 3 %v", stuck.ID, actors.ErrOverloaded))
		}
		got := p.heard()
		slices.Sort(got)
		if slices.Sort(want); !slices.Equal(got, want) {
			t.Errorf("heard %q\nwant  %q", got, want)
		}
		there.wants("3", "3", "3", "3")
		if n := a.c.Counters().Bounced.Load(); n != 6 {
			t.Errorf("%d came back", n)
		}
	})
}

// fill suspends a box and fills its queue.
func (r *rig) fill(n *node, ref actors.Ref) {
	r.t.Helper()
	err := n.sys.Cast(ref, number(0))
	synctest.Wait()
	if err == nil {
		err = n.sys.Inspect(r.t.Context(), ref, (*actors.Inspection).Suspend)
	}
	for range 1 << 20 {
		if err != nil {
			break
		}
		err = n.sys.Cast(ref, number(0))
	}
	if err != actors.ErrOverloaded {
		r.t.Fatal(err)
	}
}

// TestFanOutNodeLost: what was for a node that is lost in between comes back for each of its actors, and the others get theirs.
func TestFanOutNodeLost(t *testing.T) {
	run(t, func(r *rig) {
		a, b, c := r.three()
		p := a.peer("p")
		lost, others := boxesOf(600, b, a, b, c), boxesOf(600, c, a, b, c)
		b.die()
		if refused := p.all(append(slices.Clone(lost), others...), number(4)); refused != nil {
			t.Errorf("refused %q", refused)
		}
		r.settle(time.Second)
		p.wants()
		for _, ref := range others {
			r.wantsBox(ref, "c@1 4")
		}
		r.view([]*node{a, c}, a, c)
		r.settle(time.Second)
		got := p.heard()
		var want []string
		for _, ref := range lost {
			want = append(want, fmt.Sprintf("undelivered %s 4 %v", ref.ID, actors.ErrNoConnection))
		}
		if !slices.Equal(got, want) {
			t.Errorf("heard %d: %.200q\nwant  %d", len(got), got, len(want))
		}
		ownerOf := ownersAmong(a, c)
		if refused := p.all(lost, number(5)); refused != nil {
			t.Errorf("refused %q", refused)
		}
		r.settle(time.Second)
		p.wants()
		for _, ref := range lost {
			r.wantsBox(ref, fmt.Sprint(ownerOf(ref), " 5"))
		}
	})
}

// TestFanOutMoves: those whose partition moves meanwhile are sent on one by one, in order with what is cast to each alone, and nothing is
// lost or comes twice; the rest of the envelope stays.
func TestFanOutMoves(t *testing.T) {
	run(t, func(r *rig) {
		a, b, c := r.start("a@1"), r.start("b@1"), r.start("c@1")
		r.view([]*node{a, b, c}, a, b)
		r.settle(50 * time.Millisecond)
		before, after := ownersAmong(a, b), ownersAmong(a, b, c)
		var moving, staying []actors.Ref
		for i := 0; len(moving) < 100 || len(staying) < 100; i++ {
			ref := actors.Ref{Kind: "box", ID: fmt.Sprint("box", i)}
			switch {
			case before(ref) != b.id:
			case after(ref) == c.id:
				moving = append(moving, ref)
			case after(ref) == b.id:
				staying = append(staying, ref)
			}
		}
		p := a.peer("p")
		list := append(slices.Clone(moving), staying...)
		r.view([]*node{b, c}, a, b, c) // a doesn't know yet
		synctest.Wait()
		for i := range uint64(20) {
			p.do(func(ctx *actors.Context) {
				if refused := ctx.CastAll(list, number(2*i)); refused != nil {
					t.Errorf("refused %v", refused)
				}
				_ = ctx.Cast(moving[0], number(2*i+1))
			})
			r.settle(5 * time.Millisecond)
		}
		r.settle(time.Second)
		p.wants()
		if n := b.c.Counters().Forwarded.Load(); n != int64(20*(len(moving)+1)) {
			t.Errorf("%d were sent on, one by one", n)
		}
		check := func(node *node, refs []actors.Ref, step uint64) {
			for _, ref := range refs {
				var want []string
				for i := uint64(0); i < 40; i += step {
					want = append(want, fmt.Sprint(node.id, " ", i))
				}
				r.wantsBox(ref, want...)
			}
		}
		check(c, moving[:1], 1)
		check(c, moving[1:], 2)
		check(b, staying, 2)
		// And as all agree, they are sent straight there.
		r.view([]*node{a}, a, b, c)
		r.settle(time.Second)
		sentOn := b.c.Counters().Forwarded.Load()
		if refused := p.all(list, number(50)); refused != nil || b.c.Counters().Forwarded.Load() != sentOn {
			t.Errorf("refused %v, sent on %d", refused, b.c.Counters().Forwarded.Load()-sentOn)
		}
		r.settle(time.Second)
		r.wantsBox(moving[0], "c@1 50")
		r.wantsBox(staying[0], "b@1 50")
	})
}

// TestFanOutHeld: a node that waits for partitions holds what comes for their actors, and gives each its own in order.
func TestFanOutHeld(t *testing.T) {
	run(t, func(r *rig) {
		a, b, c := r.start("a@1"), r.start("b@1"), r.start("c@1")
		r.view([]*node{a, b, c}, a, b)
		r.settle(50 * time.Millisecond)
		r.mu.Lock()
		r.cut[[2]ident.NodeID{a.id, c.id}], r.cut[[2]ident.NodeID{b.id, c.id}] = true, true // no release gets there
		r.mu.Unlock()
		r.view([]*node{a, b, c}, a, b, c)
		r.settle(50 * time.Millisecond)
		list := boxesOf(100, c, a, b, c)
		p := a.peer("p")
		for i := range uint64(3) {
			if refused := p.all(list, number(i)); refused != nil {
				t.Errorf("refused %q", refused)
			}
		}
		r.mu.Lock()
		r.cut[[2]ident.NodeID{a.id, c.id}] = false
		r.mu.Unlock()
		r.settle(time.Second)
		if n := c.c.Status().Held; n == 0 {
			t.Error("nothing is held")
		}
		r.mu.Lock()
		r.cut[[2]ident.NodeID{b.id, c.id}] = false
		r.mu.Unlock()
		r.settle(5 * time.Second)
		p.wants()
		for _, ref := range list {
			r.wantsBox(ref, "c@1 0", "c@1 1", "c@1 2")
		}
	})
}

// TestFanOutMessage: all get what was sent.
func TestFanOutMessage(t *testing.T) {
	run(t, func(r *rig) {
		a, b, _ := r.three()
		x, y := b.peer("x"), b.peer("y")
		p := a.peer("p")
		msg := &nodepb.Relay{Tag: 7, Stanza: []byte("one for both")}
		if refused := p.all([]actors.Ref{x.ref, y.ref}, msg); refused != nil {
			t.Errorf("refused %v", refused)
		}
		r.settle(time.Second)
		want := fmt.Sprint(msg)
		x.wants(want)
		y.wants(want)
	})
}

// TestFanOutAsItLeaves: what comes for many, while one of them leaves this node, waits behind what its sender has cast to that one alone.
func TestFanOutAsItLeaves(t *testing.T) {
	eachMove(t, time.Minute, func(t *testing.T, r *rig, ref actors.Ref, a, b *node, move func()) {
		p, q := a.peer("p"), b.peer("q")
		p.do(func(ctx *actors.Context) { _ = ctx.Cast(ref, number(1)) })
		r.settle(50 * time.Millisecond)
		move()
		r.settle(time.Millisecond)
		if !a.sys.Alive(ref) || a.c.Local(ref) {
			t.Fatal("it isn't leaving")
		}
		p.do(func(ctx *actors.Context) {
			_ = ctx.Cast(ref, number(2))
			if refused := ctx.CastAll([]actors.Ref{ref, q.ref}, number(3)); refused != nil {
				t.Errorf("refused: %v", refused)
			}
			_ = ctx.Cast(ref, number(4))
		})
		r.settle(time.Second)
		r.wantsBox(ref, "a@1 1", "b@1 2", "b@1 3", "b@1 4")
		q.wants("3")
	})
}

// TestFanOutAsItLeavesFull: an actor that leaves and has no room in its queue is named, and the others get theirs.
func TestFanOutAsItLeavesFull(t *testing.T) {
	eachMove(t, time.Minute, func(t *testing.T, r *rig, ref actors.Ref, a, b *node, move func()) {
		release := r.stubbornly()
		defer release()
		q := b.peer("q")
		_ = a.sys.Cast(ref, &nodepb.Presence{}) // from outside: what waits for the worker that is held up comes late
		r.settle(50 * time.Millisecond)
		for a.sys.Cast(ref, number(0)) == nil {
		}
		move()
		r.settle(time.Millisecond)
		refused := a.sys.CastAll([]actors.Ref{ref, q.ref}, number(3))
		if want := []actors.Refused{{To: ref, Err: actors.ErrOverloaded}}; !slices.Equal(refused, want) {
			t.Errorf("refused %v, want %v", refused, want)
		}
		r.settle(time.Second)
		q.wants("3")
	})
}
