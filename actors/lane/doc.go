// Package lane is the way to the store: nobody else calls the engine.
//
// Mail lanes take appends, acknowledgements and reads of mailboxes as casts and answer them as messages. A lane gathers what
// queued up while it made its last commit, and commits that at once: a batch is as big as the load makes it. Only a small one
// waits a little for more, and acknowledgements alone wait for company. A mailbox always has the same lane, so what it asks for
// happens in the order in which it asked.
//
// Directory lanes run closures on accounts, rosters and devices, as calls of an account. A walker looks for expired rows at a
// slow pace and tells their mailboxes.
//
// Guarantees:
//   - An append is answered Committed only once it is durable, or once it was acknowledged before it could be written: then
//     the two of them vanish together.
//   - While the disk is nearly full each append is answered with Full, and acknowledgements and reads go on.
//   - After any other error of a commit, the same batch is committed again, unchanged, until the store says what became of it.
//   - A load sees everything that its mailbox asked for before.
//   - Over a lane's bound a cast is refused with actors.ErrOverloaded, and nothing of it has happened.
//
// A lane doesn't crash of the engine's faults. If it crashes nevertheless, what it had gathered is answered Lost, and so is
// what else the same mailboxes append, until they have loaded what there is.
package lane
