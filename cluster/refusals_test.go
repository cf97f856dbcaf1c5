package cluster_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"
	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/cluster"
	"github.com/jackdaw-im/jackdaw/cluster/link"
	"github.com/jackdaw-im/jackdaw/cluster/placement"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// movers starts three nodes: what is a's among a and b becomes c's, as c comes in. The two actors are of one such partition.
func (r *rig) movers(change ...func(*cluster.Options)) (a, b, c *node, one, two actors.Ref) {
	a, b, c = r.start("a@1", change...), r.start("b@1", change...), r.start("c@1", change...)
	r.view([]*node{a, b, c}, a, b)
	r.settle(50 * time.Millisecond)
	first := map[ident.Partition]actors.Ref{}
	for i := 0; ; i++ {
		two = actors.Ref{Kind: "box", ID: fmt.Sprint("box", i)}
		if boxIn(two, a, b) != a.id || boxIn(two, a, b, c) != c.id {
			continue
		}
		p := ident.PartitionOf(two.Kind, two.ID)
		if one = first[p]; one.ID != "" {
			return a, b, c, one, two
		}
		first[p] = two
	}
}

// TestUnreleasedIsGivenBack: what an owner has sent on without letting go of the partition is not processed by the next one, as something
// may have come to the owner before it. What came directly is.
func TestUnreleasedIsGivenBack(t *testing.T) {
	for name, end := range map[string]func(r *rig, a, b, c *node){
		"in time":  func(r *rig, _, _, _ *node) { r.settle(1800 * time.Millisecond) },
		"lost":     func(r *rig, a, b, c *node) { a.die(); r.seeView(c, []*node{b, c}, []*node{b, c}) },
		"released": nil,
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(r *rig) {
				a, b, c, stays, ref := r.movers(func(o *cluster.Options) { o.RetireTime = 10 * time.Second })
				if end != nil {
					r.stubbornly()
				}
				p, q := b.peer("p"), c.peer("q")
				p.do(func(ctx *actors.Context) { _ = ctx.Cast(stays, number(1)) })
				r.settle(50 * time.Millisecond)
				all := []*node{a, b, c}
				r.seeView(a, all, all)
				r.seeView(c, all, all)
				r.settle(time.Millisecond)
				q.do(func(ctx *actors.Context) { _ = ctx.Cast(ref, number(2)) })
				p.do(func(ctx *actors.Context) { // who has not heard of it yet
					_ = ctx.Cast(ref, number(3))
					ctx.Call(ref, &nodepb.Relay{}, time.Minute)
				})
				r.settle(10 * time.Millisecond)
				if n := c.c.Status().Held; n != 3 || a.c.Counters().Forwarded.Load() != 2 {
					t.Fatalf("c holds %d, a has sent on %d", n, a.c.Counters().Forwarded.Load())
				}
				if end == nil {
					r.seeView(b, all, all) // who may have sent more by way of a
					r.settle(time.Second)
					r.wantsBox(ref, "c@1 3", "c@1 2") // what went by the owner before comes first
					p.wants("reply c@1 [3] <nil>")
					return
				}
				end(r, a, b, c)
				r.settle(200 * time.Millisecond)
				r.wantsBox(ref, "c@1 2")
				p.wants("undelivered "+ref.ID+" 3 "+actors.ErrNoConnection.Error(), "reply <nil> "+actors.ErrNoConnection.Error())
				q.wants()
				if n := c.c.Status().Held; n != 0 {
					t.Errorf("%d are held", n)
				}
			})
		})
	}
}

