package supervision_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// leaver ends with the reason that it is sent.
type leaver struct{ child }

func (l *leaver) Handle(ctx *actors.Context, msg any) error {
	if r, ok := msg.(actors.Reason); ok {
		ctx.Stop(r)
		return nil
	}
	return l.child.Handle(ctx, msg)
}

// TestEndReasons: which ends each restart type takes for a reason to start again.
func TestEndReasons(t *testing.T) {
	for _, c := range []struct {
		reason                          actors.Reason
		permanent, transient, temporary bool
	}{
		{actors.Normal, true, false, false},
		{actors.Shutdown, true, false, false},
		{actors.Killed, true, true, false},
		{actors.NoConnection, true, true, false},
		{actors.Crashed(errors.New("on purpose")), true, true, false},
	} {
		for restart, again := range map[supervision.Restart]bool{supervision.Permanent: c.permanent, supervision.Transient: c.transient, supervision.Temporary: c.temporary} {
			t.Run(fmt.Sprint(restart, " ", c.reason), func(t *testing.T) {
				run(t, func(r *rig) {
					w := r.worker("a")
					w.Restart = restart
					w.Spec.New = func() actors.Behaviour { return &leaver{child{id: "a", j: r.j}} }
					r.start(supervision.SupervisorSpec{ID: "sup", Children: []supervision.ChildSpec{w, r.worker("b")}})
					r.want("+a +b")
					_ = r.sys.Cast(actors.Ref{Kind: "wa", ID: "a"}, c.reason)
					want := "-a"
					if again {
						want = "-a +a"
					}
					r.want(want)
					tree, err := r.root.Tree(context.Background())
					if first := tree.Children[0].Children[0]; err != nil || (first.ID == "a" && first.Up) != again || (first.ID == "b") != (restart == supervision.Temporary) {
						t.Errorf("%v; the tree is\n%s", err, tree)
					}
				})
			})
		}
	}
}

// TestWhoGoesAlong: the siblings of each child, under each strategy.
func TestWhoGoesAlong(t *testing.T) {
	for strategy, want := range map[supervision.Strategy]map[string]string{
		supervision.OneForOne:  {"a": "-a +a", "b": "-b +b", "c": "-c +c"},
		supervision.OneForAll:  {"a": "-a -c -b +a +b +c", "b": "-b -c -a +a +b +c", "c": "-c -b -a +a +b +c"},
		supervision.RestForOne: {"a": "-a -c -b +a +b +c", "b": "-b -c +b +c", "c": "-c +c"},
	} {
		for id, after := range want {
			for _, msg := range []string{"crash", "stop"} {
				run(t, func(r *rig) {
					r.start(supervision.SupervisorSpec{ID: "sup", Strategy: strategy, Children: []supervision.ChildSpec{r.worker("a"), r.worker("b"), r.worker("c")}})
					r.want("+a +b +c")
					r.cast(id, msg)
					r.want(after)
				})
			}
		}
	}
}

// TestTemporaryGoesAlongAndStays: a temporary child is stopped with its siblings and not started again; one that is started anew
// with its supervisor is.
func TestTemporaryGoesAlongAndStays(t *testing.T) {
	run(t, func(r *rig) {
		b := r.worker("b")
		b.Restart = supervision.Temporary
		r.start(supervision.SupervisorSpec{ID: "sup", Strategy: supervision.OneForAll, Intensity: 2, Children: []supervision.ChildSpec{r.worker("a"), b, r.worker("c")}})
		r.want("+a +b +c")
		r.cast("a", "crash")
		r.want("-a -c -b +a +c")
		r.cast("a", "crash")
		r.want("-a -c +a +c")
		r.cast("a", "crash")
		r.want("-a -c +a +b +c")
	})
}

// TestTransientThatIsDoneGoesAlong: as in OTP a sibling's crash starts it again.
func TestTransientThatIsDoneGoesAlong(t *testing.T) {
	run(t, func(r *rig) {
		b := r.worker("b")
		b.Restart = supervision.Transient
		r.start(supervision.SupervisorSpec{ID: "sup", Strategy: supervision.RestForOne, Children: []supervision.ChildSpec{r.worker("a"), b, r.worker("c")}})
		r.want("+a +b +c")
		r.cast("b", "stop")
		r.want("-b")
		r.cast("c", "crash")
		r.want("-c +c")
		r.cast("a", "crash")
		r.want("-a -c +a +b +c")
	})
}

