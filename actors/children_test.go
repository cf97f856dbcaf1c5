package actors_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/jackdaw-im/jackdaw/actors"
)

// TestChildOf finds an owner's own children, with what they were started with, while they live.
func TestChildOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sys := actors.NewSystem(actors.Config{Workers: 1, Node: "n@1"})
		if err := sys.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = sys.Stop(t.Context()) }()
		mine, other := &keeper{}, &keeper{}
		ref := actors.Ref{Kind: "k", ID: "a", Node: "n@1"}
		spec := actors.Spec{Kind: "k", New: func() actors.Behaviour { return still{} }}
		child, err := sys.Spawn(spec, ref, "args", mine)
		if err != nil {
			t.Fatal(err)
		}
		if c, ok := sys.ChildOf(mine, ref); !ok || *c != *child || c.Args() != "args" {
			t.Errorf("got %v, %v", c, ok)
		}
		if _, ok := sys.ChildOf(other, ref); ok {
			t.Error("another's child is found")
		}
		child.Stop(actors.Shutdown)
		synctest.Wait()
		if _, ok := sys.ChildOf(mine, ref); ok {
			t.Error("one that has ended is found")
		}
	})
}

// keeper is an owner that lets everything go.
type keeper struct{ actors.Children }

func (h *keeper) Family() *actors.Children { return &h.Children }

func (h *keeper) Exited(c *actors.Child, r actors.Reason) { c.End(r) }

// still is an actor that does nothing.
type still struct{}

func (still) Init(*actors.Context, any) error   { return nil }
func (still) Handle(*actors.Context, any) error { return nil }

// follower is an owner that does something the first time the runtime asks for its list.
type follower struct {
	keeper
	asked func()
}

func (f *follower) Family() *actors.Children {
	if f.asked != nil {
		do := f.asked
		f.asked = nil
		do()
	}
	return &f.Children
}

// TestEndedWhileItIsSpawned: one that is ended as soon as it has a name is in nobody's list.
func TestEndedWhileItIsSpawned(t *testing.T) {
	bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
		own := &follower{}
		own.asked = func() {
			c, ok := s.ChildOf(own, actors.Ref{Kind: "probe", ID: "a"})
			if !ok {
				t.Fatal("it has no name yet")
			}
			c.End(actors.Killed)
		}
		spawn(t, s, "a", own, &probe{})
		synctest.Wait()
		if n := own.Len(); n != 0 {
			t.Errorf("%d children", n)
		}
	})
}

// TestTheNextOfAName: whoever takes the name of one that ends isn't taken for it by those who watch.
func TestTheNextOfAName(t *testing.T) {
	s := system(t, actors.Config{Workers: 2})
	defer stop(t, s)
	own := &follower{}
	c := spawn(t, s, "a", own, &probe{})
	var down atomic.Int32
	step := make(chan bool, 1)
	w := spawn(t, s, "w", &restarter{}, &probe{handle: func(ctx *actors.Context, m any) error {
		if _, ok := m.(actors.Down); ok {
			down.Add(1)
		} else {
			ctx.Monitor(c.Ref())
			step <- true
		}
		return nil
	}, call: func(*actors.Context, actors.From, any) (any, error) { return nil, nil }})
	own.asked = func() {
		spawn(t, s, "a", &restarter{}, &probe{})
		_ = s.Cast(w.Ref(), "watch")
		<-step
	}
	c.End(actors.Killed)
	if _, err := s.Call(t.Context(), w.Ref(), "?"); err != nil || down.Load() != 0 {
		t.Errorf("%d downs, %v", down.Load(), err)
	}
}
