// Package actorstest is the kit for testing behaviours: it runs a system of actors, with supervisors if wanted, inside a bubble of
// testing/synctest, where time is fake and a test knows when everything has come to rest.
//
//	func TestPoll(t *testing.T) {
//		actorstest.Run(t, func(t *testing.T, k *actorstest.Kit) {
//			k.Start(poll.Spec())                  // supervised, and initialised once Start returns
//			alice := k.Probe("alice")             // an actor that notes what it gets
//			k.Cast(poll.Ref(), poll.Vote{By: alice.Ref()})
//			alice.Expect(poll.Counted{Votes: 1})  // the next message, once all is at rest
//			k.Advance(time.Hour)                  // at once
//			alice.Expect(poll.Closed{})
//			k.CrashNext(poll.Ref(), errors.New("on purpose"))
//			k.Cast(poll.Ref(), poll.Vote{By: alice.Ref()})
//			k.ExpectRestarts(poll.Ref(), 1, "test")
//			alice.ExpectNone(time.Minute)
//		})
//	}
//
// A [Probe] stands for whoever a behaviour speaks to: it can have any Ref, take the place of a mailbox or a session, answer calls,
// cast, call, monitor, and be awaited. A failed expectation prints everything that the probe has got, and what supervisors have
// reported.
//
// At the end of the test the kit stops the tree in its order and fails the test if a child didn't stop, if an actor or a goroutine is
// left, if a supervisor has given up unexpectedly, or if actors call each other in a circle, though nobody had to wait this time.
//
// The kit is for use by the test's own goroutine. What a test shares with the behaviours it runs it reads after Wait, or any of the
// kit's functions that wait: all Expect functions, Advance and Call do.
package actorstest
