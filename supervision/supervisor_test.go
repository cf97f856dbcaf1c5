package supervision_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// journal notes what happens, in order.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(format string, a ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, fmt.Sprintf(format, a...))
}

func (j *journal) take() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := strings.Join(j.lines, " ")
	j.lines = nil
	return s
}

// child is a worker that crashes, ends, hangs or waits on request.
type child struct {
	id   string
	j    *journal
	hang chan struct{}
	fail func() error
}

func (c *child) Init(*actors.Context, any) error {
	if c.fail != nil {
		if err := c.fail(); err != nil {
			return err
		}
	}
	c.j.add("+%s", c.id)
	return nil
}

func (c *child) Handle(ctx *actors.Context, msg any) error {
	switch msg {
	case "crash":
		return errors.New("on purpose")
	case "stop":
		ctx.Stop(actors.Normal)
	case "hang":
		<-c.hang
	default:
		c.j.add("%s:%v", c.id, msg)
	}
	return nil
}

func (c *child) Terminate(_ *actors.Context, r actors.Reason) {
	c.j.add("-%s", c.id)
}

// rig is a system with a tree of workers a, b, c below a supervisor "sup" below a root.
type rig struct {
	t    *testing.T
	sys  *actors.System
	root *supervision.Root
	j    *journal
	hang chan struct{}
}

func (r *rig) worker(id string) supervision.ChildSpec {
	return supervision.Actor(id, actors.Spec{Kind: "w" + id, New: func() actors.Behaviour {
		return &child{id: id, j: r.j, hang: r.hang}
	}}, nil)
}

func (r *rig) start(spec supervision.SupervisorSpec) {
	r.t.Helper()
	var err error
	r.root, err = supervision.StartRoot(r.sys, supervision.SupervisorSpec{ID: "root", Children: []supervision.ChildSpec{supervision.Sup(spec)}})
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) cast(id, msg string) {
	r.t.Helper()
	if err := r.sys.Cast(actors.Ref{Kind: "w" + id, ID: id}, msg); err != nil {
		r.t.Fatalf("%s to %s: %v", msg, id, err)
	}
	synctest.Wait()
}

func (r *rig) want(lines string) {
	r.t.Helper()
	synctest.Wait()
	if got := r.j.take(); got != lines {
		r.t.Fatalf("got %q, want %q", got, lines)
	}
}

// run runs a test in fake time.
func run(t *testing.T, f func(r *rig)) {
	synctest.Test(t, func(t *testing.T) { within(t, actors.Config{}, f) })
}

