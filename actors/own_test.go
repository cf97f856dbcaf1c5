package actors_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
)

// neverStarts starts nobody.
type neverStarts struct{ t *testing.T }

func (r neverStarts) Activate(ref actors.Ref) error {
	r.t.Errorf("%v is started", ref)
	return actors.ErrNoProc
}

// TestOfThisNode: an actor of which each node has one is found by a Ref that says which node's is meant, and only that of this node.
// Those that start on demand aren't started so.
func TestOfThisNode(t *testing.T) {
	twoNodes(t, func(t *testing.T, _ *world, a, b *actors.System) {
		mine, theirs := newAgent(t, a, "service", &restarter{}), newAgent(t, b, "service", &restarter{})
		for _, s := range []*actors.System{a, b} {
			s.SetActivator("entity", neverStarts{t})
		}
		asker := newAgent(t, a, "asker", &restarter{})
		for _, x := range []*agent{mine, theirs} {
			ref := actors.Ref{Kind: x.ref().Kind, ID: x.ref().ID, Node: "a@1"}
			if x == theirs {
				ref.Node = "b@1"
			}
			asker.do(func(ctx *actors.Context) {
				if err := ctx.Cast(ref, "hello "+string(ref.Node)); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
			x.wants(t, "[hello "+string(ref.Node)+"]")
		}
		for _, ref := range []actors.Ref{{Kind: "agent", ID: "nobody", Node: "a@1"}, {Kind: "entity", ID: "x", Node: "a@1"}} {
			if _, err := a.CallTimeout(ref, "who?", time.Second); !errors.Is(err, actors.ErrNoProc) {
				t.Errorf("%v: %v", ref, err)
			}
		}
	})
}
