package supervision_test

import (
	"errors"
	"strings"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/supervision"
)

var aboutStarts = []sentence{
	{"supervisor", "a child is a worker or another supervisor, and so there are trees", func(r *rig) {
		r.top(supervision.SupervisorSpec{Children: []supervision.ChildSpec{r.worker("a"),
			supervision.Sup(supervision.SupervisorSpec{ID: "below", Children: []supervision.ChildSpec{r.worker("b")}})}})
		r.want("+a +b")
	}},
	{"supervisor", "it keeps its children alive by starting them again", func(r *rig) {
		r.of(supervision.SupervisorSpec{}, nil, "a")
		r.cast("a", "crash")
		r.want("-a +a")
	}},
	{"supervisor, Supervision Principles", "children start in the order of the list", func(r *rig) {
		r.top(supervision.SupervisorSpec{Children: []supervision.ChildSpec{r.worker("a"), r.worker("b"), r.worker("c")}})
		r.want("+a +b +c")
	}},
	{"supervisor, Supervision Principles", "a supervisor that ends first ends its children, in reverse order", func(r *rig) {
		r.of(supervision.SupervisorSpec{}, nil, "a", "b", "c")
		r.stop()
		r.want("-c -b -a")
	}},
	{"principles, Stopping", "asked by its own supervisor to stop, it ends its children in reverse order, each as its spec says, and then itself", func(r *rig) {
		slow := r.slow("b", 2*time.Second)
		r.top(supervision.SupervisorSpec{Children: []supervision.ChildSpec{
			supervision.Sup(supervision.SupervisorSpec{ID: "below", Children: []supervision.ChildSpec{r.worker("a"), slow}}), r.worker("c")}})
		r.want("+a +b +c")
		if took := r.stop(); took < 2*time.Second {
			r.t.Errorf("the stop took %v", took)
		}
		r.want("-c -b -a")
	}},
	{"start_link/3", "the start is synchronous: it returns when all children have been started", func(r *rig) {
		slow := r.failing("b", new(error))
		slow.Spec.Blocking = true
		slow.Spec.New = func() actors.Behaviour {
			return &child{id: "b", j: r.j, fail: func() error { <-time.After(3 * time.Second); return nil }}
		}
		begin := time.Now()
		r.top(supervision.SupervisorSpec{Children: []supervision.ChildSpec{r.worker("a"), slow, r.worker("c")}})
		if got := r.j.take(); got != "+a +b +c" || time.Since(begin) < 3*time.Second {
			r.t.Errorf("after %v: %q", time.Since(begin), got)
		}
	}},
	{"start_link/3", "a child that can't be started ends the start: those before it are ended with shutdown, and the error says which and why", func(r *rig) {
		fault := errors.New("no disk")
		_, err := supervision.StartRoot(r.sys, supervision.SupervisorSpec{ID: "sup", Children: []supervision.ChildSpec{r.frank("a"), r.frank("b"), r.failing("c", &fault), r.worker("d")}})
		var failed *supervision.StartError
		if !errors.As(err, &failed) || failed.Child != "c" || failed.Supervisor != "sup" || !errors.Is(err, fault) {
			r.t.Errorf("got %v", err)
		}
		r.want("+a +b -c -b:shutdown -a:shutdown")
	}},
	{"start_link/3", "a name that is taken is an error", func(r *rig) {
		r.of(supervision.SupervisorSpec{ID: "sup"}, nil, "a")
		_, err := supervision.StartRoot(r.sys, supervision.SupervisorSpec{ID: "sup"})
		r.wantErr(err, actors.ErrExists)
	}},
	{"start_link/3", "a bad spec is an error, and nothing starts", func(r *rig) {
		_, err := supervision.StartRoot(r.sys, supervision.SupervisorSpec{ID: "sup", Children: []supervision.ChildSpec{r.worker("a"), r.worker("a")}})
		r.wantErr(err, supervision.ErrBadSpec)
		r.want("")
	}},
	{"supervisor, Child specification", "a start that answers ignore keeps the spec without a process", func(r *rig) {
		ignore := supervision.ErrIgnore
		r.top(supervision.SupervisorSpec{Children: []supervision.ChildSpec{r.worker("a"), r.failing("b", &ignore), r.worker("c")}})
		r.wantList("a:running b:stopped c:running")
	}},
	{"supervisor, Child specification", "unless the child is temporary: then it is forgotten", func(r *rig) {
		ignore := supervision.ErrIgnore
		b := r.failing("b", &ignore)
		temporary(&b)
		r.top(supervision.SupervisorSpec{Children: []supervision.ChildSpec{r.worker("a"), b, r.worker("c")}})
		r.wantList("a:running c:running")
	}},
	{"supervisor", "its functions fail where there is no such supervisor", func(r *rig) {
		r.of(supervision.SupervisorSpec{}, nil, "a")
		nobody := actors.Ref{Kind: "supervisor", ID: "nobody"}
		_, err := supervision.StartChild(bg, r.sys, nobody, r.worker("b"))
		r.wantErr(err, actors.ErrNoProc)
		r.wantErr(supervision.TerminateChild(bg, r.sys, nobody, "a"), actors.ErrNoProc)
		_, err = supervision.RestartChild(bg, r.sys, nobody, "a")
		r.wantErr(err, actors.ErrNoProc)
		r.wantErr(supervision.DeleteChild(bg, r.sys, nobody, "a"), actors.ErrNoProc)
		_, err = supervision.GetChildSpec(bg, r.sys, nobody, "a")
		r.wantErr(err, actors.ErrNoProc)
		_, err = supervision.WhichChildren(bg, r.sys, nobody)
		r.wantErr(err, actors.ErrNoProc)
		_, err = supervision.CountChildren(bg, r.sys, nobody)
		r.wantErr(err, actors.ErrNoProc)
	}},
}

