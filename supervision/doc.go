// Package supervision is OTP's supervisors: child specs, the three strategies, restart intensity, ordered start and stop,
// significant children, run-time operations, and dynamic supervisors for many children of one shape.
//
// Guarantees:
//   - Children start in order, each once the one before it has initialised; they stop in reverse order, each with its own
//     timeout. A child that doesn't stop in time is abandoned, counted and named in the log, since a goroutine can't be
//     killed; what replaces it is another actor.
//   - Restart intensity is the supervisor's, not a child's: over it the supervisor ends with all its children, and its own
//     supervisor decides. A restart that fails counts, and is tried again.
//   - A restart keeps the child's Ref and queue. OTP loses both.
//   - Nothing is left running below a supervisor that has ended, whatever has ended it: a fault of its own, a signal, or the
//     end of its time. What it leaves is ended, with its Terminate, before anything takes its place.
//   - A Backoff, which OTP lacks, delays restarts, so that what can't start for a while doesn't use up the intensity.
//
// A supervisor is an actor itself and never waits: starting and stopping are plans whose steps it takes as its children
// report. Its state is pure; the actor carries out effects. The tests go through OTP's documentation sentence by sentence.
package supervision
