package supervision_test

import (
	"errors"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/supervision"
)

var aboutSpecs = []sentence{
	{"supervisor, Child specification", "an id is mandatory", func(r *rig) {
		r.wantErr(supervision.CheckChildSpecs(supervision.Never, r.with("a", func(c *supervision.ChildSpec) { c.ID = "" })), supervision.ErrBadSpec)
	}},
	{"supervisor, Child specification", "so is what starts the child", func(r *rig) {
		r.wantErr(supervision.CheckChildSpecs(supervision.Never, supervision.ChildSpec{ID: "a"}), supervision.ErrBadSpec)
		r.wantErr(supervision.CheckChildSpecs(supervision.Never, supervision.Actor("a", actors.Spec{Kind: "w"}, nil)), supervision.ErrBadSpec)
	}},
	{"supervisor, Child specification", "the restart type is permanent by default", func(r *rig) {
		r.of(supervision.SupervisorSpec{}, nil, "a")
		c, err := supervision.GetChildSpec(bg, r.sys, r.root.Ref(), "a")
		if err != nil || c.Restart != supervision.Permanent {
			r.t.Errorf("%v: %v", err, c.Restart)
		}
	}},
	{"supervisor, Child specification", "a permanent child is always restarted", func(r *rig) {
		r.of(supervision.SupervisorSpec{}, nil, "a")
		r.cast("a", "crash")
		r.cast("a", "stop")
		r.want("-a +a -a +a")
	}},
	{"supervisor, Child specification", "a temporary child never is", func(r *rig) {
		r.of(supervision.SupervisorSpec{}, changes{"a": temporary, "b": temporary}, "a", "b")
		r.cast("a", "crash")
		r.cast("b", "stop")
		r.want("-a -b")
	}},
	{"supervisor, Child specification", "not even when a sibling's death has ended it", func(r *rig) {
		for _, strategy := range []supervision.Strategy{supervision.OneForAll, supervision.RestForOne} {
			r.of(supervision.SupervisorSpec{Strategy: strategy}, changes{"b": temporary}, "a", "b", "c")
			r.cast("a", "crash")
			r.want("-a -c -b +a +c")
			r.wantList("a:running c:running")
			r.stop()
			r.j.take()
		}
	}},
	{"supervisor, Child specification", "a transient child is restarted after another end than normal or shutdown", func(r *rig) {
		for reason, again := range map[actors.Reason]bool{actors.Normal: false, actors.Shutdown: false, actors.Killed: true, actors.NoProc: true, actors.NoConnection: true} {
			c := r.with("a", transient)
			c.Spec.New = func() actors.Behaviour { return &leaver{child{id: "a", j: r.j}} }
			r.top(supervision.SupervisorSpec{Children: []supervision.ChildSpec{c}})
			r.want("+a")
			_ = r.sys.Cast(actors.Ref{Kind: "wa", ID: "a"}, reason)
			r.want(map[bool]string{true: "-a +a", false: "-a"}[again])
			r.stop()
			r.j.take()
		}
	}},
	{"supervisor, Child specification", "and after a crash", func(r *rig) {
		r.of(supervision.SupervisorSpec{}, changes{"a": transient}, "a")
		r.cast("a", "crash")
		r.want("-a +a")
	}},
	{"supervisor, Child specification", "a significant permanent child is a bad spec", func(r *rig) {
		c := r.with("a", significant)
		c.Restart = supervision.Permanent
		r.wantErr(supervision.CheckChildSpecs(supervision.AnySignificant, c), supervision.ErrBadSpec)
		_, err := supervision.StartRoot(r.sys, supervision.SupervisorSpec{ID: "sup", AutoShutdown: supervision.AllSignificant, Children: []supervision.ChildSpec{c}})
		r.wantErr(err, supervision.ErrBadSpec)
	}},
	{"supervisor, Child specification", "significant is false by default", func(r *rig) {
		r.of(supervision.SupervisorSpec{AutoShutdown: supervision.AnySignificant}, changes{"a": temporary}, "a")
		r.cast("a", "crash")
		r.wantOver("")
	}},
	{"supervisor, Child specification", "the type is worker by default", func(r *rig) {
		r.of(supervision.SupervisorSpec{}, nil, "a")
		children, err := supervision.WhichChildren(bg, r.sys, r.root.Ref())
		if err != nil || children[0].Type != supervision.Worker {
			r.t.Errorf("%v: %+v", err, children)
		}
	}},
	{"check_childspecs/1", "ids are there once", func(r *rig) {
		r.wantErr(supervision.CheckChildSpecs(supervision.Never, r.worker("a"), r.worker("b"), r.worker("a")), supervision.ErrBadSpec)
	}},
	{"check_childspecs/1", "sound specs are", func(r *rig) {
		if err := supervision.CheckChildSpecs(supervision.AnySignificant, r.worker("a"), r.with("b", significant), r.with("c", passing), supervision.Sup(supervision.SupervisorSpec{ID: "d"})); err != nil {
			r.t.Error(err)
		}
	}},
	{"check_childspecs/1", "values that there aren't are bad specs", func(r *rig) {
		for what, change := range (changes{
			"restart":  func(c *supervision.ChildSpec) { c.Restart = 3 },
			"type":     func(c *supervision.ChildSpec) { c.Type = 7 },
			"shutdown": func(c *supervision.ChildSpec) { c.Shutdown = -2 },
		}) {
			if err := supervision.CheckChildSpecs(supervision.Never, r.with("a", change)); !errors.Is(err, supervision.ErrBadSpec) {
				r.t.Errorf("%s: %v", what, err)
			}
		}
		for what, spec := range map[string]supervision.SupervisorSpec{
			"strategy": {Strategy: 3}, "auto_shutdown": {AutoShutdown: 3}, "period": {Period: -1},
			"back-off": {Backoff: supervision.Backoff{Min: time.Second, Max: time.Millisecond}}, "jitter": {Backoff: supervision.Backoff{Jitter: 2}},
		} {
			if _, err := supervision.StartRoot(r.sys, spec); !errors.Is(err, supervision.ErrBadSpec) {
				r.t.Errorf("%s: %v", what, err)
			}
		}
	}},
	{"check_childspecs/2", "with an auto_shutdown it checks what that allows", func(r *rig) {
		r.wantErr(supervision.CheckChildSpecs(supervision.Never, r.with("a", significant)), supervision.ErrBadSpec)
		if err := supervision.CheckChildSpecs(supervision.AllSignificant, r.with("a", significant)); err != nil {
			r.t.Error(err)
		}
	}},
	{"start_link/3", "a supervisor below with a bad spec can't be started", func(r *rig) {
		_, err := supervision.StartRoot(r.sys, supervision.SupervisorSpec{ID: "sup", Children: []supervision.ChildSpec{r.worker("a"),
			below(supervision.Permanent, supervision.SupervisorSpec{Children: []supervision.ChildSpec{r.with("b", significant)}})}})
		r.wantErr(err, supervision.ErrBadSpec)
		r.want("+a -a")
	}},
}