var aboutStrategies = []sentence{
	{"supervisor, Restart Strategies", "one_for_one, the default: only the child that has ended is restarted", func(r *rig) {
		r.of(supervision.SupervisorSpec{}, nil, "a", "b", "c")
		r.cast("b", "crash")
		r.want("-b +b")
	}},
	{"supervisor, Restart Strategies", "one_for_all: all others are ended, and all are started again", func(r *rig) {
		r.of(supervision.SupervisorSpec{Strategy: supervision.OneForAll}, nil, "a", "b", "c")
		r.cast("b", "crash")
		r.want("-b -c -a +a +b +c")
	}},
	{"supervisor, Restart Strategies", "rest_for_one: those after it are ended, and it and they are started again", func(r *rig) {
		r.of(supervision.SupervisorSpec{Strategy: supervision.RestForOne}, nil, "a", "b", "c", "d")
		r.cast("b", "crash")
		r.want("-b -d -c +b +c +d")
	}},
	{"supervisor, Restart Strategies", "a child that isn't to be restarted takes nobody along", func(r *rig) {
		r.of(supervision.SupervisorSpec{Strategy: supervision.OneForAll}, changes{"b": transient, "c": temporary}, "a", "b", "c")
		r.cast("b", "stop")
		r.cast("c", "crash")
		r.want("-b -c")
	}},
	{"principles, Restart Strategy", "those that go along are ended with shutdown", func(r *rig) {
		r.top(supervision.SupervisorSpec{Strategy: supervision.OneForAll, Children: []supervision.ChildSpec{r.frank("a"), r.worker("b")}})
		r.want("+a +b")
		r.cast("b", "crash")
		r.want("-b -a:shutdown +a +b")
	}},
	{"restart/2", "a restart that fails is tried again, and each attempt counts", func(r *rig) {
		var err error
		tries := 0
		c := r.failing("a", &err)
		c.Spec.New = func() actors.Behaviour {
			return &child{id: "a", j: r.j, fail: func() error { tries++; return err }}
		}
		r.top(supervision.SupervisorSpec{Intensity: 5, Children: []supervision.ChildSpec{c}})
		err = errors.New("not yet")
		r.cast("a", "crash")
		r.wantOver("shutdown")
		if tries != 1+5 {
			r.t.Errorf("%d tries", tries)
		}
	}},
	{"restart/2", "while it is tried again other requests are served: the child can be terminated", func(r *rig) {
		err := error(nil)
		r.top(supervision.SupervisorSpec{Intensity: 100000, Children: []supervision.ChildSpec{r.failing("a", &err), r.worker("b")}})
		r.want("+a +b")
		err = errors.New("never")
		_ = r.sys.Cast(actors.Ref{Kind: "wa", ID: "a"}, "crash")
		if err := r.terminate("a"); err != nil {
			r.t.Error(err)
		}
		r.wantList("a:stopped b:running")
	}},
	{"restart/2", "rest_for_one: the next attempt is that of the child that failed to start, and of those after it", func(r *rig) {
		fail := 0
		c := r.worker("c")
		c.Spec.New = func() actors.Behaviour {
			return &child{id: "c", j: r.j, fail: func() error {
				if fail--; fail >= 0 {
					return errors.New("not yet")
				}
				return nil
			}}
		}
		r.top(supervision.SupervisorSpec{Strategy: supervision.RestForOne, Children: []supervision.ChildSpec{r.worker("a"), r.worker("b"), c, r.worker("d")}})
		r.want("+a +b +c +d")
		fail = 2
		r.cast("b", "crash")
		r.want("-b -d -c +b -c -c +c +d")
	}},
	{"restart/2", "one_for_all: the next attempt ends those that have been started, and starts all", func(r *rig) {
		fail := 0
		c := r.worker("c")
		c.Spec.New = func() actors.Behaviour {
			return &child{id: "c", j: r.j, fail: func() error {
				if fail--; fail >= 0 {
					return errors.New("not yet")
				}
				return nil
			}}
		}
		r.top(supervision.SupervisorSpec{Strategy: supervision.OneForAll, Children: []supervision.ChildSpec{r.worker("a"), r.worker("b"), c}})
		r.want("+a +b +c")
		fail = 1
		r.cast("b", "crash")
		r.want("-b -c -a +a +b -c -b -a +a +b +c")
	}},
}

