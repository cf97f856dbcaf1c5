package supervision_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// TestIntensityBoundary: a restart counts for exactly the period.
func TestIntensityBoundary(t *testing.T) {
	for _, c := range []struct {
		after time.Duration
		over  bool
	}{
		{0, true}, {10*time.Second - time.Nanosecond, true}, {10 * time.Second, false}, {10*time.Second + time.Nanosecond, false},
	} {
		run(t, func(r *rig) {
			r.start(supervision.SupervisorSpec{ID: "sup", Intensity: 1, Period: 10 * time.Second, Children: []supervision.ChildSpec{r.worker("a"), r.worker("b")}})
			r.want("+a +b")
			r.cast("a", "crash")
			time.Sleep(c.after)
			r.cast("a", "crash")
			want := "-a +a -a +a"
			if c.over {
				want = "-a +a -a -b +a +b"
			}
			r.want(want)
		})
	}
}

// TestDefaultIntensity is three restarts in five seconds; below zero it is none.
func TestDefaultIntensity(t *testing.T) {
	for intensity, borne := range map[int]int{0: supervision.DefaultIntensity, -1: 0, -100: 0, 1: 1} {
		run(t, func(r *rig) {
			r.start(supervision.SupervisorSpec{ID: "sup", Intensity: intensity, Children: []supervision.ChildSpec{r.worker("a"), r.worker("b")}})
			r.want("+a +b")
			for range borne {
				r.cast("a", "crash")
				r.want("-a +a")
			}
			r.cast("b", "crash")
			r.want("-b -a +a +b")
		})
	}
}

// TestEscalation: over three levels each supervisor bears one restart. The crash that is too many for one is a restart of the one
// above, which starts it anew with nothing counted; siblings on the way go along, those beside it don't.
func TestEscalation(t *testing.T) {
	run(t, func(r *rig) {
		sup := func(id string, children ...supervision.ChildSpec) supervision.ChildSpec {
			return supervision.Sup(supervision.SupervisorSpec{ID: id, Intensity: 1, Period: time.Hour, Children: children})
		}
		root, err := supervision.StartRoot(r.sys, supervision.SupervisorSpec{ID: "root", Intensity: 1, Period: time.Hour, Children: []supervision.ChildSpec{
			r.worker("r"), sup("one", r.worker("x"), sup("two", r.worker("y"), sup("three", r.worker("z")))), sup("beside", r.worker("q")),
		}})
		if err != nil {
			t.Fatal(err)
		}
		r.want("+r +x +y +z +q")
		own, third, second := "-z +z", "-z +z", "-z -y +y +z"
		first, all := "-z -y -x +x +y +z", "-z -q -y -x -r"
		for i, want := range []string{own, third, own, second, own, third, own, first, own, third, own, second, own, third, own} {
			r.cast("z", "crash")
			if got := r.j.take(); got != want {
				t.Fatalf("crash %d: got %q, want %q", i+1, got, want)
			}
		}
		select {
		case reason := <-root.Done():
			t.Fatalf("the root has ended: %v", reason)
		default:
		}
		r.cast("z", "crash")
		if got := r.j.take(); len(got) != len(all) || !strings.HasPrefix(got, "-z") {
			t.Fatalf("at the end: %q", got)
		}
		if reason := <-root.Done(); reason != actors.Shutdown {
			t.Fatalf("the root ended with %v", reason)
		}
	})
}

// TestTreeShowsRestarts of each child, and what is down.
func TestTreeShowsRestarts(t *testing.T) {
	run(t, func(r *rig) {
		b := r.worker("b")
		b.Restart = supervision.Transient
		c := r.worker("c")
		c.Restart = supervision.Transient
		r.start(supervision.SupervisorSpec{ID: "sup", Children: []supervision.ChildSpec{r.worker("a"), b, c,
			supervision.Sup(supervision.SupervisorSpec{ID: "below", Intensity: -1, Children: []supervision.ChildSpec{r.worker("d")}})}})
		for _, id := range []string{"a", "a", "d"} {
			r.cast(id, "crash")
		}
		r.cast("b", "stop")
		tree, err := r.root.Tree(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		want := "root (supervisor)\n  sup (supervisor)\n    a (permanent) restarts=2\n    b (transient) down\n    c (transient)\n" +
			"    below (supervisor) restarts=1\n      d (permanent)\n"
		if tree.String() != want {
			t.Errorf("got\n%swant\n%s", tree, want)
		}
		if _, err := r.sys.Call(context.Background(), tree.Children[0].Ref, "nonsense"); err == nil || !strings.Contains(err.Error(), "string") {
			t.Errorf("a supervisor answers nonsense with %v", err)
		}
		r.stop()
		for ref := range map[actors.Ref]bool{tree.Ref: true, tree.Children[0].Ref: true, {Kind: "wa", ID: "a"}: true} {
			if err := r.sys.Cast(ref, "hello"); err != actors.ErrNoProc {
				t.Errorf("%v is still there: %v", ref, err)
			}
		}
	})
}

// TestTreeOfNobody: one can't be drawn when it has ended.
func TestTreeOfNobody(t *testing.T) {
	run(t, func(r *rig) {
		r.start(supervision.SupervisorSpec{ID: "sup"})
		root := r.root
		r.stop()
		if _, err := root.Tree(context.Background()); err == nil {
			t.Error("an ended tree is drawn")
		}
	})
}

// TestDoneAndStop in every order: each Stop returns, and the reason is told once.
func TestDoneAndStop(t *testing.T) {
	for _, order := range []string{"stop done", "stop stop done", "crash done stop", "crash stop done", "crash stop stop", "done|stop", "done|stop|stop|stop", "done|crash|stop"} {
		t.Run(order, func(t *testing.T) {
			run(t, func(r *rig) {
				root, err := supervision.StartRoot(r.sys, supervision.SupervisorSpec{ID: "root", Intensity: -1, Children: []supervision.ChildSpec{r.worker("a"), r.slow("b", time.Second)}})
				if err != nil {
					t.Fatal(err)
				}
				told := make(chan actors.Reason, 10)
				do := map[string]func(){
					"crash": func() { _ = r.sys.Cast(actors.Ref{Kind: "wa", ID: "a"}, "crash") },
					"done":  func() { told <- <-root.Done() },
					"stop": func() {
						if err := root.Stop(context.Background()); err != nil {
							t.Error(err)
						}
						if err := r.sys.Cast(actors.Ref{Kind: "wb", ID: "b"}, "hello"); err != actors.ErrNoProc {
							t.Errorf("after Stop a child is there: %v", err)
						}
					},
				}
				finished := make(chan bool, 10)
				steps := strings.FieldsFunc(order, func(c rune) bool { return c == '|' || c == ' ' })
				for _, step := range steps {
					go func() { do[step](); finished <- true }()
					if strings.Contains(order, " ") {
						<-finished
						finished <- true
					}
				}
				for range steps {
					<-finished
				}
				synctest.Wait()
				if n := strings.Count(order, "done"); len(told) != n {
					t.Errorf("the reason was told %d times", len(told))
				} else if n > 0 {
					if reason := <-told; reason != actors.Shutdown {
						t.Errorf("the reason is %v", reason)
					}
				}
				if got := fmt.Sprint(len(strings.Fields(r.j.take()))); got != "4" {
					t.Errorf("%s starts and ends, want 4", got)
				}
			})
		})
	}
}