// TestUnreleasedPinIsGivenBack: so it is with a single actor that a pin moves.
func TestUnreleasedPinIsGivenBack(t *testing.T) {
	const inTime, lost, released = "in time", "lost", "released"
	for _, end := range []string{inTime, lost, released} {
		t.Run(end, func(t *testing.T) {
			run(t, func(r *rig) {
				if end != released {
					r.stubbornly()
				}
				a, b, c := r.three(func(o *cluster.Options) { o.RetireTime = 10 * time.Second })
				ref := boxOf(a, a, b, c)
				p, q := b.peer("p"), c.peer("q")
				p.do(func(ctx *actors.Context) { _ = ctx.Cast(ref, number(1)) })
				r.settle(50 * time.Millisecond)
				r.opened(ref)
				pins := placement.MakePins([]placement.Pin{{Kind: ref.Kind, ID: ref.ID, Node: "c"}})
				a.c.SetPins(pins)
				c.c.SetPins(pins)
				r.settle(5 * time.Millisecond)
				q.do(func(ctx *actors.Context) { _ = ctx.Cast(ref, number(2)) })
				p.do(func(ctx *actors.Context) { ctx.Call(ref, &nodepb.Relay{}, time.Minute) }) // who doesn't know it yet
				r.settle(5 * time.Millisecond)
				if n := c.c.Status().Held; n != 2 || a.c.Counters().Forwarded.Load() != 1 {
					t.Fatalf("c holds %d, a has sent on %d", n, a.c.Counters().Forwarded.Load())
				}
				b.c.SetPins(pins)
				want := "reply <nil> " + actors.ErrNoConnection.Error()
				switch end {
				case inTime:
					r.settle(2 * time.Second)
				case lost:
					a.die()
					r.seeView(c, []*node{b, c}, []*node{b, c})
					r.settle(time.Second)
				case released:
					r.settle(time.Second)
					want = "reply c@1 [] <nil>"
				}
				p.wants(want)
				q.wants()
				r.wantsBox(ref, "c@1 2")
			})
		})
	}
}

// TestSentOnComesFirst: what has gone by the owner before is older than what its sender has sent directly, and is handled before it,
// however late it comes.
func TestSentOnComesFirst(t *testing.T) {
	run(t, func(r *rig) {
		late := map[[2]ident.NodeID]time.Duration{}
		r.carrier = func(n *node, to link.Peer, f *nodepb.Frame) error {
			f = proto.Clone(f).(*nodepb.Frame)
			time.AfterFunc(time.Millisecond+late[[2]ident.NodeID{n.id, to.ID}], func() {
				r.mu.Lock()
				there := r.nodes[to.ID]
				r.mu.Unlock()
				if there != nil {
					there.links.Receive(f)
				}
			})
			return nil
		}
		a, b, c, stays, ref := r.movers()
		late[[2]ident.NodeID{a.id, c.id}] = 50 * time.Millisecond
		p, all := b.peer("p"), []*node{a, b, c}
		p.do(func(ctx *actors.Context) { _ = ctx.Cast(stays, number(0)) }) // which takes some time to leave
		r.settle(5 * time.Millisecond)
		r.seeView(a, all, all)
		r.seeView(c, all, all)
		r.settle(time.Millisecond)
		p.do(func(ctx *actors.Context) { _ = ctx.Cast(ref, number(1)) })
		r.settle(5 * time.Millisecond)
		r.seeView(b, all, all)
		r.settle(5 * time.Millisecond)
		p.do(func(ctx *actors.Context) { _ = ctx.Cast(ref, number(2)) })
		r.settle(time.Second)
		r.wantsBox(ref, "c@1 1", "c@1 2")
		if n := a.c.Counters().Forwarded.Load(); n != 1 {
			t.Errorf("a has sent on %d", n)
		}
	})
}

// TestForAnotherProcess: what a peer sends here for an actor that is another process's, like the one that had this node's name before, is
// refused at once. It is neither kept nor sent on, which no node in order asks for.
func TestForAnotherProcess(t *testing.T) {
	run(t, func(r *rig) {
		a, b, _ := r.three()
		p := b.peer("p")
		for i, node := range []ident.NodeID{"a@0", "b@1", "b@0", "c@1", "nobody"} {
			ref := actors.Ref{Kind: "peer", ID: "x", Node: node}
			b.sendRaw(t, a.id, ref, p.ref, uint64(i))
			r.settle(10 * time.Millisecond)
			p.wants(fmt.Sprintf("undelivered x %d %v", i, actors.ErrNoProc))
		}
		if k := a.c.Counters(); k.Forwarded.Load() != 0 || k.Held.Load() != 0 {
			t.Errorf("%d sent on, %d kept", k.Forwarded.Load(), k.Held.Load())
		}
	})
}

