package supervision_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// pause suspends an actor, until the function that it returns is called.
func (r *rig) pause(ref actors.Ref) (resume func()) {
	r.t.Helper()
	do := func(f func(*actors.Inspection)) {
		if err := r.sys.Inspect(bg, ref, f); err != nil {
			r.t.Errorf("%v: %v", ref, err)
		}
	}
	do((*actors.Inspection).Suspend)
	return func() { do((*actors.Inspection).Resume) }
}

// three starts a root with supervisors first, second and third, each above a worker.
func (r *rig) three() (second actors.Ref) {
	r.t.Helper()
	above := func(id, worker string) supervision.ChildSpec {
		return supervision.Sup(supervision.SupervisorSpec{ID: id, Children: []supervision.ChildSpec{r.worker(worker)}})
	}
	var err error
	r.root, err = supervision.StartRoot(r.sys, supervision.SupervisorSpec{ID: "root", Children: []supervision.ChildSpec{above("first", "a"), above("second", "b"), above("third", "c")}})
	if err != nil {
		r.t.Fatal(err)
	}
	children, err := supervision.WhichChildren(bg, r.sys, r.root.Ref())
	if err != nil {
		r.t.Fatal(err)
	}
	return children[1].Ref
}

// TestTreeWithASilentOne: who doesn't answer is marked, after a second, and what is beside it is shown.
func TestTreeWithASilentOne(t *testing.T) {
	run(t, func(r *rig) {
		resume := r.pause(r.three())
		begin := time.Now()
		tree, err := r.root.Tree(bg)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took < time.Second || took > 1100*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		want := "root (supervisor)\n  first (supervisor)\n    a (permanent)\n  second (supervisor) doesn't answer\n  third (supervisor)\n    c (permanent)\n"
		if tree.String() != want {
			t.Errorf("got\n%swant\n%s", tree, want)
		}
		if second := tree.Children[1]; !second.Silent || second.Flags != nil || second.State != supervision.Running {
			t.Errorf("%+v", second)
		}
		if text, err := json.Marshal(tree); err != nil || strings.Count(string(text), `"silent":true`) != 1 || strings.Contains(string(text), `"silent":false`) {
			t.Errorf("%s, %v", text, err)
		}
		resume()
		if tree, err = r.root.Tree(bg); err != nil || tree.Children[1].Silent || len(tree.Children[1].Children) != 1 {
			t.Errorf("after it: %v, %v", tree, err)
		}
	})
}

// TestTreeOfASilentRoot: the root is all there is to show.
func TestTreeOfASilentRoot(t *testing.T) {
	run(t, func(r *rig) {
		r.three()
		resume := r.pause(r.root.Ref())
		defer resume()
		tree, err := r.root.Tree(bg)
		if err != nil || tree.String() != "root (supervisor) doesn't answer\n" || !tree.Silent {
			t.Errorf("%v, %v", tree, err)
		}
	})
}

// TestTreeWithoutTime: a tree that ctx cuts short is an error, no tree with silent ones.
func TestTreeWithoutTime(t *testing.T) {
	run(t, func(r *rig) {
		resume := r.pause(r.three())
		defer resume()
		ctx, cancel := context.WithTimeout(bg, 300*time.Millisecond)
		defer cancel()
		if tree, err := r.root.Tree(ctx); !errors.Is(err, actors.ErrTimeout) {
			t.Errorf("%v, %v", tree, err)
		}
	})
}

// TestTreeOfAnEndedRoot is an error: there is nothing to show.
func TestTreeOfAnEndedRoot(t *testing.T) {
	run(t, func(r *rig) {
		r.three()
		if err := r.root.Stop(bg); err != nil {
			t.Fatal(err)
		}
		if tree, err := r.root.Tree(bg); !errors.Is(err, actors.ErrNoProc) {
			t.Errorf("%v, %v", tree, err)
		}
	})
}

// lateOne is a worker that takes until it is let go to initialise.
type lateOne struct{ until chan struct{} }

func (s *lateOne) Init(*actors.Context, any) error {
	<-s.until
	return nil
}

func (s *lateOne) Handle(*actors.Context, any) error { return nil }

// TestTreeThatStarts: a supervisor whose turn to start hasn't come isn't asked, which would be a dead letter.
func TestTreeThatStarts(t *testing.T) {
	run(t, func(r *rig) {
		r.three()
		until := make(chan struct{})
		spec := supervision.Sup(supervision.SupervisorSpec{ID: "late", Children: []supervision.ChildSpec{
			supervision.Actor("slow", actors.Spec{Kind: "slow", Blocking: true, New: func() actors.Behaviour { return &lateOne{until} }}, nil),
			supervision.Sup(supervision.SupervisorSpec{ID: "last", Children: []supervision.ChildSpec{r.worker("z")}}),
		}})
		done := make(chan error, 1)
		go func() {
			_, err := supervision.StartChild(bg, r.sys, r.root.Ref(), spec)
			done <- err
		}()
		synctest.Wait()
		tree, err := r.root.Tree(bg)
		if err != nil || len(tree.Children) != 4 {
			t.Fatalf("%v, %v", tree, err)
		}
		want := "late (supervisor) starting\n  slow (permanent) starting\n  last (supervisor) starting\n"
		if late := tree.Children[3]; late.String() != want {
			t.Errorf("got\n%swant\n%s", late, want)
		}
		if dead := r.sys.Snapshot().DeadLetters; len(dead) != 0 {
			t.Errorf("dead letters: %v", dead)
		}
		close(until)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
