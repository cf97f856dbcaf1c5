package supervision_test

import (
	"context"
	"fmt"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/supervision"
)

var aboutListings = []sentence{
	{"which_children/1", "it lists all children with id, process, type", func(r *rig) {
		r.top(supervision.SupervisorSpec{Children: []supervision.ChildSpec{r.worker("a"), below(supervision.Transient, supervision.SupervisorSpec{})}})
		children, err := supervision.WhichChildren(bg, r.sys, r.root.Ref())
		if err != nil || len(children) != 2 {
			r.t.Fatalf("%v: %+v", err, children)
		}
		for i, want := range []supervision.ChildInfo{
			{ID: "a", Ref: actors.Ref{Kind: "wa", ID: "a"}, State: supervision.Running, Up: true, Shutdown: supervision.ShutdownTime(5 * time.Second)},
			{ID: "below", Ref: actors.Ref{Kind: "supervisor", ID: "sup.below"}, Type: supervision.SupervisorType, State: supervision.Running, Up: true,
				Restart: supervision.Transient, Shutdown: supervision.ShutdownTime(supervision.Infinity)},
		} {
			if children[i] != want {
				r.t.Errorf("got %+v, want %+v", children[i], want)
			}
		}
	}},
	{"which_children/1", "undefined: there is no process", func(r *rig) {
		r.of(supervision.SupervisorSpec{}, changes{"a": transient}, "a", "b", "c")
		r.cast("a", "stop")
		_ = r.terminate("b")
		r.wantList("a:stopped b:stopped c:running")
	}},
	{"which_children/1", "restarting: it is about to be started again", func(r *rig) {
		r.of(supervision.SupervisorSpec{Strategy: supervision.RestForOne, Backoff: supervision.Backoff{Min: time.Minute}}, nil, "a", "b", "c")
		r.cast("b", "crash")
		r.wantList("a:running b:restarting c:restarting")
	}},
	{"count_children/1", "it counts specs, active children, supervisors and workers, the latter whether they run or not", func(r *rig) {
		r.top(supervision.SupervisorSpec{Children: []supervision.ChildSpec{r.worker("a"), r.with("b", transient), r.worker("c"),
			below(supervision.Permanent, supervision.SupervisorSpec{Children: []supervision.ChildSpec{r.worker("d")}})}})
		r.cast("b", "stop")
		got, err := supervision.CountChildren(bg, r.sys, r.root.Ref())
		if want := (supervision.Counts{Specs: 4, Active: 3, Supervisors: 1, Workers: 3}); err != nil || got != want {
			r.t.Errorf("%v: %+v, want %+v", err, got, want)
		}
		_ = r.terminate("below")
		got, err = supervision.CountChildren(bg, r.sys, r.root.Ref())
		if want := (supervision.Counts{Specs: 4, Active: 2, Supervisors: 1, Workers: 3}); err != nil || got != want {
			r.t.Errorf("%v: %+v, want %+v", err, got, want)
		}
	}},
}

// many starts a dynamic supervisor of one partition at the root, and n children.
func (r *rig) many(spec supervision.DynamicSpec, n int) (*supervision.Dynamic, []actors.Ref) {
	r.t.Helper()
	spec.ID = "many"
	if spec.Partitions == 0 {
		spec.Partitions = 1
	}
	if spec.Child.New == nil {
		spec.Child = actors.Spec{Kind: "m", New: func() actors.Behaviour { return &spoken{child{j: r.j, hang: r.hang}} }}
	}
	d := supervision.NewDynamic(r.sys, spec)
	r.top(supervision.SupervisorSpec{Children: []supervision.ChildSpec{d.Child()}})
	var refs []actors.Ref
	for i := range n {
		ref, err := d.StartChild(string(rune('a'+i)), fmt.Sprint(i+1))
		if err != nil {
			r.t.Fatal(err)
		}
		refs = append(refs, ref)
		synctest.Wait()
	}
	return d, refs
}

// spoken is a child that has its name from its Ref, and notes its args.
type spoken struct{ child }

func (s *spoken) Init(ctx *actors.Context, args any) error {
	s.id = ctx.Self().ID
	if args != nil {
		s.id += fmt.Sprint(args)
	}
	return s.child.Init(ctx, args)
}

// parting takes the less time to end the later its name comes.
type parting struct{ child }

func (p *parting) Init(ctx *actors.Context, args any) error {
	p.id = ctx.Self().ID
	return p.child.Init(ctx, args)
}

func (p *parting) Terminate(ctx *actors.Context, reason actors.Reason) {
	<-time.After(time.Duration('i'-p.id[0]) * time.Second / 4)
	p.child.Terminate(ctx, reason)
}

