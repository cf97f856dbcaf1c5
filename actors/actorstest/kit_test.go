package actorstest_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/actorstest"
	"github.com/jackdaw-im/jackdaw/supervision"
)

func TestStartCastAndCall(t *testing.T) {
	actorstest.Run(t, func(t *testing.T, k *actorstest.Kit) {
		k.Start(tallyChild("a"), tallyChild("b"))
		k.Cast(tallyRef("a"), add{3})
		k.Cast(tallyRef("a"), add{4})
		k.ExpectCall(tallyRef("a"), "sum?", sum{7})
		k.ExpectCall(tallyRef("b"), "sum?", actorstest.Match("is zero", func(s sum) bool { return s.N == 0 }))
		k.ExpectCall(tallyRef("b"), errOnPurpose, errOnPurpose)
		if v, err := k.Call(tallyRef("nobody"), "sum?"); v != nil || !errors.Is(err, actors.ErrNoProc) {
			t.Errorf("nobody answers %v, %v", v, err)
		}
		if want := "test (supervisor)\n  a (permanent)\n  b (permanent)\n"; k.Tree().String() != want {
			t.Errorf("the tree is\n%swant\n%s", k.Tree(), want)
		}
		if k.System().Node() != actorstest.DefaultNode {
			t.Errorf("the node is %s", k.System().Node())
		}
	})
}

func TestTimeIsFake(t *testing.T) {
	actorstest.Run(t, func(t *testing.T, k *actorstest.Kit) {
		k.Start(tallyChild("a"))
		p := k.Probe("p")
		k.Cast(tallyRef("a"), p.Ref())
		k.Cast(tallyRef("a"), wake{10 * time.Minute})
		p.ExpectNone(9 * time.Minute)
		k.Advance(time.Minute + time.Second)
		p.Expect(sum{})
	})
}

func TestSeveralTrees(t *testing.T) {
	actorstest.Run(t, func(t *testing.T, k *actorstest.Kit) {
		k.Start(tallyChild("a"))
		err := k.StartTree(supervision.SupervisorSpec{ID: "two", Children: []supervision.ChildSpec{supervision.Actor("c", tallySpec, errOnPurpose)}})
		if !errors.Is(err, errOnPurpose) {
			t.Fatalf("a child that can't start: %v", err)
		}
		if err = k.StartTree(supervision.SupervisorSpec{ID: "two", Children: []supervision.ChildSpec{tallyChild("c")}}); err != nil {
			t.Fatal(err)
		}
		if tree := k.Tree().String(); !strings.HasPrefix(tree, "two (") {
			t.Errorf("the last tree is\n%s", tree)
		}
		k.Cast(tallyRef("a"), add{1})
		k.ExpectCall(tallyRef("a"), "sum?", sum{1})
	})
}

func TestDeadLetters(t *testing.T) {
	actorstest.Run(t, func(t *testing.T, k *actorstest.Kit) {
		_ = k.System().Cast(tallyRef("nobody"), add{1})
		if dead := k.DeadLetters(); len(dead) != 1 || dead[0] != (actorstest.DeadLetter{To: tallyRef("nobody"), Msg: add{1}}) {
			t.Errorf("dead letters %v", dead)
		}
	})
}

// elsewhere takes what isn't for this node.
type elsewhere struct{ took []any }

func (e *elsewhere) Local(to actors.Ref) bool { return to.Node == "" }

func (e *elsewhere) Send(_ actors.Ref, sig actors.Signal) error {
	e.took = append(e.took, sig.Msg)
	return nil
}

func TestConfig(t *testing.T) {
	far := new(elsewhere)
	actorstest.Config{Node: "here@7", Workers: 1, Router: far, Intensity: -1}.Run(t, func(t *testing.T, k *actorstest.Kit) {
		k.Start(tallyChild("a"))
		k.Cast(actors.Ref{Kind: "tally", ID: "a", Node: "there@1"}, add{1})
		k.ExpectCall(tallyRef("a"), "sum?", sum{})
		if len(far.took) != 1 || k.System().Node() != "here@7" {
			t.Errorf("routed %v from %s", far.took, k.System().Node())
		}
		k.Cast(tallyRef("a"), errOnPurpose)
		k.ExpectGivenUp(actorstest.TreeID)
	})
}

func TestFailuresOfTheKit(t *testing.T) {
	fails(t, "a cast to nobody", `
actorstest: casting actorstest_test.add{N:1} to tally/a: actors: no such actor
  dead letters:
    to tally/a: actorstest_test.add{N:1}`, func(k *actorstest.Kit) { k.Cast(tallyRef("a"), add{1}) })
	fails(t, "another answer", `
actorstest: tally/a answers "sum?" with
    got: actorstest_test.sum{N:0}
   want: actorstest_test.sum{N:1}`, func(k *actorstest.Kit) {
		k.Start(tallyChild("a"))
		k.ExpectCall(tallyRef("a"), "sum?", sum{1})
	})
	fails(t, "an error for an answer", `
actorstest: tally/a answers *errors.errorString(on purpose) with the error on purpose
   want: actorstest_test.sum{N:1}`, func(k *actorstest.Kit) {
		k.Start(tallyChild("a"))
		k.ExpectCall(tallyRef("a"), errOnPurpose, sum{1})
	})
	fails(t, "another error", `
actorstest: tally/a answers *errors.errorString(on purpose) with the error on purpose
   want: actors: no answer in time`, func(k *actorstest.Kit) {
		k.Start(tallyChild("a"))
		k.ExpectCall(tallyRef("a"), errOnPurpose, actors.ErrTimeout)
	})
	fails(t, "a tree that doesn't start", `
actorstest: the tree doesn't start: supervision: test: child a can't be started: on purpose`, func(k *actorstest.Kit) {
		k.Start(supervision.Actor("a", tallySpec, errOnPurpose))
	})
	fails(t, "no tree", `
actorstest: no tree has been started`, func(k *actorstest.Kit) { k.Tree() })
	fails(t, "a kind that is real", `
actorstest: the probe tally/p can't be started: actors of kind "tally" are the real ones here`, func(k *actorstest.Kit) {
		k.Start(tallyChild("a"))
		k.ProbeAt(tallyRef("p"))
	})
	fails(t, "a name that is taken", `
actorstest: the probe probe/p can't be started: actors: that actor is there already: probe/p`, func(k *actorstest.Kit) {
		k.Probe("p")
		k.Probe("p")
	})
}