// TestInitThatDeclines: a transient child that ends in order as it starts again holds nobody else back.
func TestInitThatDeclines(t *testing.T) {
	run(t, func(r *rig) {
		starts := 0
		b := supervision.Actor("b", actors.Spec{Kind: "wb", New: func() actors.Behaviour { return &decliner{child{id: "b", j: r.j}, &starts} }}, nil)
		b.Restart = supervision.Transient
		r.start(supervision.SupervisorSpec{ID: "sup", Strategy: supervision.OneForAll, Children: []supervision.ChildSpec{r.worker("a"), b, r.worker("c")}})
		r.want("+a +b +c")
		r.cast("a", "crash")
		r.want("-a -c -b +a +b -b +c")
		r.cast("c", "hello")
		r.want("c:hello")
	})
}

// decliner ends in order in each Init but the first.
type decliner struct {
	child
	starts *int
}

func (d *decliner) Init(ctx *actors.Context, args any) error {
	if *d.starts++; *d.starts > 1 {
		ctx.Stop(actors.Normal)
	}
	return d.child.Init(ctx, args)
}

// TestTwoCrashAtOnce: in whatever order the supervisor hears of it, a group that has been started again has had its crash, and all
// are up afterwards.
func TestTwoCrashAtOnce(t *testing.T) {
	for strategy, least := range map[supervision.Strategy]int{supervision.OneForOne: 2, supervision.OneForAll: 1, supervision.RestForOne: 1} {
		run(t, func(r *rig) {
			r.start(supervision.SupervisorSpec{ID: "sup", Strategy: strategy, Intensity: 2, Children: []supervision.ChildSpec{r.worker("a"), r.worker("b"), r.worker("c")}})
			_ = r.sys.Cast(actors.Ref{Kind: "wa", ID: "a"}, "crash")
			_ = r.sys.Cast(actors.Ref{Kind: "wc", ID: "c"}, "crash")
			synctest.Wait()
			r.j.take()
			for _, id := range []string{"a", "b", "c"} {
				r.cast(id, "hello")
			}
			r.want("a:hello b:hello c:hello")
			tree, err := r.root.Tree(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			restarts := 0
			for _, n := range tree.Children[0].Children {
				restarts += n.Restarts
			}
			if restarts < least || restarts > 2 || tree.Children[0].Restarts != 0 {
				t.Errorf("%v: %d restarts in\n%s", strategy, restarts, tree)
			}
		})
	}
}

// TestCrashWhileSiblingsStart: it waits for its turn, and is then a restart like any other.
func TestCrashWhileSiblingsStart(t *testing.T) {
	run(t, func(r *rig) {
		gate := make(chan struct{})
		close(gate)
		c := supervision.Actor("c", actors.Spec{Kind: "wc", Blocking: true, New: func() actors.Behaviour {
			return &child{id: "c", j: r.j, fail: func() error { <-gate; return nil }}
		}}, nil)
		r.start(supervision.SupervisorSpec{ID: "sup", Strategy: supervision.RestForOne, Children: []supervision.ChildSpec{r.worker("a"), r.worker("b"), c}})
		r.want("+a +b +c")
		gate = make(chan struct{})
		r.cast("b", "crash")
		r.want("-b -c +b")
		r.cast("a", "crash") // c is still starting
		r.want("-a")
		close(gate)
		r.want("+c -c -b +a +b +c")
	})
}

// TestRestartKeepsRefAndQueue of the one that has crashed, and of no sibling.
func TestRestartKeepsRefAndQueue(t *testing.T) {
	run(t, func(r *rig) {
		r.start(supervision.SupervisorSpec{ID: "sup", Strategy: supervision.OneForAll, Children: []supervision.ChildSpec{r.worker("a"), r.slow("b", time.Second)}})
		r.want("+a +b")
		r.cast("a", "crash")
		for i := range 3 {
			r.cast("a", fmt.Sprint(i))
			r.cast("b", "lost")
		}
		r.want("-a")
		time.Sleep(2 * time.Second)
		r.want("-b +a a:0 a:1 a:2 +b")
		if n := r.sys.Snapshot().DeadLetters["wb"]; n != 3 {
			t.Errorf("%d dead letters of the sibling's queue, want 3", n)
		}
	})
}

// TestStartedOutOfTheBlue: a name that is taken is a child that can't be started.
func TestStartedOutOfTheBlue(t *testing.T) {
	run(t, func(r *rig) {
		w := r.worker("b")
		if _, err := r.sys.Spawn(w.Spec, actors.Ref{Kind: "wb", ID: "b"}, nil, squatter{}); err != nil {
			t.Fatal(err)
		}
		r.want("+b")
		_, err := supervision.StartRoot(r.sys, supervision.SupervisorSpec{ID: "root", Children: []supervision.ChildSpec{r.worker("a"), w}})
		var failed *supervision.StartError
		if !errors.As(err, &failed) || failed.Child != "b" || !errors.Is(err, actors.ErrExists) {
			t.Fatalf("got %v", err)
		}
		r.want("+a -a")
	})
}

type squatter struct{}

func (squatter) Exited(*actors.Child, actors.Reason) {}
