// Package mailbox is one user's durable queue as an actor, and the sender's half of the protocol that fills it (Outbox).
//
// Sessions, and other mailboxes, cast it Deliver and hear Outcome; the user's own sessions attach to it, get rows by Push and
// return Ack; the user's account tells it what changed. It owns the order of the queue, the quotas, the sessions' credit and
// what is on its way to them. The rows themselves are the store's, which it reaches through its lane (package lane) only.
//
// Guarantees:
//   - OK is answered once the message is durable, or acknowledged by the recipient's device before it could be. The room in
//     the lane is taken first; without it the sender is told to try later and nobody sees anything.
//   - Messages of one sender are taken in the order of their numbers. What was refused, bounced or lost holds back what
//     follows it, until the sender has sent it again or given it up.
//   - A message is taken once by its id, while it is a row and for five minutes after (up to 1,024 ids).
//   - Delivery follows RFC 6121 section 8.5. What is for the bare address goes to all sessions of the highest priority, also to those
//     that come before it is acknowledged: one that has it may be lost, and nothing is to come to another late. The first
//     acknowledgement deletes the row. What is for a resource goes to that while it is there.
//   - When a session ends or loses its socket, what it had and not acknowledged goes to the others, in order, or waits.
//
// In a cluster a mailbox moves with its partition. It leaves its node once everything that it has taken has its outcome (Retire);
// what has come since goes on to the next owner, which loads the rows from the store that both share. While a cluster is parted
// both halves may have the mailbox: it is a set of ids, so each takes up what the other has stored (lane.Reload), and what comes
// twice has the same id. A mailbox whose node was given up by others reads its rows again before it takes what comes from
// them (Config.GivenUp). A session on another node may have no room for a push: that one and all after it come again, in order.
//
// Bodies are in memory only for sessions: those that a session's credit allows, and for a minute or two a page of those that came or went while
// none was there, so that one that comes back at once costs the store nothing. The node's mailboxes share Config.Held for that.
//
// Who the user is it hears from the store with its rows, if the directory is in the same database, else from the account; or from the
// directory, if that doesn't answer.
//
// A crash loses nothing: the senders keep every message until its outcome, the rows are read again, sessions attach again.
// The message that it crashed on is answered with OUTCOME_UNKNOWN, which an Outbox takes as a reason to try once more.
//
// It is a pure state (state.go and the files beside it) in a thin actor. It is started by its first message and passivated
// when it is idle.
package mailbox
