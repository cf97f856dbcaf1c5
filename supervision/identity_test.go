package supervision

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/jackdaw-im/jackdaw/actors"
)

// idle is a worker that crashes on every message.
type idle struct{}

func (idle) Init(*actors.Context, any) error   { return nil }
func (idle) Handle(*actors.Context, any) error { return errors.New("on purpose") }

// TestExitOfOneLeftBehind: what comes late from an actor that the supervisor has replaced says nothing about the one that has the
// name now; and nothing is heard twice.
func TestExitOfOneLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sys := actors.NewSystem(actors.Config{Workers: 2})
		if err := sys.Start(); err != nil {
			t.Fatal(err)
		}
		worker := func(id string) ChildSpec {
			return Actor(id, actors.Spec{Kind: "idle", New: func() actors.Behaviour { return idle{} }}, nil)
		}
		s := &supervisor{}
		top := Sup(SupervisorSpec{ID: "sup", Strategy: OneForAll, Children: []ChildSpec{worker("a"), worker("b")}})
		top.Spec = actors.Spec{Kind: "watched supervisor", New: func() actors.Behaviour { return s }}
		root, err := StartRoot(sys, SupervisorSpec{ID: "root", Children: []ChildSpec{top}})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		b := s.st.kids[1]
		old := b.life
		_ = sys.Cast(actors.Ref{Kind: "idle", ID: "a"}, "crash") // b is replaced
		synctest.Wait()
		if b.life == old || *b.life.child == *old.child || b.phase != running || b.restarts != 0 || s.st.kids[0].restarts != 1 {
			t.Fatalf("%+v is not what follows a sibling's crash", b)
		}
		now := b.life
		sup := actors.Ref{Kind: "watched supervisor", ID: "root.sup"}
		for _, late := range []any{
			childExited{old, actors.Shutdown}, childExited{old, actors.Crashed(errors.New("late"))}, stopTimeout{old}, stopTimeout{now}, childStarted{old},
		} {
			if err := sys.Answer(sup, late); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if b.life != now || b.phase != running || b.restarts != 0 || len(s.st.plan) != 0 {
				t.Errorf("after %T: %+v", late, b)
			}
		}
		if err := sys.Cast(now.child.Ref(), "crash"); err != nil {
			t.Errorf("it is not there: %v", err)
		}
		synctest.Wait()
		if b.restarts != 1 || b.phase != running {
			t.Errorf("after a crash of its own: %+v", b)
		}
		if err := root.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		if err := sys.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// TestWords are those of OTP.
func TestWords(t *testing.T) {
	for got, want := range map[string]string{
		Permanent.String(): "permanent", Transient.String(): "transient", Temporary.String(): "temporary",
		OneForOne.String(): "one_for_one", OneForAll.String(): "one_for_all", RestForOne.String(): "rest_for_one",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	fault := errors.New("no disk")
	err := error(&StartError{"sup", "a", &StartError{"below", "b", fault}})
	if !errors.Is(err, fault) || err.Error() != "supervision: sup: child a can't be started: supervision: below: child b can't be started: no disk" {
		t.Errorf("got %v", err)
	}
}
