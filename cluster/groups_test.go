package cluster_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/pg"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// club is a node with a scope that it shares with others, and an actor that watches all of it.
type club struct {
	*node
	scope *pg.Scope
	ear   *ear
}

// ear notes what a monitor of a scope tells.
type ear struct {
	scope *pg.Scope
	mu    sync.Mutex
	got   []string
}

func (e *ear) Init(ctx *actors.Context, _ any) error {
	_, err := e.scope.MonitorScope(ctx)
	return err
}

func (e *ear) Handle(_ *actors.Context, msg any) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch m := msg.(type) {
	case *pg.Current:
		e.got = append(e.got, fmt.Sprint("current ", len(m.Groups)))
	case *pg.Change:
		what := "join "
		if m.Left {
			what = "leave "
		}
		for _, ref := range m.Members {
			e.got = append(e.got, what+m.Group+" "+list([]actors.Ref{ref}))
		}
	}
	return nil
}

// hears compares what the monitor has told since the last time, in no order.
func (c *club) hears(want ...string) {
	c.r.t.Helper()
	synctest.Wait()
	c.ear.mu.Lock()
	defer c.ear.mu.Unlock()
	got := c.ear.got
	c.ear.got = nil
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		c.r.t.Fatalf("%s heard %q\nwant %q", c.id, got, want)
	}
}

