// Package member says which nodes there are and in which state: hashicorp's memberlist finds out who is alive, this package makes
// views of it that placement and links can build on.
//
// A node is known to memberlist by its incarnation, name@number, so that a restarted node is another member at once. What it is
// like travels in the meta of its alive message: the address of its carriage, versions, state, weight. What changes more often
// (the id of its view, its clock) travels in the exchange of whole states and by broadcasts.
//
// A [View] lists all members; those placed are active, not rejected. A member that is lost by gossip stays placed for a time of
// grace, which is longer for one that flaps, and a member that leaves goes at once. All nodes that hear the same make the same view,
// which has an id: [Membership.Agreement] says which views the others have.
//
// A node decides by itself whether it has to stay out, and tells the others why; so they can't differ about it. It stays joining while
//   - it has seeds to join and has met nobody yet,
//   - another node has its name,
//   - it and the others don't understand each other's protocol,
//   - its part of the configuration that has to be equal everywhere isn't (the addresses of the stores),
//   - its clock is more than five seconds off the others'.
//
// After a cut that lasted longer than the dead are remembered, two halves of a cluster don't find each other by themselves. So seeds and
// members of the past are joined again for ever, from time to time.
//
// Goroutines of a Membership, beside memberlist's:
//
//	what     started by  ends by       owns                            fed by
//	run      Start       Close         the state                       memberlist's delegates (never blocked), setters, a ticker
//	errands  Start       Close, 10 s   joins, pings, Remember          run, its own timer
//	notify   Start       Close         the calls of OnView, OnConflict run
package member