// sendRaw casts to an actor by way of a node that it isn't on.
func (n *node) sendRaw(t *testing.T, by ident.NodeID, to, from actors.Ref, tag uint64) {
	t.Helper()
	body, err := proto.Marshal(number(tag))
	if err != nil {
		t.Fatal(err)
	}
	b, err := proto.Marshal(&nodepb.Envelope{How: nodepb.Envelope_CAST, To: to.Proto(), From: from.Proto(), Type: uint32(xxhash.Sum64String(string(number(0).ProtoReflect().Descriptor().FullName()))), Body: body})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.links.Send(by, nodepb.LinkClass_MESSAGES, b, false); err != nil {
		t.Fatal(err)
	}
}

// TestRoomForWhatViewsDisagreeOn: what waits for views to agree has bounds, in number and in bytes, and is refused at once beyond them.
func TestRoomForWhatViewsDisagreeOn(t *testing.T) {
	for name, bound := range map[string]func(o *cluster.Options){
		"number": func(o *cluster.Options) { o.HoldLen = 2 },
		"bytes":  func(o *cluster.Options) { o.HoldBytes = 2*proto.Size(number(1)) + 1 },
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(r *rig) {
				a, b := r.start("a@1"), r.start("b@1", bound)
				r.view([]*node{a}, b) // each takes the other for the owner of everything
				r.view([]*node{b}, a)
				r.settle(5 * time.Second)
				p := a.peer("p")
				p.do(func(ctx *actors.Context) {
					for i := range uint64(4) {
						_ = ctx.Cast(actors.Ref{Kind: "box", ID: "x"}, number(i+1))
					}
				})
				r.settle(100 * time.Millisecond)
				full := []string{"undelivered x 3 " + actors.ErrOverloaded.Error(), "undelivered x 4 " + actors.ErrOverloaded.Error()}
				p.wants(full...)
				if k, n := b.c.Counters(), b.c.Status().Held; n != 2 || k.Full.Load() != 2 {
					t.Errorf("%d are kept, %d refused", n, k.Full.Load())
				}
				r.settle(3 * time.Second)
				p.wants("undelivered x 1 "+actors.ErrOverloaded.Error(), "undelivered x 2 "+actors.ErrOverloaded.Error())
				p.do(func(ctx *actors.Context) { // what has been given back makes room
					_ = ctx.Cast(actors.Ref{Kind: "box", ID: "x"}, number(5))
				})
				r.settle(100 * time.Millisecond)
				p.wants()
			})
		})
	}
}

// TestCallsOfALostNode: calls that a node has taken and not answered are answered as soon as it is lost, and no others.
func TestCallsOfALostNode(t *testing.T) {
	run(t, func(r *rig) {
		r.stubbornly()
		a, b, c := r.three()
		p := a.peer("p")
		onB, onC := boxOf(b, a, b, c), boxOf(c, a, b, c)
		p.do(func(ctx *actors.Context) {
			ctx.Call(onB, &nodepb.Presence{}, time.Hour)
			ctx.Call(onB, &nodepb.Presence{}, time.Hour)
			ctx.Call(onC, &nodepb.Presence{}, time.Hour)
		})
		r.settle(10 * time.Second) // the links' acknowledgements have come
		p.wants()
		b.die()
		r.view([]*node{a, c}, a, c)
		r.settle(10 * time.Millisecond)
		lost := "reply <nil> " + actors.ErrNoConnection.Error()
		p.wants(slices.Repeat([]string{lost}, 2)...)
		if n := a.c.Status().Calls; n != 1 {
			t.Errorf("%d calls wait", n)
		}
	})
}

// TestLeftGoesBackToItsSender: what an actor that leaves has not handled is sent on in its sender's name. If it isn't taken, that one hears, on its
// own node or on the one that refuses.
func TestLeftGoesBackToItsSender(t *testing.T) {
	run(t, func(r *rig) {
		a, b, c, _, _ := r.movers()
		nobody := actors.Ref{Kind: "box", ID: "nobody", Node: c.id}
		for i, n := range []*node{a, b, c} {
			p := n.peer("p")
			if err := a.c.Send(nobody, actors.Signal{How: actors.HowCast, From: p.ref, Msg: number(uint64(i)), Left: true}); err != nil {
				t.Fatal(err)
			}
			r.settle(50 * time.Millisecond)
			p.wants(fmt.Sprintf("undelivered nobody %d %v", i, actors.ErrNoProc))
		}
	})
}
