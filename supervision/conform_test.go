package supervision_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// sentence is one sentence of OTP's documentation of supervisors, in our words, and what shows that it is so here.
type sentence struct {
	from string // where it stands in the manual page, or "principles": the chapter Supervisor Behaviour of the design principles
	says string
	test func(r *rig)
}

// inapplicable are the sentences that mean nothing here, and why.
var inapplicable = []struct{ says, why string }{
	{"a supervisor is a callback module with init/1; start_link gets its name and arguments", "a SupervisorSpec is a value: there is no callback, and so none that fails or returns nonsense"},
	{"init/1 may return ignore, and start_link returns that", "no callback; who doesn't want a supervisor doesn't list it"},
	{"init/1 runs again in a code upgrade, and must have no side effects; the new specs are combined with the old", "no code upgrade in a running process"},
	{"modules of a child spec, dynamic for event managers", "for code upgrades"},
	{"supervisors are registered locally, globally or via a module, or have no name", "each has a Ref by its place in the tree"},
	{"the start function must create and link to the child, and return its pid", "the runtime starts actors; an owner hears of each end without a link"},
	{"the start function may return {ok, Child, Info}", "a Ref is all that there is to return"},
	{"child specs and flags may be tuples", "backwards compatibility of OTP"},
	{"the children of simple_one_for_one have one spec, whose id is ignored", "a DynamicSpec has no list of children"},
	{"terminate_child, restart_child and delete_child answer simple_one_for_one for a dynamic supervisor's id", "Dynamic has no such methods; its TerminateChild takes a Ref only"},
	{"a killed supervisor may unlink its children and leave them running", "here it can't: see TestNothingIsLeftBelow"},
	{"which_children of many children may run out of memory", "Dynamic.WhichChildren calls a function for each"},
	{"count_children doesn't check that each child of simple_one_for_one is alive", "counted as they come and go"},
	{"before OTP 24 auto_shutdown is ignored, and leaks", "OTP's own history"},
	{"top supervisors of applications shouldn't shut themselves down", "there are no applications; Root.Done tells, and main decides"},
	{"starting, restarting and terminating blocks a simple_one_for_one supervisor", "no supervisor blocks here"},
	{"a supervisor that stops a child doesn't answer meanwhile", "it answers what changes nothing; see its own sentence"},
	{"a child that has its own supervisor stopped deadlocks until its shutdown time is over", "no handler waits for an answer here; a request by Context.Call is answered with ErrNoProc"},
	{"gen_event, gen_statem and supervisor_bridge as children", "an actors.Spec is all that a child is; Service is for what is no actor"},
}

// TestConformance goes through the documentation.
func TestConformance(t *testing.T) {
	var all []sentence
	for _, part := range [][]sentence{aboutStarts, aboutStrategies, aboutIntensity, aboutAutoShutdown, aboutSpecs, aboutShutdown, aboutStartChild, aboutOthers, aboutListings, aboutDynamic} {
		all = append(all, part...)
	}
	seen := map[string]bool{}
	for i, s := range all {
		if seen[s.from+s.says] || s.from == "" {
			t.Errorf("%q of %q stands there twice, or comes from nowhere", s.says, s.from)
		}
		seen[s.from+s.says] = true
		t.Run(fmt.Sprintf("%03d %s", i+1, s.says), func(t *testing.T) { run(t, s.test) })
	}
	t.Logf("%d sentences, %d that don't apply", len(all), len(inapplicable))
}

var bg = context.Background()

// top starts a supervisor alone, at the root. Its end can be asked for with over.
func (r *rig) top(spec supervision.SupervisorSpec) {
	r.t.Helper()
	if spec.ID == "" {
		spec.ID = "sup"
	}
	if spec.Intensity == 0 {
		spec.Intensity = 100
	}
	var err error
	if r.root, err = supervision.StartRoot(r.sys, spec); err != nil {
		r.t.Fatal(err)
	}
}

// of starts workers a, b, ... changed by change, below a supervisor at the root.
func (r *rig) of(spec supervision.SupervisorSpec, change map[string]func(*supervision.ChildSpec), ids ...string) {
	r.t.Helper()
	for _, id := range ids {
		spec.Children = append(spec.Children, r.with(id, change[id]))
	}
	r.top(spec)
	r.want("+" + strings.Join(ids, " +"))
}

func (r *rig) with(id string, change func(*supervision.ChildSpec)) supervision.ChildSpec {
	c := r.worker(id)
	if change != nil {
		change(&c)
	}
	return c
}

// pass lets time pass.
func (r *rig) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// over is why the root has ended, "" if it lives.
func (r *rig) over() string {
	synctest.Wait()
	select {
	case reason := <-r.root.Done():
		r.root = nil
		return reason.String()
	default:
		return ""
	}
}

func (r *rig) wantOver(want string) {
	r.t.Helper()
	if got := r.over(); got != want {
		r.t.Fatalf("the supervisor ended with %q, want %q", got, want)
	}
}

// list is what WhichChildren says.
func (r *rig) list() string {
	r.t.Helper()
	synctest.Wait()
	children, err := supervision.WhichChildren(bg, r.sys, r.root.Ref())
	if err != nil {
		r.t.Fatal(err)
	}
	var all []string
	for _, c := range children {
		all = append(all, c.ID+":"+c.State.String())
		if c.Up != (c.State == supervision.Running) {
			r.t.Errorf("%s is up: %v", all[len(all)-1], c.Up)
		}
	}
	return strings.Join(all, " ")
}

func (r *rig) wantList(want string) {
	r.t.Helper()
	if got := r.list(); got != want {
		r.t.Fatalf("the children are %q, want %q", got, want)
	}
}

func (r *rig) wantErr(got, want error) {
	r.t.Helper()
	if !errors.Is(got, want) {
		r.t.Fatalf("got %v, want %v", got, want)
	}
}

func (r *rig) add(c supervision.ChildSpec) (actors.Ref, error) {
	return supervision.StartChild(bg, r.sys, r.root.Ref(), c)
}

func (r *rig) terminate(id string) error {
	return supervision.TerminateChild(bg, r.sys, r.root.Ref(), id)
}

func (r *rig) restart(id string) (actors.Ref, error) {
	return supervision.RestartChild(bg, r.sys, r.root.Ref(), id)
}

func (r *rig) delete(id string) error {
	return supervision.DeleteChild(bg, r.sys, r.root.Ref(), id)
}

// Changes of a child.
func transient(c *supervision.ChildSpec)   { c.Restart = supervision.Transient }
func temporary(c *supervision.ChildSpec)   { c.Restart = supervision.Temporary }
func significant(c *supervision.ChildSpec) { c.Significant, c.Restart = true, supervision.Transient }
func passing(c *supervision.ChildSpec)     { c.Significant, c.Restart = true, supervision.Temporary }

type changes = map[string]func(*supervision.ChildSpec)

// failing is a worker whose Init fails while *err is set.
func (r *rig) failing(id string, err *error) supervision.ChildSpec {
	c := r.worker(id)
	c.Spec.New = func() actors.Behaviour {
		return &child{id: id, j: r.j, hang: r.hang, fail: func() error { return *err }}
	}
	return c
}

// frank is a worker that notes the reason of its end.
func (r *rig) frank(id string) supervision.ChildSpec {
	c := r.worker(id)
	c.Spec.New = func() actors.Behaviour { return &frank{child{id: id, j: r.j, hang: r.hang}} }
	return c
}

type frank struct{ child }

func (f *frank) Terminate(_ *actors.Context, reason actors.Reason) { f.j.add("-%s:%v", f.id, reason) }