// list writes members without their kinds, and without the incarnations of their nodes.
func list(refs []actors.Ref) string {
	var all []string
	for _, ref := range refs {
		id := ref.ID
		if ref.Node != "" {
			id += "@" + ref.Node.Name()
		}
		all = append(all, id)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// sluggish is a scope's actor that can be held up, by a channel that is cast to it.
type sluggish struct{ actors.Behaviour }

func (s *sluggish) Handle(ctx *actors.Context, msg any) error {
	if gate, ok := msg.(chan struct{}); ok {
		<-gate
		return nil
	}
	return s.Behaviour.Handle(ctx, msg)
}

func (s *sluggish) HandleCall(ctx *actors.Context, from actors.From, req any) (any, error) {
	return s.Behaviour.(actors.CallHandler).HandleCall(ctx, from, req)
}

func (s *sluggish) Terminate(ctx *actors.Context, reason actors.Reason) {
	s.Behaviour.(actors.Terminator).Terminate(ctx, reason)
}

// queueLen is what waits for a scope here at most.
const queueLen = 8

// club gives a node a scope.
func (n *node) club(name string) *club {
	n.r.t.Helper()
	c := &club{node: n, scope: pg.New(n.sys, name)}
	n.c.Share(c.scope)
	spec := pg.Spec(c.scope)
	usual := spec.Spec.New
	spec.Spec.New, spec.Spec.QueueLen = func() actors.Behaviour { return &sluggish{usual()} }, queueLen
	c.ear = &ear{scope: c.scope}
	root, err := supervision.StartRoot(n.sys, supervision.SupervisorSpec{ID: name, Children: []supervision.ChildSpec{spec,
		supervision.Actor(name+" ear", actors.Spec{Kind: "ear", New: func() actors.Behaviour { return c.ear }}, nil)}})
	if err != nil {
		n.r.t.Fatal(err)
	}
	n.r.t.Cleanup(func() { _ = root.Stop(context.Background()) })
	return c
}

func (c *club) join(group string, members ...actors.Ref) {
	c.r.t.Helper()
	if err := c.scope.Join(context.Background(), group, members...); err != nil {
		c.r.t.Fatal(err)
	}
}

func (c *club) leave(group string, members ...actors.Ref) {
	c.r.t.Helper()
	if err := c.scope.Leave(context.Background(), group, members...); err != nil {
		c.r.t.Fatal(err)
	}
}

// see compares the members that nodes see.
func see(group, want string, all ...*club) {
	synctest.Wait()
	for _, c := range all {
		c.r.t.Helper()
		if got := list(c.scope.Members(group)); got != want {
			c.r.t.Fatalf("%s sees %q in %s, want %q", c.id, got, group, want)
		}
	}
}

// clubs starts nodes that see each other and share a scope.
func (r *rig) clubs(ids ...ident.NodeID) (all []*club, nodes []*node) {
	for _, id := range ids {
		c := r.start(id).club("club")
		all, nodes = append(all, c), append(nodes, c.node)
	}
	r.view(nodes, nodes...)
	r.settle(time.Second)
	for _, c := range all {
		c.hears("current 0")
	}
	return all, nodes
}

// cuts cuts or heals the ways between two nodes.
func (r *rig) cuts(a, b ident.NodeID, on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut[[2]ident.NodeID{a, b}], r.cut[[2]ident.NodeID{b, a}] = on, on
}

// TestGroupsOfTwoNodes: joins, leaves and ends on either are seen on both, by readers and by those who monitor, and what is said to a
// group gets to all its members, each where it is.
func TestGroupsOfTwoNodes(t *testing.T) {
	run(t, func(r *rig) {
		all, nodes := r.clubs("a@1", "b@1")
		a, b := all[0], all[1]
		p, q := a.peer("p"), b.peer("q")
		a.join("g", p.ref)
		b.join("g", q.ref, q.ref)
		b.join("h", q.ref)
		r.settle(time.Second)
		see("g", "p@a q@b q@b", a, b)
		see("h", "q@b", a, b)
		for _, c := range all {
			c.hears("join g p@a", "join g q@b", "join g q@b", "join h q@b")
		}
		if got := list(a.scope.LocalMembers("g")) + ", " + list(b.scope.LocalMembers("g")); got != "p@a, q@b q@b" {
			t.Error("local members:", got)
		}
		b.leave("g", q.ref)
		r.settle(time.Second)
		see("g", "p@a q@b", a, b)
		for _, c := range all {
			c.hears("leave g q@b")
		}
		if err := a.scope.Leave(context.Background(), "g", q.ref); err == nil {
			t.Error("a node takes another's member away")
		}
		if n, refused := a.scope.Broadcast(a.sys, "g", number(7)); n != 2 || refused != nil {
			t.Errorf("%d have taken it, not %v", n, refused)
		}
		r.settle(time.Second)
		p.wants("7")
		q.wants("7")
		q.do(func(ctx *actors.Context) { ctx.Stop(actors.Normal) })
		r.settle(time.Second)
		see("g", "p@a", a, b)
		see("h", "", a, b)
		for _, c := range all {
			c.hears("leave g q@b", "leave h q@b")
		}

		// A placed actor is a member where it runs, and leaves as it moves.
		onB := boxOf(b.node, nodes...)
		if err := b.sys.Cast(onB, number(1)); err != nil {
			t.Fatal(err)
		}
		b.join("g", onB)
		r.settle(time.Second)
		see("g", onB.ID+" p@a", a, b)
		a.scope.Broadcast(a.sys, "g", number(8))
		r.settle(time.Second)
		p.wants("8")
		if got := r.boxes[onB.ID]; fmt.Sprint(got) != "[b@1 1 b@1 8]" {
			t.Error("the box has got", got)
		}
		r.view(nodes, a.node)
		r.settle(5 * time.Second)
		see("g", "p@a", a, b)
	})
}

// TestMembersThatEachNodeHas: an actor whose name says nothing of its node, such as a service that each has, is that of the node that it has
// joined on.
func TestMembersThatEachNodeHas(t *testing.T) {
	run(t, func(r *rig) {
		all, _ := r.clubs("a@1", "b@1")
		ref := actors.Ref{Kind: "service", ID: "s"}
		var services []*peer
		for _, c := range all {
			p := &peer{n: c.node, ref: ref}
			if _, err := c.sys.Spawn(actors.Spec{Kind: ref.Kind, New: func() actors.Behaviour { return p }}, ref, nil, &owner{}); err != nil {
				t.Fatal(err)
			}
			services = append(services, p)
			c.join("g", ref)
		}
		r.settle(time.Second)
		see("g", "s s@b", all[0])
		see("g", "s s@a", all[1])
		if n, refused := all[0].scope.Broadcast(all[0].sys, "g", number(3)); n != 2 || refused != nil {
			t.Errorf("%d have taken it, not %v", n, refused)
		}
		r.settle(time.Second)
		for _, p := range services {
			p.wants("3")
		}
	})
}

// TestGroupsAndNodesThatGo: who is lost takes its members along, who is back brings them again, and so does a node that others had given up
// and that knew nothing of that.
func TestGroupsAndNodesThatGo(t *testing.T) {
	run(t, func(r *rig) {
		all, nodes := r.clubs("a@1", "b@1", "c@1")
		a, b, c := all[0], all[1], all[2]
		a.join("g", a.peer("p").ref)
		b.join("g", b.peer("q").ref)
		r.settle(time.Second)
		c.join("g", c.peer("x").ref)
		r.settle(time.Second)
		see("g", "p@a q@b x@c", all...)
		for _, n := range all {
			n.hears("join g p@a", "join g q@b", "join g x@c")
		}

		r.view(nodes[:2], a.node, b.node) // c is lost
		r.settle(time.Second)
		see("g", "p@a q@b", a, b)
		a.hears("leave g x@c")
		c.hears()
		z := c.peer("z")
		c.join("g", z.ref) // which has heard nothing of that
		r.settle(time.Second)
		see("g", "p@a q@b", a, b)
		see("g", "p@a q@b x@c z@c", c)
		r.view(nodes, a.node, b.node, c.node)
		r.settle(time.Second)
		see("g", "p@a q@b x@c z@c", all...)
		a.hears("join g x@c", "join g z@c")
		b.hears("leave g x@c", "join g x@c", "join g z@c")
		c.hears("join g z@c", "leave g p@a", "leave g q@b", "join g p@a", "join g q@b") // it was given up by both
		r.settle(time.Minute)
		for _, n := range all {
			n.hears()
		}

		c.die() // and another process has its name
		r.view(nodes[:2], a.node, b.node)
		r.settle(time.Second)
		see("g", "p@a q@b", a, b)
		d := r.start("c@2").club("club")
		d.join("g", d.peer("y").ref)
		nodes = []*node{a.node, b.node, d.node}
		r.view(nodes, nodes...)
		r.settle(time.Second)
		see("g", "p@a q@b y@c", a, b, d)
	})
}

// TestGroupsAndCuts: what happens while frames are lost is seen as soon as they are not, by a node that wasn't missed and by one that
// was; and nobody waits for another node meanwhile.
func TestGroupsAndCuts(t *testing.T) {
	run(t, func(r *rig) {
		all, nodes := r.clubs("a@1", "b@1", "c@1")
		a, b, c := all[0], all[1], all[2]
		p, q, x := a.peer("p"), b.peer("q"), c.peer("x")
		for _, missed := range []bool{false, true} {
			r.cuts(a.id, b.id, true)
			r.cuts(a.id, c.id, true)
			if missed {
				r.view(nodes[:1], a.node)
				r.view(nodes[1:], b.node, c.node)
			}
			begin := time.Now()
			a.join("g", p.ref)
			b.join("g", q.ref)
			c.join("g", x.ref)
			b.leave("g", q.ref)
			b.join("g", q.ref, q.ref)
			if d := time.Since(begin); d > 0 {
				t.Errorf("somebody has waited for %v", d)
			}
			r.settle(20 * time.Second)
			see("g", "p@a", a)
			see("g", "q@b q@b x@c", b, c)
			r.cuts(a.id, b.id, false)
			r.cuts(a.id, c.id, false)
			if missed {
				r.view(nodes, nodes...)
			}
			r.settle(20 * time.Second)
			see("g", "p@a q@b q@b x@c", all...)
			a.leave("g", p.ref)
			b.leave("g", q.ref, q.ref)
			c.leave("g", x.ref)
			r.settle(time.Second)
			see("g", "", all...)
		}
	})
}

// TestAGroupsUpdateThatIsRefused: a scope whose queue is full asks for all there is as soon as it can, once for all that it has missed, and
// nobody hears that members have left who haven't.
func TestAGroupsUpdateThatIsRefused(t *testing.T) {
	run(t, func(r *rig) {
		all, _ := r.clubs("a@1", "b@1")
		a, b := all[0], all[1]
		p := a.peer("p")
		a.join("g", p.ref)
		r.settle(time.Second)
		b.hears("join g p@a")
		gate := make(chan struct{})
		if err := b.sys.Cast(b.scope.Ref(), gate); err != nil {
			t.Fatal(err)
		}
		for range 10 * queueLen {
			a.join("g", p.ref)
		}
		r.settle(time.Minute)
		see("g", "p@a", b)
		asked := a.c.Counters().Received.Load()
		if n := b.c.Counters().Lost.Load(); n == 0 {
			t.Error("nothing was refused")
		}
		close(gate)
		r.settle(time.Minute)
		want := strings.TrimSuffix(strings.Repeat("p@a ", 10*queueLen+1), " ")
		see("g", want, a, b)
		if n := a.c.Counters().Received.Load() - asked; n != 1 {
			t.Errorf("asked %d times", n)
		}
		b.ear.mu.Lock()
		for _, s := range b.ear.got {
			if !strings.HasPrefix(s, "join g") {
				t.Errorf("heard %q", s)
			}
		}
		b.ear.mu.Unlock()
		a.leave("g", p.ref)
		r.settle(time.Second)
		see("g", strings.TrimPrefix(want, "p@a "), a, b)
	})
}

// TestScopesOfOneNode: scopes that only one node has are no matter of the other, and one that is shared late sees what is there.
func TestScopesOfOneNode(t *testing.T) {
	run(t, func(r *rig) {
		a, b := r.start("a@1"), r.start("b@1")
		one, two := a.club("one"), a.club("two")
		r.view([]*node{a, b}, a, b)
		p := a.peer("p")
		one.join("g", p.ref)
		two.join("h", p.ref)
		r.settle(time.Minute)
		if n := b.c.Counters(); n.Lost.Load() > 5 || n.Unreadable.Load() > 0 {
			t.Errorf("%d lost, %d unreadable", n.Lost.Load(), n.Unreadable.Load())
		}
		late := b.club("one")
		r.settle(time.Second)
		see("g", "p@a", one, late)
		see("h", "", one, late)
		late.join("g", b.peer("q").ref)
		r.settle(time.Second)
		see("g", "p@a q@b", one, late)
	})
}
