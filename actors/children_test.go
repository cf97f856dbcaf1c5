package actors_test

import (
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
