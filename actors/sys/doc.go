// Package sys is OTP's sys for every live actor: its status, its state, another state in its place, suspend and resume, and a
// trace of its next messages. It works on any behaviour, with nothing of the behaviour's own.
//
// Whatever it does, it does on the actor's own turn, between two messages, also while the actor is suspended or waits for its
// supervisor after a crash; it goes ahead of what waits in the actor's queue. So it never sees a state in the middle of a change, and never races with a handler. An actor whose
// handler doesn't return has no turn to give: Status then says what can be seen from outside, and all others return
// actors.ErrTimeout. What has returned that has not happened, and doesn't happen later.
//
// No function here returns, logs or traces what users wrote. A state is shown as its behaviour's FormatStatus gives it, which
// holds numbers and flags; without one Describe shows types and sizes. A trace shows the types of messages.
//
// Each use is logged with the name of who asked for it, what, and of which actor.
//
//	report, err := sys.Status(ctx, system, ref, "an operator")
//
//	err = sys.ReplaceState(ctx, system, ref, "an operator", func(b actors.Behaviour) (actors.Behaviour, error) {
//		b.(*counter).n = 0
//		return b, nil
//	})
//
// It differs from OTP in what GetState returns (there the state itself; ReadState lends it out here), and in that a state has a
// form for outsiders in both directions: FormatStatus to look at it, StateReplacer to give another.
package sys
