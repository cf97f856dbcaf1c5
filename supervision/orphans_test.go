package supervision_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// deep is a supervisor "below" with a worker, a supervisor of two more, and a dynamic one with two children.
func (r *rig) deep(change func(*supervision.ChildSpec)) (supervision.ChildSpec, *supervision.Dynamic) {
	many := supervision.NewDynamic(r.sys, supervision.DynamicSpec{ID: "many", Partitions: 2, Child: actors.Spec{Kind: "m", New: func() actors.Behaviour { return &spoken{child{j: r.j, hang: r.hang}} }}})
	c := below(supervision.Permanent, supervision.SupervisorSpec{Children: []supervision.ChildSpec{
		r.worker("a"), supervision.Sup(supervision.SupervisorSpec{ID: "deeper", Children: []supervision.ChildSpec{r.worker("b"), r.worker("c")}}), many.Child()}})
	if change != nil {
		change(&c)
	}
	return c, many
}

// sorted wants these lines, in whatever order.
func (r *rig) wantAnyOrder(lines string) {
	r.t.Helper()
	synctest.Wait()
	got, want := strings.Fields(r.j.take()), strings.Fields(lines)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		r.t.Fatalf("got %v, want %v", got, want)
	}
}

var (
	belowRef  = actors.Ref{Kind: "supervisor", ID: "sup.below"}
	deeperRef = actors.Ref{Kind: "supervisor", ID: "sup.below.deeper"}
)

// nobody wants all that was below to be gone.
func (r *rig) nobody() {
	r.t.Helper()
	synctest.Wait()
	left := []string{}
	r.sys.Each(func(ref actors.Ref) bool {
		if ref.Kind != "root" && ref != (actors.Ref{Kind: "wz", ID: "z"}) {
			left = append(left, ref.String())
		}
		return true
	})
	if len(left) > 0 {
		r.t.Errorf("there are still %v", left)
	}
}

