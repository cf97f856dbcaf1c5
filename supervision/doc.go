// Package supervision is OTP's supervisors: child specs, the three strategies, restart intensity, ordered start and stop,
// and dynamic supervisors for many children of one shape.
//
// Guarantees:
//   - Children start in order, each once the one before it has initialised; they stop in reverse order, each with its own
//     timeout. A child that doesn't stop in time is abandoned, counted and named in the log, since a goroutine can't be
//     killed; what replaces it is another actor.
//   - Restart intensity is the supervisor's, not a child's: over it the supervisor ends with all its children, and its own
//     supervisor decides.
//   - A restart keeps the child's Ref and queue. OTP loses both.
//
// A supervisor is an actor itself and never waits: starting and stopping are plans whose steps it takes as its children
// report.
package supervision