var aboutShutdown = []sentence{
	{"supervisor, Child specification", "a time: the child is told to end with shutdown, and waited for", func(r *rig) {
		c := r.frank("a")
		c.Shutdown = time.Second
		r.top(supervision.SupervisorSpec{Children: []supervision.ChildSpec{c}})
		r.stop()
		r.want("+a -a:shutdown")
	}},
	{"supervisor, Child specification", "a child that hasn't ended when its time is over is ended unconditionally", func(r *rig) {
		c := r.worker("a")
		c.Shutdown = 2 * time.Second
		r.top(supervision.SupervisorSpec{Children: []supervision.ChildSpec{c, r.worker("b")}})
		r.cast("a", "hang")
		if took := r.stop(); took < 2*time.Second || took > 2100*time.Millisecond {
			r.t.Errorf("the stop took %v", took)
		}
		r.want("+a +b -b")
		r.wantErr(r.sys.Cast(actors.Ref{Kind: "wa", ID: "a"}, "hello"), actors.ErrNoProc)
	}},
	{"supervisor, Child specification", "brutal_kill: the child is ended unconditionally, and at once", func(r *rig) {
		c := r.frank("a")
		c.Shutdown = supervision.Brutal
		r.top(supervision.SupervisorSpec{Children: []supervision.ChildSpec{c}})
		r.cast("a", "hang")
		if took := r.stop(); took > 10*time.Millisecond {
			r.t.Errorf("the stop took %v", took)
		}
		r.want("+a")
		r.wantErr(r.sys.Cast(actors.Ref{Kind: "wa", ID: "a"}, "hello"), actors.ErrNoProc)
	}},
	{"supervisor, Child specification", "infinity: it is waited for as long as it takes, a worker too", func(r *rig) {
		c := r.slow("a", 5*time.Minute)
		c.Shutdown = supervision.Infinity
		r.top(supervision.SupervisorSpec{Children: []supervision.ChildSpec{c}})
		if took := r.stop(); took < 5*time.Minute {
			r.t.Errorf("the stop took %v", took)
		}
		r.want("+a -a")
	}},
	{"supervisor, Child specification", "the default is 5 s for a worker and infinity for a supervisor", func(r *rig) {
		sup := below(supervision.Permanent, supervision.SupervisorSpec{})
		sup.Shutdown = 0
		r.top(supervision.SupervisorSpec{Children: []supervision.ChildSpec{r.worker("a"), sup}})
		children, err := supervision.WhichChildren(bg, r.sys, r.root.Ref())
		if err != nil || children[0].Shutdown != supervision.ShutdownTime(5*time.Second) || children[1].Shutdown != supervision.ShutdownTime(supervision.Infinity) {
			r.t.Errorf("%v: %+v", err, children)
		}
		r.cast("a", "hang")
		if took := r.stop(); took < 5*time.Second || took > 5100*time.Millisecond {
			r.t.Errorf("the stop took %v", took)
		}
	}},
	{"supervisor, Child specification", "a supervisor with infinity has the time that those below it need", func(r *rig) {
		c := r.slow("a", time.Minute)
		c.Shutdown = 2 * time.Minute
		r.top(supervision.SupervisorSpec{Children: []supervision.ChildSpec{below(supervision.Permanent, supervision.SupervisorSpec{Children: []supervision.ChildSpec{c, r.worker("b")}})}})
		if took := r.stop(); took < time.Minute || took > 61*time.Second {
			r.t.Errorf("the stop took %v", took)
		}
		r.want("+a +b -b -a")
	}},
	{"shutdown/1", "a child that ends by itself when it is about to be told is waited for no longer", func(r *rig) {
		r.of(supervision.SupervisorSpec{}, nil, "a", "b")
		_ = r.sys.Cast(actors.Ref{Kind: "wb", ID: "b"}, "stop")
		if took := r.stop(); took > 100*time.Millisecond {
			r.t.Errorf("the stop took %v", took)
		}
	}},
}

