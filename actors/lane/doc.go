// Package lane is the way to the store: nobody else calls the engine.
//
// Mail lanes take appends, acknowledgements and reads of mailboxes as casts and answer them as messages. A lane gathers what
// queued up while it made its last commit, and commits that at once: a batch is as big as the load makes it. Only a small one
// waits a little for more, and acknowledgements alone wait for company. A mailbox always has the same lane, so what it asks for
// happens in the order in which it asked.
//
// Directory lanes run closures on accounts, rosters and devices, as calls of an account. A walker looks for expired rows of this
// node's partitions at a slow pace and tells their mailboxes.
//
// Over a store that several nodes share there is more to do. Partitions are claimed (Lanes.Claim), and a commit to one that is
// somebody else's is told to Options.Stale; its rows stand. Every second the notices are read that other nodes leave when they
// append to a mailbox of this one, as both halves of a parted cluster do: the mailbox loads its rows again, and only then the
// notice is removed.
//
// Guarantees:
//   - An append is answered Committed only once it is durable, or once it was acknowledged before it could be written: then
//     the two of them vanish together.
//   - While the disk is nearly full each append is answered with Full, and acknowledgements and reads go on.
//   - After any other error of a commit, the same batch is committed again, unchanged, until the store says what became of it. Only
//     what a mailbox has asked for that had to leave this node meanwhile (Abandon) is taken out.
//   - A lane talks to one shard of the store. A shard that hangs holds up its own lanes, until their queues are full, and nothing
//     else.
//   - A load sees everything that its mailbox asked for before.
//   - Over a lane's bound a cast is refused with actors.ErrOverloaded, and nothing of it has happened.
//
// A lane doesn't crash of the engine's faults. If it crashes nevertheless, what it had gathered is answered Lost, and so is
// what else the same mailboxes append, until they have loaded what there is.
package lane