// within runs it with a system.
func within(t *testing.T, cfg actors.Config, f func(r *rig)) {
	cfg.Workers, cfg.Node = 2, "n@1"
	r := &rig{t: t, sys: actors.NewSystem(cfg), j: &journal{}, hang: make(chan struct{})}
	if err := r.sys.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { // after a failure too: the bubble waits for every goroutine
		if r.root != nil {
			if err := r.root.Stop(context.Background()); err != nil {
				t.Error(err)
			}
		}
		close(r.hang)
		if err := r.sys.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	f(r)
}

func TestStrategies(t *testing.T) {
	for _, c := range []struct {
		strategy supervision.Strategy
		after    string
	}{
		{supervision.OneForOne, "-b +b b:next"},
		{supervision.OneForAll, "-b -c -a +a +b b:next +c"},
		{supervision.RestForOne, "-b -c +b b:next +c"},
	} {
		t.Run(c.strategy.String(), func(t *testing.T) {
			run(t, func(r *rig) {
				r.start(supervision.SupervisorSpec{ID: "sup", Strategy: c.strategy, Children: []supervision.ChildSpec{r.worker("a"), r.worker("b"), r.worker("c")}})
				r.want("+a +b +c")
				_ = r.sys.Cast(actors.Ref{Kind: "wb", ID: "b"}, "crash")
				r.cast("b", "next")
				r.sorted(c.after)
				if err := r.root.Stop(context.Background()); err != nil {
					t.Fatal(err)
				}
				r.root = nil
				r.want("-c -b -a")
			})
		})
	}
}

// sorted wants the lines, but lets the survivor's next message come before or after the siblings' starts.
func (r *rig) sorted(lines string) {
	r.t.Helper()
	synctest.Wait()
	got := strings.Fields(r.j.take())
	want := strings.Fields(lines)
	drop := func(in []string) (out []string) {
		for _, l := range in {
			if l != "b:next" {
				out = append(out, l)
			}
		}
		return out
	}
	if len(got) != len(want) || fmt.Sprint(drop(got)) != fmt.Sprint(drop(want)) {
		r.t.Fatalf("got %v, want %v", got, want)
	}
}

func TestRestartTypes(t *testing.T) {
	for _, c := range []struct {
		restart supervision.Restart
		msg     string
		after   string
	}{
		{supervision.Permanent, "stop", "-a +a"},
		{supervision.Permanent, "crash", "-a +a"},
		{supervision.Transient, "stop", "-a"},
		{supervision.Transient, "crash", "-a +a"},
		{supervision.Temporary, "stop", "-a"},
		{supervision.Temporary, "crash", "-a"},
	} {
		run(t, func(r *rig) {
			w := r.worker("a")
			w.Restart = c.restart
			r.start(supervision.SupervisorSpec{ID: "sup", Children: []supervision.ChildSpec{w}})
			r.want("+a")
			r.cast("a", c.msg)
			r.want(c.after)
		})
	}
}

func TestIntensityIsExact(t *testing.T) {
	run(t, func(r *rig) {
		r.start(supervision.SupervisorSpec{ID: "sup", Intensity: 2, Period: 10 * time.Second, Children: []supervision.ChildSpec{r.worker("a"), r.worker("b")}})
		r.want("+a +b")
		for range 5 { // one each 6 s is never more than 2 in 10 s
			r.cast("a", "crash")
			r.want("-a +a")
			time.Sleep(6 * time.Second)
		}
		time.Sleep(10 * time.Second)
		r.cast("a", "crash")
		r.want("-a +a")
		r.cast("b", "crash")
		r.want("-b +b")
		r.cast("a", "crash")
		r.want("-a -b +a +b") // the supervisor ended with both, and the root started it anew
	})
}

func TestRootGivesUp(t *testing.T) {
	run(t, func(r *rig) {
		root, err := supervision.StartRoot(r.sys, supervision.SupervisorSpec{ID: "root", Intensity: -1, Children: []supervision.ChildSpec{r.worker("a")}})
		if err != nil {
			t.Fatal(err)
		}
		r.cast("a", "crash")
		if reason := <-root.Done(); reason.Code != actors.CodeShutdown {
			t.Fatalf("the root ended with %v", reason)
		}
	})
}

func TestStartFailsAsAWhole(t *testing.T) {
	run(t, func(r *rig) {
		bad := supervision.Actor("bad", actors.Spec{Kind: "bad", New: func() actors.Behaviour {
			return &child{id: "bad", j: r.j, fail: func() error { return errors.New("no disk") }}
		}}, nil)
		_, err := supervision.StartRoot(r.sys, supervision.SupervisorSpec{ID: "root", Children: []supervision.ChildSpec{
			r.worker("a"), supervision.Sup(supervision.SupervisorSpec{ID: "sup", Children: []supervision.ChildSpec{r.worker("b"), bad}})}})
		if err == nil || !strings.Contains(err.Error(), "no disk") {
			t.Fatalf("got %v", err)
		}
		r.want("+a +b -bad -b -a")
	})
}

func TestHungChildIsLeftBehind(t *testing.T) {
	run(t, func(r *rig) {
		hung := r.worker("b")
		hung.Shutdown = 3 * time.Second
		r.start(supervision.SupervisorSpec{ID: "sup", Children: []supervision.ChildSpec{r.worker("a"), hung, r.worker("c")}})
		r.cast("b", "hang")
		r.j.take()
		start := time.Now()
		if err := r.root.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		r.root = nil
		if d := time.Since(start); d < 3*time.Second || d > 4*time.Second {
			t.Fatalf("the stop took %v", d)
		}
		r.want("-c -a")
	})
}

func TestTree(t *testing.T) {
	run(t, func(r *rig) {
		d := supervision.NewDynamic(r.sys, supervision.DynamicSpec{ID: "many", Partitions: 4, Child: actors.Spec{Kind: "m", New: func() actors.Behaviour { return &child{id: "m", j: r.j} }}})
		r.start(supervision.SupervisorSpec{ID: "sup", Children: []supervision.ChildSpec{r.worker("a"), d.Child()}})
		for i := range 10 {
			if _, err := d.StartChild(fmt.Sprint(i), nil); err != nil {
				t.Fatal(err)
			}
		}
		tree, err := r.root.Tree(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		want := "root (supervisor)\n  sup (supervisor)\n    a (permanent)\n    many (dynamic, 4 partitions, 10 children)\n"
		if tree.String() != want {
			t.Fatalf("got\n%swant\n%s", tree, want)
		}
	})
}

func TestService(t *testing.T) {
	run(t, func(r *rig) {
		fails := true
		svc := supervision.Service("svc", time.Second, func() (supervision.Runner, error) { return &runner{r.j, fails}, nil })
		_, err := supervision.StartRoot(r.sys, supervision.SupervisorSpec{ID: "r1", Children: []supervision.ChildSpec{svc}})
		var failed *supervision.StartError
		if !errors.As(err, &failed) || failed.Supervisor != "r1" || failed.Child != "svc" || failed.Err == nil {
			t.Fatalf("a service that can't start: %v", err)
		}
		fails = false
		root, err := supervision.StartRoot(r.sys, supervision.SupervisorSpec{ID: "r2", Children: []supervision.ChildSpec{svc}})
		if err != nil {
			t.Fatal(err)
		}
		if err := root.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		r.want("start start stop")
	})
}

type runner struct {
	j     *journal
	fails bool
}

func (s *runner) Start() error {
	s.j.add("start")
	if s.fails {
		return errors.New("port in use")
	}
	return nil
}

func (s *runner) Stop(context.Context) error { s.j.add("stop"); return nil }