var aboutIntensity = []sentence{
	{"supervisor, Restart intensity and period", "more than intensity restarts within the period end all children, and then the supervisor", func(r *rig) {
		r.of(supervision.SupervisorSpec{Intensity: 2, Period: time.Second}, nil, "a", "b")
		r.cast("a", "crash")
		r.cast("b", "crash")
		r.want("-a +a -b +b")
		r.cast("a", "crash")
		r.want("-a -b")
		r.wantOver("shutdown")
	}},
	{"supervisor, Restart intensity and period", "as many as the intensity don't", func(r *rig) {
		r.of(supervision.SupervisorSpec{Intensity: 2, Period: time.Second}, nil, "a")
		for range 20 {
			r.cast("a", "crash")
			r.cast("a", "crash")
			r.pass(time.Second)
		}
		r.wantOver("")
		r.wantList("a:running")
	}},
	{"supervisor, Restart intensity and period", "the reason of the supervisor's end is shutdown", func(r *rig) {
		r.of(supervision.SupervisorSpec{Intensity: -1}, nil, "a")
		r.cast("a", "crash")
		r.wantOver("shutdown")
	}},
	{"supervisor, Restart intensity and period", "intensity and period have defaults", func(r *rig) {
		var err error
		if r.root, err = supervision.StartRoot(r.sys, supervision.SupervisorSpec{ID: "sup", Children: []supervision.ChildSpec{r.worker("a")}}); err != nil {
			r.t.Fatal(err)
		}
		tree, err := r.root.Tree(bg)
		if err != nil || tree.Flags.Intensity != supervision.DefaultIntensity || tree.Flags.Period != supervision.DefaultPeriod {
			r.t.Errorf("%v: %+v", err, tree.Flags)
		}
		for range supervision.DefaultIntensity {
			r.cast("a", "crash")
		}
		r.wantOver("")
		r.cast("a", "crash")
		r.wantOver("shutdown")
	}},
	{"supervisor, Restart intensity and period", "an intensity of none bears no restart", func(r *rig) {
		r.of(supervision.SupervisorSpec{Intensity: -1, Period: time.Second}, nil, "a", "b")
		r.cast("b", "crash")
		r.want("-b -a")
		r.wantOver("shutdown")
	}},
	{"principles, Maximum Restart Intensity", "the restarts of all children are one count", func(r *rig) {
		r.of(supervision.SupervisorSpec{Intensity: 3}, nil, "a", "b", "c", "d")
		for _, id := range []string{"a", "b", "c"} {
			r.cast(id, "crash")
		}
		r.wantOver("")
		r.cast("d", "crash")
		r.wantOver("shutdown")
	}},
	{"principles, Maximum Restart Intensity", "the next supervisor up restarts the one that has ended, or ends itself", func(r *rig) {
		below := supervision.Sup(supervision.SupervisorSpec{ID: "below", Intensity: -1, Children: []supervision.ChildSpec{r.worker("a")}})
		r.top(supervision.SupervisorSpec{Intensity: 1, Children: []supervision.ChildSpec{below, r.worker("b")}})
		r.want("+a +b")
		r.cast("a", "crash")
		r.want("-a +a")
		r.wantOver("")
		r.cast("a", "crash")
		r.want("-a -b")
		r.wantOver("shutdown")
	}},
	{"principles, Tuning the intensity and period", "over several levels the intensities multiply", func(r *rig) {
		spec := supervision.SupervisorSpec{ID: "2", Intensity: 2, Period: time.Hour, Children: []supervision.ChildSpec{r.worker("a")}}
		for _, id := range []string{"1", "sup"} {
			spec = supervision.SupervisorSpec{ID: id, Intensity: 2, Period: time.Hour, Children: []supervision.ChildSpec{supervision.Sup(spec)}}
		}
		r.top(spec)
		crashes := 0
		for r.over() == "" {
			r.cast("a", "crash")
			if crashes++; crashes > 100 {
				r.t.Fatal("it never ends")
			}
		}
		if crashes != 3*3*3 {
			r.t.Errorf("%d crashes end the top", crashes)
		}
	}},
	{"principles, Tuning the intensity and period", "a burst within the intensity is borne at once, and the count forgets it after the period", func(r *rig) {
		r.of(supervision.SupervisorSpec{Intensity: 5, Period: 30 * time.Second}, nil, "a")
		for range 3 {
			for range 5 {
				r.cast("a", "crash")
			}
			r.pass(30 * time.Second)
		}
		r.wantOver("")
	}},
	{"do_restart/3", "a permanent child that ends in order is a restart, and counts", func(r *rig) {
		r.of(supervision.SupervisorSpec{Intensity: 1}, nil, "a")
		r.cast("a", "stop")
		r.want("-a +a")
		r.cast("a", "stop")
		r.wantOver("shutdown")
	}},
	{"do_restart/3", "an end that is followed by no restart doesn't count", func(r *rig) {
		r.of(supervision.SupervisorSpec{Intensity: -1}, changes{"a": transient, "b": temporary}, "a", "b", "c")
		r.cast("a", "stop")
		r.cast("b", "crash")
		r.wantOver("")
	}},
}