var aboutStartChild = []sentence{
	{"start_child/2", "it adds a child at run time and starts it", func(r *rig) {
		r.of(supervision.SupervisorSpec{}, nil, "a")
		ref, err := r.add(r.worker("b"))
		if err != nil || ref != (actors.Ref{Kind: "wb", ID: "b"}) {
			r.t.Errorf("%v, %v", ref, err)
		}
		r.want("+b")
		r.wantList("a:running b:running")
	}},
	{"start_child/2", "the spec has to be sound", func(r *rig) {
		r.of(supervision.SupervisorSpec{}, nil, "a")
		_, err := r.add(supervision.ChildSpec{ID: "b"})
		r.wantErr(err, supervision.ErrBadSpec)
	}},
	{"start_child/2", "already_started: there is a child of that id, which runs; the new spec is discarded", func(r *rig) {
		r.of(supervision.SupervisorSpec{}, nil, "a")
		_, err := r.add(r.with("a", temporary))
		r.wantErr(err, supervision.ErrAlreadyStarted)
		var there *supervision.AlreadyStartedError
		if !errors.As(err, &there) || there.Ref != (actors.Ref{Kind: "wa", ID: "a"}) {
			r.t.Errorf("got %v", err)
		}
		if c, err := supervision.GetChildSpec(bg, r.sys, r.root.Ref(), "a"); err != nil || c.Restart != supervision.Permanent {
			r.t.Errorf("%v: %+v", err, c)
		}
		r.want("")
	}},
	{"start_child/2", "already_present: there is one, which doesn't run; the new spec is discarded", func(r *rig) {
		r.of(supervision.SupervisorSpec{}, changes{"a": transient}, "a")
		r.cast("a", "stop")
		_, err := r.add(r.worker("a"))
		r.wantErr(err, supervision.ErrAlreadyPresent)
		r.want("-a")
		r.wantList("a:stopped")
	}},
	{"start_child/2", "a child that can't be started isn't added, and the error says why", func(r *rig) {
		r.of(supervision.SupervisorSpec{}, nil, "a")
		fault := errors.New("no disk")
		_, err := r.add(r.failing("b", &fault))
		var failed *supervision.StartError
		if !errors.Is(err, fault) || !errors.As(err, &failed) || failed.Child != "b" {
			r.t.Errorf("got %v", err)
		}
		r.wantList("a:running")
		r.wantOver("")
	}},
	{"start_child/2", "nor does its failure count as a restart", func(r *rig) {
		r.of(supervision.SupervisorSpec{Intensity: -1}, nil, "a")
		fault := errors.New("no disk")
		for range 5 {
			_, err := r.add(r.failing("b", &fault))
			r.wantErr(err, fault)
		}
		r.wantOver("")
	}},
	{"start_child/2", "one that answers ignore is added without a process", func(r *rig) {
		r.of(supervision.SupervisorSpec{}, nil, "a")
		ignore := supervision.ErrIgnore
		ref, err := r.add(r.failing("b", &ignore))
		if err != nil || !ref.IsZero() {
			r.t.Errorf("%v, %v", ref, err)
		}
		r.wantList("a:running b:stopped")
	}},
	{"handle_start_child/2", "unless it is temporary: then it isn't", func(r *rig) {
		r.of(supervision.SupervisorSpec{}, nil, "a")
		ignore := supervision.ErrIgnore
		c := r.failing("b", &ignore)
		temporary(&c)
		ref, err := r.add(c)
		if err != nil || !ref.IsZero() {
			r.t.Errorf("%v, %v", ref, err)
		}
		r.wantList("a:running")
	}},
	{"principles, Adding a Child Process", "children that were added behave as the others: they are restarted", func(r *rig) {
		r.of(supervision.SupervisorSpec{}, nil, "a")
		_, _ = r.add(r.worker("b"))
		r.cast("b", "crash")
		r.want("+b -b +b")
	}},
	{"principles, Adding a Child Process", "they go along with their siblings, as the last", func(r *rig) {
		r.of(supervision.SupervisorSpec{Strategy: supervision.RestForOne}, nil, "a", "b")
		_, _ = r.add(r.worker("c"))
		r.j.take()
		r.cast("b", "crash")
		r.want("-b -c +b +c")
	}},
	{"principles, Adding a Child Process", "they are ended with the supervisor", func(r *rig) {
		r.of(supervision.SupervisorSpec{}, nil, "a", "b")
		_, _ = r.add(r.worker("c"))
		r.stop()
		r.want("+c -c -b -a")
	}},
	{"principles, Adding a Child Process", "when the supervisor is restarted they are lost", func(r *rig) {
		r.top(supervision.SupervisorSpec{Children: []supervision.ChildSpec{below(supervision.Permanent, supervision.SupervisorSpec{Intensity: -1, Children: []supervision.ChildSpec{r.worker("a")}})}})
		sup := actors.Ref{Kind: "supervisor", ID: "sup.below"}
		if _, err := supervision.StartChild(bg, r.sys, sup, r.worker("b")); err != nil {
			r.t.Error(err)
		}
		r.cast("b", "crash")
		r.want("+a +b -b -a +a")
	}},
	{"start_child/2", "a supervisor is added as a worker is", func(r *rig) {
		r.of(supervision.SupervisorSpec{}, nil, "a")
		ref, err := r.add(below(supervision.Permanent, supervision.SupervisorSpec{Children: []supervision.ChildSpec{r.worker("b")}}))
		if err != nil || ref != (actors.Ref{Kind: "supervisor", ID: "sup.below"}) {
			r.t.Errorf("%v, %v", ref, err)
		}
		r.want("+b")
	}},
}