// TestNothingIsLeftBelow: whatever ends a supervisor from outside, what was below it is ended, with its Terminate, before anything else
// starts; and a new life of it begins with none of the old one's.
func TestNothingIsLeftBelow(t *testing.T) {
	const all, none = "+a +b +c +x +y", "-a -b -c -x -y"
	start := func(r *rig, change func(*supervision.ChildSpec)) *supervision.Dynamic {
		c, many := r.deep(change)
		r.top(supervision.SupervisorSpec{Children: []supervision.ChildSpec{r.worker("z"), c}})
		for _, id := range []string{"x", "y"} {
			if _, err := many.StartChild(id, nil); err != nil {
				r.t.Fatal(err)
			}
		}
		r.wantAnyOrder("+z " + all)
		return many
	}
	for name, test := range map[string]func(r *rig){
		"brutal": func(r *rig) {
			many := start(r, func(c *supervision.ChildSpec) { c.Shutdown = supervision.Brutal })
			if err := r.terminate("below"); err != nil {
				r.t.Error(err)
			}
			r.wantAnyOrder(none)
			r.nobody()
			if many.Live() != 0 || r.root.Abandoned() != 0 {
				r.t.Errorf("%d live, %d left behind", many.Live(), r.root.Abandoned())
			}
			if _, err := r.restart("below"); err != nil {
				r.t.Error(err)
			}
			r.wantAnyOrder("+a +b +c")
			if _, err := many.StartChild("x", nil); err != nil {
				r.t.Error(err)
			}
		},
		"out of time": func(r *rig) {
			start(r, func(c *supervision.ChildSpec) { c.Shutdown = 2 * time.Second })
			r.cast("c", "hang")
			begin := time.Now()
			if err := r.terminate("below"); err != nil {
				r.t.Error(err)
			}
			if took := time.Since(begin); took < 3*time.Second || took > 3100*time.Millisecond { // its own time, and the grace of what hangs
				r.t.Errorf("it took %v", took)
			}
			r.wantAnyOrder("-a -b -x -y")
			r.nobody()
			if n := r.root.Abandoned(); n != 1 {
				r.t.Errorf("%d left behind", n)
			}
		},
		"a signal": func(r *rig) {
			start(r, nil)
			_ = r.sys.Exit(belowRef, actors.Shutdown) // isn't for supervisors
			synctest.Wait()
			if err := r.sys.Exit(belowRef, actors.Killed); err != nil {
				r.t.Error(err)
			}
			r.wantAnyOrder(none + " +a +b +c")
			r.wantList("z:running below:running")
		},
		"a signal to a transient one": func(r *rig) {
			start(r, transient)
			_ = r.sys.Exit(belowRef, actors.Killed)
			r.wantAnyOrder(none + " +a +b +c")
		},
		"a signal to a temporary one": func(r *rig) {
			start(r, temporary)
			_ = r.sys.Exit(belowRef, actors.Killed)
			r.wantAnyOrder(none)
			r.nobody()
			r.wantList("z:running")
		},
		"a signal to one at several levels": func(r *rig) {
			start(r, temporary)
			_ = r.sys.Exit(deeperRef, actors.Killed)
			_ = r.sys.Exit(belowRef, actors.Killed)
			synctest.Wait()
			r.nobody()
			r.wantList("z:running")
			r.stop()
		},
		"a fault of its own": func(r *rig) {
			start(r, nil)
			_ = r.sys.Answer(belowRef, supervision.SupervisorFault())
			r.wantAnyOrder(none + " +a +b +c")
			r.wantList("z:running below:running")
		},
		"a fault of a temporary one": func(r *rig) {
			start(r, temporary)
			_ = r.sys.Answer(belowRef, supervision.SupervisorFault())
			r.wantAnyOrder(none)
			r.nobody()
		},
		"a signal to a partition": func(r *rig) {
			many := start(r, nil)
			for _, id := range []string{"0", "1"} {
				if err := r.sys.Exit(actors.Ref{Kind: "dynamic", ID: "sup.below.many.many-" + id}, actors.Killed); err != nil {
					r.t.Error(err)
				}
			}
			r.wantAnyOrder("-x -y")
			if many.Live() != 0 {
				r.t.Errorf("%d live", many.Live())
			}
			if _, err := many.StartChild("x", nil); err != nil {
				r.t.Error(err)
			}
		},
		"the end of all meanwhile": func(r *rig) {
			start(r, func(c *supervision.ChildSpec) { c.Shutdown = supervision.Brutal })
			r.cast("c", "hang")
			go func() { _ = r.terminate("below") }()
			synctest.Wait()
			if took := r.stop(); took > 1100*time.Millisecond {
				r.t.Errorf("it took %v", took)
			}
			r.wantAnyOrder("-a -b -x -y -z")
			r.nobody()
		},
		"a signal to the root": func(r *rig) {
			start(r, nil)
			_ = r.sys.Exit(r.root.Ref(), actors.Killed)
			if reason := <-r.root.Done(); reason != actors.Killed {
				r.t.Errorf("it ended with %v", reason)
			}
			r.root = nil
			r.wantAnyOrder("-z " + none)
			r.nobody()
		},
		"a fault of the root": func(r *rig) {
			start(r, nil)
			_ = r.sys.Answer(r.root.Ref(), supervision.SupervisorFault())
			if reason := <-r.root.Done(); reason.Code != actors.CodeCrashed {
				r.t.Errorf("it ended with %v", reason)
			}
			r.root = nil
			r.wantAnyOrder("-z " + none)
			r.nobody()
		},
	} {
		t.Run(name, func(t *testing.T) { run(t, test) })
	}
}

// TestStartedByOneThatIsEnded: what a supervisor starts just as it is ended from outside is ended as well.
func TestStartedByOneThatIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		core, _ := observer.New(zapcore.WarnLevel)
		held := zap.New(core, zap.Hooks(func(zapcore.Entry) error { <-gate; return nil })) // on the supervisor's turn, before it starts a again
		within(t, actors.Config{Logger: held}, func(r *rig) {
			c := below(supervision.Temporary, supervision.SupervisorSpec{Children: []supervision.ChildSpec{r.worker("a"), r.worker("b")}})
			c.Shutdown = supervision.Brutal
			r.top(supervision.SupervisorSpec{Children: []supervision.ChildSpec{r.worker("z"), c}})
			r.want("+z +a +b")
			r.cast("a", "stop")
			if err := r.terminate("below"); err != nil {
				t.Error(err)
			}
			r.want("-a -b")
			close(gate)
			synctest.Wait()
			r.nobody()
			if got := r.j.take(); got != "" && got != "+a" {
				t.Errorf("got %q", got)
			}
		})
	})
}