var aboutDynamic = []sentence{
	{"init/1", "a dynamic supervisor starts no children by itself", func(r *rig) {
		d, _ := r.many(supervision.DynamicSpec{}, 0)
		if d.Live() != 0 {
			r.t.Errorf("%d live", d.Live())
		}
		r.want("")
	}},
	{"supervisor, Restart Strategies", "its children are of one shape, and added at run time", func(r *rig) {
		d, _ := r.many(supervision.DynamicSpec{}, 3)
		r.want("+a1 +b2 +c3")
		if d.Live() != 3 {
			r.t.Errorf("%d live", d.Live())
		}
	}},
	{"start_child/2", "each has its own arguments, at a restart too", func(r *rig) {
		_, refs := r.many(supervision.DynamicSpec{}, 2)
		_ = r.sys.Cast(refs[1], "crash")
		r.want("+a1 +b2 -b2 +b2")
		_ = r.sys.Cast(refs[1], "stop")
		r.want("-b2 +b2")
	}},
	{"supervisor, Restart Strategies", "each is restarted alone", func(r *rig) {
		_, refs := r.many(supervision.DynamicSpec{}, 3)
		r.j.take()
		_ = r.sys.Cast(refs[0], "crash")
		r.want("-a1 +a1")
	}},
	{"do_restart/3", "permanent, transient and temporary are as ever", func(r *rig) {
		for restart, want := range map[supervision.Restart]string{
			supervision.Permanent: "-a1 +a1 -b2 +b2", supervision.Transient: "-a1 +a1 -b2", supervision.Temporary: "-a1 -b2"} {
			_, refs := r.many(supervision.DynamicSpec{Restart: restart}, 2)
			r.j.take()
			_ = r.sys.Cast(refs[0], "crash")
			synctest.Wait()
			_ = r.sys.Cast(refs[1], "stop")
			r.want(want)
			r.stop()
			r.j.take()
		}
	}},
	{"terminate_child/2", "a dynamic supervisor's child is terminated by its process, and isn't restarted", func(r *rig) {
		for _, restart := range []supervision.Restart{supervision.Permanent, supervision.Transient, supervision.Temporary} {
			d, refs := r.many(supervision.DynamicSpec{Restart: restart}, 2)
			r.j.take()
			if err := d.TerminateChild(bg, refs[0]); err != nil {
				r.t.Error(err)
			}
			r.want("-a1")
			if d.Live() != 1 {
				r.t.Errorf("%d live", d.Live())
			}
			r.stop()
			r.j.take()
		}
	}},
	{"terminate_child/2", "not_found: it isn't a child of this one", func(r *rig) {
		d, _ := r.many(supervision.DynamicSpec{}, 1)
		r.wantErr(d.TerminateChild(bg, actors.Ref{Kind: "m", ID: "z", Node: "n@1"}), supervision.ErrNotFound)
		r.wantErr(d.TerminateChild(bg, actors.Ref{Kind: "root", ID: "sup"}), supervision.ErrNotFound)
		if _, err := r.sys.Spawn(actors.Spec{Kind: "m"}, actors.Ref{Kind: "m", ID: "stray", Node: "n@1"}, nil, squatter{}); err != nil {
			r.t.Fatal(err)
		}
		r.wantErr(d.TerminateChild(bg, actors.Ref{Kind: "m", ID: "stray", Node: "n@1"}), supervision.ErrNotFound)
	}},
	{"terminate_child/2", "a dynamic supervisor's child has its time as well", func(r *rig) {
		d, refs := r.many(supervision.DynamicSpec{Shutdown: 3 * time.Second}, 1)
		_ = r.sys.Cast(refs[0], "hang")
		synctest.Wait()
		begin := time.Now()
		if err := d.TerminateChild(bg, refs[0]); err != nil || time.Since(begin) < 3*time.Second || time.Since(begin) > 3100*time.Millisecond {
			r.t.Errorf("%v after %v", err, time.Since(begin))
		}
		if d.Live() != 0 || r.root.Abandoned() != 1 {
			r.t.Errorf("%d live, %d left behind", d.Live(), r.root.Abandoned())
		}
	}},
	{"supervisor, Restart Strategies", "it ends all children at the same time", func(r *rig) {
		r.many(supervision.DynamicSpec{Child: actors.Spec{Kind: "m", Blocking: true, New: func() actors.Behaviour { return &parting{child{j: r.j}} }}}, 8)
		r.j.take()
		if took := r.stop(); took > 2500*time.Millisecond {
			r.t.Errorf("the stop took %v", took)
		}
		r.want("-h -g -f -e -d -c -b -a") // the quickest first, though it was started last
	}},
	{"terminate_dynamic_children/1", "their time is that of all together; what is left then is ended", func(r *rig) {
		d, refs := r.many(supervision.DynamicSpec{Shutdown: 2 * time.Second}, 5)
		_ = r.sys.Cast(refs[2], "hang")
		synctest.Wait()
		r.j.take()
		root := r.root
		if took := r.stop(); took < 2*time.Second || took > 2100*time.Millisecond {
			r.t.Errorf("the stop took %v", took)
		}
		if d.Live() != 0 || root.Abandoned() != 1 {
			r.t.Errorf("%d live, %d left behind", d.Live(), root.Abandoned())
		}
	}},
	{"terminate_dynamic_children/1", "brutal_kill ends them at once, infinity waits", func(r *rig) {
		d, refs := r.many(supervision.DynamicSpec{Shutdown: supervision.Brutal}, 2)
		_ = r.sys.Cast(refs[1], "hang")
		synctest.Wait()
		r.j.take()
		if took := r.stop(); took > 10*time.Millisecond || d.Live() != 0 {
			r.t.Errorf("the stop took %v, %d live", took, d.Live())
		}
		r.want("")
		_, refs = r.many(supervision.DynamicSpec{Shutdown: supervision.Infinity}, 1)
		hang := r.hang
		r.hang = make(chan struct{})
		_ = r.sys.Cast(refs[0], "hang")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(bg, time.Minute)
		defer cancel()
		if err := r.root.Stop(ctx); err == nil {
			r.t.Error("it has ended")
		}
		close(hang)
		r.stop()
	}},
	{"supervisor, Restart intensity and period", "a dynamic supervisor's partition has its intensity, and is restarted without its children", func(r *rig) {
		d, refs := r.many(supervision.DynamicSpec{Intensity: 2, Period: time.Minute}, 3)
		r.j.take()
		for _, ref := range refs {
			_ = r.sys.Cast(ref, "crash")
			synctest.Wait()
		}
		if d.Live() != 0 || d.Restarted() != 2 {
			r.t.Errorf("%d live, %d restarts", d.Live(), d.Restarted())
		}
		r.wantOver("")
	}},
	{"which_children/1", "it lists a dynamic supervisor's children", func(r *rig) {
		d, refs := r.many(supervision.DynamicSpec{Partitions: 4}, 20)
		seen := map[actors.Ref]bool{}
		d.WhichChildren(func(c supervision.ChildInfo) bool {
			if c.State != supervision.Running || c.Type != supervision.Worker || c.ID != c.Ref.ID {
				r.t.Errorf("%+v", c)
			}
			seen[c.Ref] = true
			return true
		})
		if len(seen) != len(refs) {
			r.t.Errorf("%d of %d are listed", len(seen), len(refs))
		}
		n := 0
		d.WhichChildren(func(supervision.ChildInfo) bool { n++; return n < 7 })
		if n != 7 {
			r.t.Errorf("%d listed of 7", n)
		}
	}},
	{"count_children/1", "it counts them: one spec, and those that are about to be restarted aren't active", func(r *rig) {
		d, refs := r.many(supervision.DynamicSpec{Partitions: 3, Backoff: supervision.Backoff{Min: time.Minute}}, 10)
		_ = r.sys.Cast(refs[0], "crash")
		_ = r.sys.Cast(refs[1], "stop")
		synctest.Wait()
		if got, want := d.CountChildren(), (supervision.Counts{Specs: 1, Active: 8, Workers: 10}); got != want {
			r.t.Errorf("%+v, want %+v", got, want)
		}
		waiting := ""
		d.WhichChildren(func(c supervision.ChildInfo) bool {
			if c.State == supervision.Restarting {
				waiting += c.ID
			}
			return true
		})
		if waiting != "ab" && waiting != "ba" {
			r.t.Errorf("%q wait", waiting)
		}
	}},
	{"DynamicSupervisor, max_children", "no more children than it may have; one that ends makes room", func(r *rig) {
		d, refs := r.many(supervision.DynamicSpec{MaxChildren: 3, Partitions: 3, Restart: supervision.Temporary}, 3)
		_, err := d.StartChild("x", nil)
		r.wantErr(err, supervision.ErrMaxChildren)
		_ = r.sys.Cast(refs[0], "crash")
		synctest.Wait()
		if _, err = d.StartChild("x", nil); err != nil {
			r.t.Error(err)
		}
		_, err = d.StartChild("y", nil)
		r.wantErr(err, supervision.ErrMaxChildren)
	}},
	{"start_child/2", "two of one name there can't be", func(r *rig) {
		d, _ := r.many(supervision.DynamicSpec{}, 1)
		_, err := d.StartChild("a", nil)
		r.wantErr(err, actors.ErrExists)
		if d.Live() != 1 {
			r.t.Errorf("%d live", d.Live())
		}
	}},
	{"init/1", "a dynamic supervisor with a bad spec can't be started", func(r *rig) {
		for _, spec := range []supervision.DynamicSpec{{Restart: 3}, {Shutdown: -5}, {Period: -1}, {Backoff: supervision.Backoff{Min: -1}}} {
			spec.ID, spec.Child = "many", r.one(false)
			_, err := supervision.StartRoot(r.sys, supervision.SupervisorSpec{ID: "sup", Children: []supervision.ChildSpec{supervision.NewDynamic(r.sys, spec).Child()}})
			r.wantErr(err, supervision.ErrBadSpec)
		}
		_, err := supervision.StartRoot(r.sys, supervision.SupervisorSpec{ID: "sup", Children: []supervision.ChildSpec{supervision.NewDynamic(r.sys, supervision.DynamicSpec{ID: "many"}).Child()}})
		r.wantErr(err, supervision.ErrBadSpec)
	}},
}
