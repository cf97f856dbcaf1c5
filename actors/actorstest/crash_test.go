package actorstest_test

import (
	"testing"

	"github.com/jackdaw-im/jackdaw/actors/actorstest"
	"github.com/jackdaw-im/jackdaw/supervision"
)

func TestRestartsAreSeen(t *testing.T) {
	actorstest.Run(t, func(t *testing.T, k *actorstest.Kit) {
		many := supervision.NewDynamic(k.System(), supervision.DynamicSpec{ID: "many", Partitions: 2, Entities: true, Child: tallySpec})
		temporary := tallyChild("c")
		temporary.Restart = supervision.Temporary
		k.Start(tallyChild("a"), supervision.Sup(supervision.SupervisorSpec{ID: "below", Children: []supervision.ChildSpec{tallyChild("b"), temporary}}), many.Child())
		for _, id := range []string{"a", "b", "b", "c", "d", "e", "e", "e"} {
			k.Cast(tallyRef(id), errOnPurpose)
		}
		k.ExpectRestarts(tallyRef("a"), 1, actorstest.TreeID)
		k.ExpectRestarts(tallyRef("b"), 2, "below")
		k.ExpectRestarts(tallyRef("c"), 0, "below")
		k.ExpectRestarts(tallyRef("d"), 1, "many")
		k.ExpectRestarts(tallyRef("e"), 3, "many")
		k.ExpectRestarts(tallyRef("f"), 0, "many")
		n := 0
		for _, c := range k.Crashes() {
			if c.Ref == tallyRef("c") {
				n++
				if c.Restarted || c.Reason != "crashed: on purpose" || c.Supervisor != "test.below" {
					t.Errorf("reported %v", c)
				}
			}
		}
		if n != 1 {
			t.Errorf("c has crashed %d times", n)
		}
	})
}

func TestGivingUpIsSeen(t *testing.T) {
	actorstest.Run(t, func(t *testing.T, k *actorstest.Kit) {
		k.Start(supervision.Sup(supervision.SupervisorSpec{ID: "below", Intensity: 1, Children: []supervision.ChildSpec{tallyChild("a")}}))
		k.Cast(tallyRef("a"), errOnPurpose)
		k.ExpectRestarts(tallyRef("a"), 1, "below")
		k.Cast(tallyRef("a"), errOnPurpose)
		k.ExpectGivenUp("below")
		k.ExpectCall(tallyRef("a"), "sum?", sum{}) // the supervisor above has started all anew
	})
}

func TestFailuresAboutCrashes(t *testing.T) {
	const report = `
  reports:
    after 0s: tally/a, child of test, crashed: on purpose on *errors.errorString: restarted`
	fails(t, "more restarts", `
actorstest: tally/a has been restarted 1 times, not 2`+report, func(k *actorstest.Kit) {
		k.Start(tallyChild("a"))
		k.Cast(tallyRef("a"), errOnPurpose)
		k.ExpectRestarts(tallyRef("a"), 2, actorstest.TreeID)
	})
	fails(t, "another supervisor", `
actorstest: tally/a is restarted by test, not by many`+report, func(k *actorstest.Kit) {
		k.Start(tallyChild("a"))
		k.Cast(tallyRef("a"), errOnPurpose)
		k.ExpectRestarts(tallyRef("a"), 1, "many")
	})
	fails(t, "no giving up", `
actorstest: the supervisor test has not given up`+report, func(k *actorstest.Kit) {
		k.Start(tallyChild("a"))
		k.Cast(tallyRef("a"), errOnPurpose)
		k.ExpectGivenUp(actorstest.TreeID)
	})
	fails(t, "giving up unexpectedly", `
actorstest: the tree test has ended by itself (shutdown): its supervisors could not mend a fault
  reports:
    after 0s: tally/a, child of test, crashed: on purpose on *errors.errorString: restarted
    after 0s: tally/a, child of test, crashed: on purpose on *errors.errorString: restarted
    after 0s: tally/a, child of test, crashed: on purpose on *errors.errorString: restarted
    after 0s: tally/a, child of test, crashed: on purpose on *errors.errorString: restarted
    after 0s: too many restarts; the supervisor ends: test`, func(k *actorstest.Kit) {
		k.Start(tallyChild("a"))
		for range 4 {
			k.Cast(tallyRef("a"), errOnPurpose)
		}
	})
}