// TestServiceBelowABrutalSupervisor is stopped in order: what it runs is no actor, and would go on.
func TestServiceBelowABrutalSupervisor(t *testing.T) {
	run(t, func(r *rig) {
		c := below(supervision.Permanent, supervision.SupervisorSpec{Children: []supervision.ChildSpec{supervision.Service("svc", time.Second, func() (supervision.Runner, error) { return &runner{r.j, false}, nil })}})
		c.Shutdown = supervision.Brutal
		r.top(supervision.SupervisorSpec{Children: []supervision.ChildSpec{c}})
		r.want("start")
		if err := r.terminate("below"); err != nil {
			t.Error(err)
		}
		r.want("stop")
	})
}

// TestRequestsOfAnEndedSupervisor: who waits for one that ends, or crashes, is told.
func TestRequestsOfAnEndedSupervisor(t *testing.T) {
	for name, end := range map[string]func(r *rig){
		"stop":  func(r *rig) { go func() { _ = r.root.Stop(bg) }() },
		"fault": func(r *rig) { _ = r.sys.Answer(r.root.Ref(), supervision.SupervisorFault()) },
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(r *rig) {
				c := r.worker("a")
				c.Shutdown, c.Spec.Blocking = time.Minute, true // so that it holds up nobody else
				r.top(supervision.SupervisorSpec{Children: []supervision.ChildSpec{c, r.worker("b")}})
				r.cast("a", "hang")
				errs := make(chan error, 3)
				go func() { errs <- r.terminate("a") }()
				synctest.Wait()
				go func() { errs <- r.terminate("b") }()
				go func() { _, err := r.add(r.worker("c")); errs <- err }()
				synctest.Wait()
				begin := time.Now()
				end(r)
				for range 3 {
					if err := <-errs; !errors.Is(err, actors.ErrNoProc) {
						t.Errorf("got %v", err)
					}
				}
				if time.Since(begin) > time.Second {
					t.Errorf("told after %v", time.Since(begin))
				}
				<-r.root.Done()
				r.root = nil
			})
		})
	}
}

// TestReports are structured: who, under whom, why, how often, and what is done about it.
func TestReports(t *testing.T) {
	observed(t, func(r *rig, logs *observer.ObservedLogs) {
		fail := error(nil)
		r.top(supervision.SupervisorSpec{Intensity: 2, Period: time.Minute, Children: []supervision.ChildSpec{r.failing("a", &fail), r.with("b", temporary), r.worker("c")}})
		r.cast("c", "stop")
		r.cast("b", "crash")
		r.cast("a", "crash")
		fail = errors.New("not again")
		r.cast("a", "crash")
		if reason := <-r.root.Done(); reason != actors.Shutdown {
			t.Errorf("it ended with %v", reason)
		}
		r.root = nil
		want := []struct {
			says string
			keys map[string]any
		}{
			{"a permanent child has ended and is started again", map[string]any{"supervisor": "sup", "child": "c", "actor": "wc/c", "reason": "normal", "restarts": int64(0), "restart": true}},
			{"a child crashed", map[string]any{"supervisor": "sup", "child": "b", "actor": "wb/b", "reason": "crashed: on purpose", "restarts": int64(1), "restart": false, "message": "string"}},
			{"a child crashed", map[string]any{"child": "a", "reason": "crashed: on purpose", "restarts": int64(1), "restart": true, "message": "string"}},
			{"a child crashed", map[string]any{"child": "a", "reason": "crashed: on purpose", "restarts": int64(2), "restart": true}},
			{"too many restarts; the supervisor ends", map[string]any{"supervisor": "sup", "child": "a", "intensity": int64(2), "period": time.Minute}},
		}
		all := logs.All()
		if len(all) != len(want) {
			t.Fatalf("the log says %v", all)
		}
		for i, w := range want {
			got := all[i].ContextMap()
			if all[i].Message != w.says {
				t.Errorf("%q, want %q", all[i].Message, w.says)
			}
			for key, v := range w.keys {
				if got[key] != v {
					t.Errorf("%s: %s is %v, want %v", w.says, key, got[key], v)
				}
			}
		}
	})
}
