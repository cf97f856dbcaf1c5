package actors_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/actors"
)

// fanned is a side that takes one message for many, but for those whose names begin with "deaf".
type fanned struct {
	*side
	calls []string
}

func (f *fanned) SendAll(from actors.Ref, to []actors.Ref, msg any) (refused []actors.Refused) {
	var ids []string
	for _, ref := range to {
		ids = append(ids, ref.ID)
		err := errors.New("deaf")
		if !strings.HasPrefix(ref.ID, "deaf") {
			err = f.Send(ref, actors.Signal{How: actors.HowCast, From: from, Msg: msg})
		}
		if err != nil {
			refused = append(refused, actors.Refused{To: ref, Err: err})
		}
	}
	f.calls = append(f.calls, fmt.Sprintf("%s to %v: %v", from.ID, ids, msg))
	return refused
}

// refusals shows who has refused and why.
func refusals(list []actors.Refused) string {
	var all []string
	for _, r := range list {
		all = append(all, fmt.Sprintf("%s: %v", r.To.ID, r.Err))
	}
	return strings.Join(all, ", ")
}

func agents(ids ...string) (refs []actors.Ref) {
	for _, id := range ids {
		refs = append(refs, actors.Ref{Kind: "agent", ID: id})
	}
	return refs
}

// TestCastAll: what is for this node's actors goes to each, what is for another node's goes to the router at once; all that don't take
// it are named, with the reason of each.
func TestCastAll(t *testing.T) {
	twoNodes(t, func(t *testing.T, w *world, a, b *actors.System) {
		router := &fanned{side: &side{w, "a@1"}}
		a.SetRouter(router)
		near, far := newAgent(t, a, "a near", &restarter{}), newAgent(t, b, "far", &restarter{})
		also := newAgent(t, b, "further", &restarter{})
		full := newAgent(t, a, "a full", &restarter{}, func(s *actors.Spec) { s.QueueLen = 1 })
		if err := a.Inspect(t.Context(), full.ref(), (*actors.Inspection).Suspend); err != nil {
			t.Fatal(err)
		}
		_ = a.Cast(full.ref(), "waits")
		if err := a.Register("the near one", near.ref()); err != nil {
			t.Fatal(err)
		}
		var refused []actors.Refused
		list := append(agents("far", "a near", "further", "a full", "deaf", "a nobody", "far", "a near"), actors.Named("the near one"), actors.Named("a missing"))
		near.do(func(ctx *actors.Context) { refused = ctx.CastAll(list, "hello") })
		if got, want := refusals(refused), fmt.Sprintf("a full: %v, a nobody: %v, a missing: %v, deaf: deaf",
			actors.ErrOverloaded, actors.ErrNoProc, actors.ErrNoProc); got != want {
			t.Errorf("refused %s\nwant    %s", got, want)
		}
		if want := []string{"a near to [far further deaf far]: hello"}; !slices.Equal(router.calls, want) {
			t.Errorf("the router was asked %q", router.calls)
		}
		if err := a.Inspect(t.Context(), full.ref(), (*actors.Inspection).Resume); err != nil {
			t.Fatal(err)
		}
		near.wants(t, "[hello hello hello]")
		far.wants(t, "[hello hello]")
		also.wants(t, "[hello]")
		full.wants(t, "[waits]")

		router.calls = nil
		if refused := a.CastAll(agents("far", "a near"), "again"); refused != nil {
			t.Errorf("refused %v", refusals(refused))
		}
		if want := []string{" to [far]: again"}; !slices.Equal(router.calls, want) {
			t.Errorf("the router was asked %q", router.calls)
		}
		near.wants(t, "[again]")
		far.wants(t, "[again]")

		router.calls = nil
		refused = a.CastAll(agents("far", "a near"), nil)
		if len(refused) != 2 || refused[0].Err == nil || refused[1].Err == nil || router.calls != nil {
			t.Errorf("nothing was sent: refused %v, the router was asked %q", refusals(refused), router.calls)
		}
		if refused := a.CastAll(agents("a near", "a near"), "near"); refused != nil || router.calls != nil || a.CastAll(nil, "nobody") != nil {
			t.Errorf("only here: refused %v, the router was asked %q", refusals(refused), router.calls)
		}
		near.wants(t, "[near near]")
	})
}

// TestCastAllOneByOne: without a router, or with one that can't take a message for many, each gets its own.
func TestCastAllOneByOne(t *testing.T) {
	twoNodes(t, func(t *testing.T, w *world, a, b *actors.System) {
		near, far := newAgent(t, a, "a near", &restarter{}), newAgent(t, b, "far", &restarter{})
		near.do(func(ctx *actors.Context) {
			if refused := ctx.CastAll(agents("far", "a near", "far"), "one"); refused != nil {
				t.Errorf("refused %v", refusals(refused))
			}
			w.cut = true
			if got, want := refusals(ctx.CastAll(agents("far", "a near"), "two")), fmt.Sprintf("far: %v", actors.ErrNoConnection); got != want {
				t.Errorf("refused %s, want %s", got, want)
			}
		})
		near.wants(t, "[one two]")
		far.wants(t, "[one one]")
	})
	bubble(t, actors.Config{}, func(t *testing.T, s *actors.System) {
		only := newAgent(t, s, "only", &restarter{})
		if got, want := refusals(s.CastAll(agents("only", "nobody"), "x")), fmt.Sprintf("nobody: %v", actors.ErrNoProc); got != want {
			t.Errorf("refused %s, want %s", got, want)
		}
		only.wants(t, "[x]")
	})
}

// TestCastAllOrder: what one actor casts to another arrives in order, by whichever way.
func TestCastAllOrder(t *testing.T) {
	twoNodes(t, func(t *testing.T, w *world, a, b *actors.System) {
		a.SetRouter(&fanned{side: &side{w, "a@1"}})
		near, far := newAgent(t, a, "a near", &restarter{}), newAgent(t, b, "far", &restarter{})
		near.do(func(ctx *actors.Context) {
			for i := range 6 {
				if i%2 == 0 {
					_ = ctx.CastAll(agents("far", "a near"), i)
				} else {
					_, _ = ctx.Cast(far.ref(), i), ctx.Cast(near.ref(), i)
				}
			}
		})
		near.wants(t, "[0 1 2 3 4 5]")
		far.wants(t, "[0 1 2 3 4 5]")
	})
}

// TestCastAllTraced: each cast of a fan-out is in the trace of who has sent it.
func TestCastAllTraced(t *testing.T) {
	twoNodes(t, func(t *testing.T, w *world, a, b *actors.System) {
		a.SetRouter(&fanned{side: &side{w, "a@1"}})
		near := newAgent(t, a, "a near", &restarter{})
		newAgent(t, b, "far", &restarter{})
		var events []actors.TraceEvent
		err := a.Inspect(t.Context(), near.ref(), func(i *actors.Inspection) {
			i.Trace(1, func(e actors.TraceEvent) { events = append(events, e) })
		})
		if err != nil {
			t.Fatal(err)
		}
		near.do(func(ctx *actors.Context) { _ = ctx.CastAll(agents("far", "a near", "a nobody"), "x") })
		if len(events) != 1 || len(events[0].Sent) != 3 || events[0].Sent[0].To.ID != "far" {
			t.Errorf("traced %+v", events)
		}
	})
}
