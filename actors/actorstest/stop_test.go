package actorstest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/actorstest"
	"github.com/jackdaw-im/jackdaw/supervision"
)

// leaver is an owner that never ends what has crashed.
type leaver struct{}

func (leaver) Exited(*actors.Child, actors.Reason) {}

func TestWhatIsLeft(t *testing.T) {
	fails(t, "an actor", `
actorstest: actors are left once the tree has stopped: tally/b`, func(k *actorstest.Kit) {
		k.Start(tallyChild("a"))
		if _, err := k.System().Spawn(tallySpec, tallyRef("b"), nil, leaver{}); err != nil {
			panic(err)
		}
	})
	out := failuresOf(t, actorstest.Config{}, func(k *actorstest.Kit) {
		end := make(chan struct{})
		go func() { <-end }()
		time.AfterFunc(2*actorstest.StopTime, func() { close(end) })
	})
	for _, want := range []string{"actorstest: a goroutine is left:\n    goroutine ", "TestWhatIsLeft", "stop_test.go"} {
		if !strings.Contains(out, want) || strings.Count(out, "is left") != 1 {
			t.Errorf("a goroutine that is left: the failure has no %q:\n%s", want, out)
		}
	}
}

func TestAHandlerThatHangs(t *testing.T) {
	out := failuresOf(t, actorstest.Config{}, func(k *actorstest.Kit) {
		hung := tallyChild("a")
		hung.Shutdown = time.Second
		end := make(chan struct{})
		time.AfterFunc(2*actorstest.StopTime, func() { close(end) })
		k.Start(hung)
		k.Cast(tallyRef("a"), stay{end})
	})
	for _, want := range []string{"handlers that don't return are left behind: [tally/a]", "a child did not stop in time", "a goroutine is left", "actorstest_test.(*tally).Handle"} {
		if !strings.Contains(out, want) {
			t.Errorf("a handler that hangs: the failure has no %q:\n%s", want, out)
		}
	}
}

// TestStopsEvenSo: whatever the test does, nothing of it is left for the next.
func TestStopsEvenSo(t *testing.T) {
	out := failuresOf(t, actorstest.Config{}, func(k *actorstest.Kit) {
		many := supervision.NewDynamic(k.System(), supervision.DynamicSpec{ID: "many", Partitions: 2, Entities: true, Child: tallySpec})
		k.Start(tallyChild("a"), many.Child())
		k.Probe("p").Monitor(tallyRef("b"))
		k.Cast(tallyRef("b"), wake{time.Hour})
		k.Cast(tallyRef("nobody at all"), wake{time.Hour})
		k.Probe("q").Expect("what never comes")
	})
	if !strings.HasPrefix(out, "actorstest: probe/q: nothing more has come") || strings.Contains(out, "left") {
		t.Errorf("failed with %s", out)
	}
}

func TestOneKitAfterTheOther(t *testing.T) {
	actorstest.Run(t, func(t *testing.T, k *actorstest.Kit) {
		k.Start(tallyChild("a"))
		k.Stop()
		if err := k.System().Cast(tallyRef("a"), add{1}); err == nil {
			t.Error("it runs on")
		}
		next := actorstest.New(t, actorstest.Config{})
		next.Start(tallyChild("a"))
		next.ExpectCall(tallyRef("a"), "sum?", sum{})
	})
}