var aboutOthers = []sentence{
	{"terminate_child/2", "it ends the child, and the spec stays", func(r *rig) {
		r.of(supervision.SupervisorSpec{}, nil, "a", "b")
		if err := r.terminate("a"); err != nil {
			r.t.Error(err)
		}
		r.want("-a")
		r.wantList("a:stopped b:running")
	}},
	{"terminate_child/2", "it waits for the end, as the spec says", func(r *rig) {
		c := r.worker("a")
		c.Shutdown = 2 * time.Second
		r.top(supervision.SupervisorSpec{Children: []supervision.ChildSpec{c}})
		r.cast("a", "hang")
		begin := time.Now()
		if err := r.terminate("a"); err != nil || time.Since(begin) < 2*time.Second {
			r.t.Errorf("%v after %v", err, time.Since(begin))
		}
		r.wantErr(r.sys.Cast(actors.Ref{Kind: "wa", ID: "a"}, "hello"), actors.ErrNoProc)
	}},
	{"terminate_child/2", "the spec of a temporary child is deleted", func(r *rig) {
		r.of(supervision.SupervisorSpec{}, changes{"a": temporary}, "a", "b")
		if err := r.terminate("a"); err != nil {
			r.t.Error(err)
		}
		r.wantList("b:running")
		r.wantErr(r.delete("a"), supervision.ErrNotFound)
		_, err := r.restart("a")
		r.wantErr(err, supervision.ErrNotFound)
	}},
	{"terminate_child/2", "not_found: there is no such child", func(r *rig) {
		r.of(supervision.SupervisorSpec{}, nil, "a")
		r.wantErr(r.terminate("b"), supervision.ErrNotFound)
	}},
	{"terminate_child/2", "a child that doesn't run is terminated already", func(r *rig) {
		r.of(supervision.SupervisorSpec{}, changes{"a": transient}, "a")
		r.cast("a", "stop")
		if err := r.terminate("a"); err != nil {
			r.t.Error(err)
		}
	}},
	{"terminate_child/2", "it is no restart, and takes no siblings along", func(r *rig) {
		r.of(supervision.SupervisorSpec{Strategy: supervision.OneForAll, Intensity: -1}, nil, "a", "b")
		if err := r.terminate("a"); err != nil {
			r.t.Error(err)
		}
		r.want("-a")
		r.wantOver("")
	}},
	{"terminate_child/2", "the child may later be started again by the supervisor, with its siblings", func(r *rig) {
		r.of(supervision.SupervisorSpec{Strategy: supervision.OneForAll}, nil, "a", "b")
		_ = r.terminate("a")
		r.cast("b", "crash")
		r.want("-a -b +a +b")
	}},
	{"terminate_child/2", "or by restart_child", func(r *rig) {
		r.of(supervision.SupervisorSpec{}, nil, "a", "b")
		_ = r.terminate("a")
		ref, err := r.restart("a")
		if err != nil || ref != (actors.Ref{Kind: "wa", ID: "a"}) {
			r.t.Errorf("%v, %v", ref, err)
		}
		r.want("-a +a")
		r.cast("a", "crash")
		r.want("-a +a")
	}},
	{"terminate_child/2", "it ends all that is below a child that is a supervisor", func(r *rig) {
		r.top(supervision.SupervisorSpec{Children: []supervision.ChildSpec{below(supervision.Permanent, supervision.SupervisorSpec{Children: []supervision.ChildSpec{r.worker("a"), r.worker("b")}}), r.worker("c")}})
		if err := r.terminate("below"); err != nil {
			r.t.Error(err)
		}
		r.want("+a +b +c -b -a")
	}},
	{"restart_child/2", "not_found: there is no such child", func(r *rig) {
		r.of(supervision.SupervisorSpec{}, nil, "a")
		_, err := r.restart("b")
		r.wantErr(err, supervision.ErrNotFound)
	}},
	{"restart_child/2", "running: the child runs", func(r *rig) {
		r.of(supervision.SupervisorSpec{}, nil, "a")
		_, err := r.restart("a")
		r.wantErr(err, supervision.ErrRunning)
		r.want("")
	}},
	{"restart_child/2", "restarting: it is about to be started again", func(r *rig) {
		r.of(supervision.SupervisorSpec{Backoff: supervision.Backoff{Min: time.Minute}}, nil, "a")
		r.cast("a", "crash")
		_, err := r.restart("a")
		r.wantErr(err, supervision.ErrRestarting)
	}},
	{"restart_child/2", "a temporary child that has ended is deleted, and can't be started again", func(r *rig) {
		r.of(supervision.SupervisorSpec{}, changes{"a": temporary}, "a")
		r.cast("a", "stop")
		_, err := r.restart("a")
		r.wantErr(err, supervision.ErrNotFound)
	}},
	{"restart_child/2", "one that can't be started stays as it is, and the error says why", func(r *rig) {
		fault := error(nil)
		r.top(supervision.SupervisorSpec{Intensity: -1, Children: []supervision.ChildSpec{r.failing("a", &fault)}})
		_ = r.terminate("a")
		fault = errors.New("no disk")
		for range 3 {
			_, err := r.restart("a")
			r.wantErr(err, fault)
			r.wantList("a:stopped")
		}
		fault = nil
		if _, err := r.restart("a"); err != nil {
			r.t.Error(err)
		}
		r.wantList("a:running")
	}},
	{"restart_child/2", "one that answers ignore stays without a process", func(r *rig) {
		ignore := error(nil)
		r.top(supervision.SupervisorSpec{Children: []supervision.ChildSpec{r.failing("a", &ignore)}})
		_ = r.terminate("a")
		ignore = supervision.ErrIgnore
		ref, err := r.restart("a")
		if err != nil || !ref.IsZero() {
			r.t.Errorf("%v, %v", ref, err)
		}
		r.wantList("a:stopped")
	}},
	{"delete_child/2", "it deletes the spec of a child that doesn't run", func(r *rig) {
		r.of(supervision.SupervisorSpec{}, nil, "a", "b")
		_ = r.terminate("a")
		if err := r.delete("a"); err != nil {
			r.t.Error(err)
		}
		r.wantList("b:running")
		if _, err := r.add(r.worker("a")); err != nil {
			r.t.Error(err)
		}
		r.wantList("b:running a:running")
	}},
	{"delete_child/2", "running: the child runs", func(r *rig) {
		r.of(supervision.SupervisorSpec{}, nil, "a")
		r.wantErr(r.delete("a"), supervision.ErrRunning)
		r.wantList("a:running")
	}},
	{"delete_child/2", "restarting: it is about to be started again", func(r *rig) {
		r.of(supervision.SupervisorSpec{Backoff: supervision.Backoff{Min: time.Minute}}, nil, "a")
		r.cast("a", "crash")
		r.wantErr(r.delete("a"), supervision.ErrRestarting)
	}},
	{"delete_child/2", "not_found: there is no such child", func(r *rig) {
		r.of(supervision.SupervisorSpec{}, nil, "a")
		r.wantErr(r.delete("b"), supervision.ErrNotFound)
	}},
	{"principles, Stopping a Child Process", "when the supervisor is restarted a child that was deleted is there again", func(r *rig) {
		r.top(supervision.SupervisorSpec{Children: []supervision.ChildSpec{below(supervision.Permanent, supervision.SupervisorSpec{Intensity: -1, Children: []supervision.ChildSpec{r.worker("a"), r.worker("b")}})}})
		sup := actors.Ref{Kind: "supervisor", ID: "sup.below"}
		if err := errors.Join(supervision.TerminateChild(bg, r.sys, sup, "a"), supervision.DeleteChild(bg, r.sys, sup, "a")); err != nil {
			r.t.Error(err)
		}
		r.cast("b", "crash")
		r.want("+a +b -a -b +a +b")
	}},
	{"get_childspec/2", "it returns the spec, with its defaults", func(r *rig) {
		r.top(supervision.SupervisorSpec{AutoShutdown: supervision.AnySignificant, Children: []supervision.ChildSpec{r.with("a", significant)}})
		c, err := supervision.GetChildSpec(bg, r.sys, r.root.Ref(), "a")
		if err != nil || c.ID != "a" || c.Restart != supervision.Transient || !c.Significant || c.Shutdown != supervision.DefaultShutdown || c.Type != supervision.Worker || c.Spec.Kind != "wa" {
			r.t.Errorf("%v: %+v", err, c)
		}
	}},
	{"get_childspec/2", "not_found: there is no such child", func(r *rig) {
		r.of(supervision.SupervisorSpec{}, nil, "a")
		_, err := supervision.GetChildSpec(bg, r.sys, r.root.Ref(), "b")
		r.wantErr(err, supervision.ErrNotFound)
	}},
	{"principles, Manual stopping versus Automatic Shutdown", "requests wait while a child is stopped; what changes nothing is answered", func(r *rig) {
		c := r.worker("a")
		c.Shutdown = time.Minute
		r.top(supervision.SupervisorSpec{Children: []supervision.ChildSpec{c}})
		r.cast("a", "hang")
		done := make(chan error, 2)
		begin := time.Now()
		go func() { done <- r.terminate("a") }()
		synctest.Wait()
		go func() { _, err := r.add(r.worker("b")); done <- err }()
		r.wantList("a:running")
		if time.Since(begin) > time.Second {
			r.t.Errorf("the list was waited for: %v", time.Since(begin))
		}
		for range 2 {
			if err := <-done; err != nil {
				r.t.Error(err)
			}
		}
		if time.Since(begin) < time.Minute {
			r.t.Errorf("done after %v", time.Since(begin))
		}
		r.wantList("a:stopped b:running")
	}},
}