// below is a supervisor as a child.
func below(restart supervision.Restart, spec supervision.SupervisorSpec) supervision.ChildSpec {
	spec.ID = "below"
	c := supervision.Sup(spec)
	c.Restart = restart
	return c
}

var aboutAutoShutdown = []sentence{
	{"supervisor, Automatic Shutdown", "never is the default, and takes no significant children at the start", func(r *rig) {
		_, err := supervision.StartRoot(r.sys, supervision.SupervisorSpec{ID: "sup", Children: []supervision.ChildSpec{r.with("a", significant)}})
		r.wantErr(err, supervision.ErrBadSpec)
	}},
	{"principles, never", "nor at run time", func(r *rig) {
		r.of(supervision.SupervisorSpec{}, nil, "a")
		_, err := r.add(r.with("b", significant))
		r.wantErr(err, supervision.ErrBadSpec)
		r.wantList("a:running")
	}},
	{"supervisor, Automatic Shutdown", "any_significant: a transient one that ends in order ends the supervisor", func(r *rig) {
		r.of(supervision.SupervisorSpec{AutoShutdown: supervision.AnySignificant}, changes{"b": significant, "c": significant}, "a", "b", "c")
		r.cast("b", "stop")
		r.want("-b -c -a")
		r.wantOver("shutdown")
	}},
	{"supervisor, Automatic Shutdown", "any_significant: a temporary one that ends in order does", func(r *rig) {
		r.of(supervision.SupervisorSpec{AutoShutdown: supervision.AnySignificant}, changes{"b": passing}, "a", "b")
		r.cast("b", "stop")
		r.wantOver("shutdown")
	}},
	{"supervisor, Automatic Shutdown", "any_significant: and a temporary one that crashes", func(r *rig) {
		r.of(supervision.SupervisorSpec{AutoShutdown: supervision.AnySignificant}, changes{"b": passing}, "a", "b")
		r.cast("b", "crash")
		r.want("-b -a")
		r.wantOver("shutdown")
	}},
	{"supervisor, Automatic Shutdown", "any_significant: a transient one that crashes is restarted as ever", func(r *rig) {
		r.of(supervision.SupervisorSpec{AutoShutdown: supervision.AnySignificant}, changes{"b": significant}, "a", "b")
		r.cast("b", "crash")
		r.want("-b +b")
		r.wantOver("")
	}},
	{"supervisor, Automatic Shutdown", "others may end as they like", func(r *rig) {
		r.of(supervision.SupervisorSpec{AutoShutdown: supervision.AnySignificant}, changes{"a": transient, "b": significant, "c": temporary}, "a", "b", "c")
		r.cast("a", "stop")
		r.cast("c", "crash")
		r.wantOver("")
	}},
	{"supervisor, Automatic Shutdown", "all_significant: the last active one ends the supervisor", func(r *rig) {
		r.of(supervision.SupervisorSpec{AutoShutdown: supervision.AllSignificant}, changes{"b": significant, "c": passing, "d": significant}, "a", "b", "c", "d")
		r.cast("c", "crash")
		r.cast("b", "stop")
		r.wantOver("")
		r.cast("d", "stop")
		r.want("-c -b -d -a")
		r.wantOver("shutdown")
	}},
	{"principles, all_significant", "all_significant: one that is restarted is active", func(r *rig) {
		r.of(supervision.SupervisorSpec{AutoShutdown: supervision.AllSignificant}, changes{"a": significant, "b": significant}, "a", "b")
		r.cast("a", "crash")
		r.cast("b", "stop")
		r.wantOver("")
		r.cast("a", "stop")
		r.wantOver("shutdown")
	}},
	{"principles, Automatic Shutdown", "the rest is ended in reverse order, as its specs say", func(r *rig) {
		slow := r.slow("c", 2*time.Second)
		r.top(supervision.SupervisorSpec{AutoShutdown: supervision.AnySignificant, Children: []supervision.ChildSpec{r.frank("a"), r.with("b", significant), slow, r.frank("d")}})
		r.want("+a +b +c +d")
		begin := time.Now()
		r.cast("b", "stop")
		if reason := <-r.root.Done(); reason != actors.Shutdown || time.Since(begin) < 2*time.Second {
			r.t.Errorf("%v after %v", reason, time.Since(begin))
		}
		r.root = nil
		r.want("-b -d:shutdown -c -a:shutdown")
	}},
	{"principles, Automatic Shutdown", "only an end by itself counts: not one for a sibling's death", func(r *rig) {
		for _, strategy := range []supervision.Strategy{supervision.OneForAll, supervision.RestForOne} {
			r.top(supervision.SupervisorSpec{Strategy: strategy, AutoShutdown: supervision.AnySignificant, Children: []supervision.ChildSpec{r.worker("a"), r.with("b", significant), r.with("c", passing)}})
			r.j.take()
			r.cast("a", "crash")
			r.want("-a -c -b +a +b")
			r.wantOver("")
			r.stop()
		}
	}},
	{"principles, Stopping a Child Process", "nor one by terminate_child", func(r *rig) {
		r.of(supervision.SupervisorSpec{AutoShutdown: supervision.AnySignificant}, changes{"a": significant, "b": passing}, "a", "b")
		for _, id := range []string{"a", "b"} {
			if err := r.terminate(id); err != nil {
				r.t.Error(err)
			}
		}
		r.wantOver("")
		r.wantList("a:stopped")
	}},
	{"do_auto_shutdown/2", "all_significant: one that has been terminated isn't active", func(r *rig) {
		r.of(supervision.SupervisorSpec{AutoShutdown: supervision.AllSignificant}, changes{"a": significant, "b": significant}, "a", "b")
		if err := r.terminate("a"); err != nil {
			r.t.Error(err)
		}
		r.wantOver("")
		r.cast("b", "stop")
		r.wantOver("shutdown")
	}},
	{"principles, Automatic Shutdown", "a permanent supervisor that has shut itself down is started again by its own", func(r *rig) {
		r.top(supervision.SupervisorSpec{Children: []supervision.ChildSpec{below(supervision.Permanent, supervision.SupervisorSpec{
			AutoShutdown: supervision.AnySignificant, Children: []supervision.ChildSpec{r.worker("a"), r.with("b", passing)}})}})
		r.want("+a +b")
		r.cast("b", "stop")
		r.want("-b -a +a +b")
	}},
	{"principles, Automatic Shutdown", "a transient one isn't, and a temporary one is forgotten", func(r *rig) {
		for restart, list := range map[supervision.Restart]string{supervision.Transient: "below:stopped c:running", supervision.Temporary: "c:running"} {
			r.top(supervision.SupervisorSpec{Children: []supervision.ChildSpec{below(restart, supervision.SupervisorSpec{
				AutoShutdown: supervision.AnySignificant, Children: []supervision.ChildSpec{r.worker("a"), r.with("b", passing)}}), r.worker("c")}})
			r.cast("b", "stop")
			r.wantList(list)
			r.stop()
		}
	}},
	{"principles, Automatic Shutdown", "one that has shut itself down may itself be significant", func(r *rig) {
		sup := below(supervision.Transient, supervision.SupervisorSpec{AutoShutdown: supervision.AnySignificant, Children: []supervision.ChildSpec{r.worker("a"), r.with("b", passing)}})
		sup.Significant = true
		r.top(supervision.SupervisorSpec{AutoShutdown: supervision.AllSignificant, Children: []supervision.ChildSpec{sup, r.worker("c")}})
		r.want("+a +b +c")
		r.cast("b", "stop")
		r.want("-b -a -c")
		r.wantOver("shutdown")
	}},
	{"principles, Manual stopping versus Automatic Shutdown", "it shuts itself down without its own supervisor, which isn't held up", func(r *rig) {
		slow := r.slow("a", time.Minute)
		slow.Shutdown = supervision.Infinity
		r.top(supervision.SupervisorSpec{Children: []supervision.ChildSpec{r.worker("c"), below(supervision.Transient, supervision.SupervisorSpec{
			AutoShutdown: supervision.AnySignificant, Children: []supervision.ChildSpec{slow, r.with("b", passing)}})}})
		r.cast("b", "stop")
		if err := r.terminate("c"); err != nil {
			r.t.Error(err)
		}
		r.wantList("c:stopped below:running")
		r.pass(time.Minute)
		r.wantList("c:stopped below:stopped")
		if got := r.j.take(); !strings.HasSuffix(got, "-b -c -a") {
			r.t.Errorf("got %q", got)
		}
	}},
}
