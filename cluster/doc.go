// Package cluster makes the actors of several nodes one system: it knows which node has an actor, takes messages there, and moves actors as
// nodes come and go. It is the actors.Router of a node.
//
// Where an actor is. The kinds of Options.Placed are placed: partition = hash(kind, id), and a partition belongs to one of the nodes of the
// view, by weighted rendezvous (package placement). Every node computes the same from the same view; there is no leader, and no table to
// agree on. A Ref with a node is on that one; all else is on the node that asks.
//
// How a message gets there. Router.Local says that it is this node's: then it goes into the actor's queue as on a single node. Else it
// becomes an envelope on the link to the owner. A node that gets an envelope for what it doesn't own sends it on, a few times at most: views
// differ for a moment. What doesn't get there comes back: a cast as actors.Undelivered, a call with ErrNoConnection, a monitor as
// Down with NoConnection.
//
// How a partition moves, when the view changes:
//   - The old owner sends on what comes for it from now on, lets its actors retire (actors.Retirer), sends on what waited in their
//     queues, and then tells the new owner: released. Before that it waits, for half of Hold at most, until no node sends anything
//     for the partition by way of it any more: each tells the others by which of them it sends, in order with what it sends.
//   - A release that comes to a node which isn't the owner, as views reach nodes one after the other, is handed on.
//   - The new owner holds what comes, within bounds, until it is released, or the old owner is gone, or Hold is over. Then it claims
//     the partition in the store, and only then handles what it held. What the old owner had sent on, but didn't release, is
//     given back to its senders: it may have lost what came before.
//   - Whoever watches an actor of the partition hears NoConnection.
//
// The override table (SetPins) puts single actors elsewhere. Each of them moves as a partition of its own, when the table changes or a node
// of it comes or goes; only the new home asks, and every node it knows: each answers once it has no such actor, sees the same home, and
// no node sends anything for it by way of it any more, as above. What a pin puts here begins anew when another node may have had it meanwhile:
// the store tells the owner of the partition, which this isn't.
//
// Guarantees: messages of one sender to one Ref and by one link's class arrive in order, also when its partition or a pin moves, unless
// nodes are lost in that, hear of it before the next owner or after half of Hold, or are of a version that doesn't say by whom it sends. When two parts of a
// split cluster both own everything, two actors may answer to one Ref. Nothing may rely on there being one: mailboxes number their senders' messages (mailbox.Outbox) and are sets in the store; accounts change by revision.
//
// A node alone in its view is the owner of everything, and every message takes the path of a single node.
package cluster
