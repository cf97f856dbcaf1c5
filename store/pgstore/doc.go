// Package pgstore is the shared store of a cluster: PostgreSQL, from version 14 on, with synchronous standbys. The mail is spread over
// a list of databases, the shards; accounts, groups and the logs of groups are in one more, the directory, which may be the same as a shard.
//
// # What a commit promises
//
// An append is acknowledged once the server has it on its disk and a synchronous standby on its own. The engine makes sure that this
// is so, because PostgreSQL can be made to say "committed" when it isn't:
//
//   - A backend whose wait for its standby is cancelled returns success and a WARNING. So any warning makes the outcome unknown, and
//     the engine never sends a cancel request: no context with a deadline reaches a commit, and pgx's own request at the end of a broken
//     connection is refused. A commit that takes too long (Options.Stuck) is abandoned by closing its socket.
//   - The repetition of such a commit inserts nothing, would write no log and so not wait for a standby. So every batch with appends
//     writes a log message and its mark, and waits for these.
//   - Servers without synchronous_standby_names, or whose standbys are gone, are asked for every Options.Check, and again after each
//     commit: appends and changes are refused (ErrUnreplicated), acknowledgements and reads go on. See Options.AllowUnreplicated.
//
// # Which server it is
//
// After a failure another server answers at the same address. Each new connection is asked for its system identifier and timeline; a
// connection to an older timeline than the newest seen is closed, so an old primary that returns is not used. A promoted standby must
// have the node's marks: each batch with appends and each change of the directory writes (node, slot, number) into its database, the node
// remembers the numbers that were acknowledged, and refuses a server that has lower ones (ErrLagging), because it lacks what was acknowledged.
//
// The log of a database is one stream: a server that has a mark has all that anybody was promised before. So a node also leaves a mark
// in each database as it opens the store, and again whenever it has written nothing there for Options.Idle. Such a mark is a write like any
// other: none is left while the database takes no appends, and it counts only once it is acknowledged, for what can be seen in a database,
// after a crash for instance, may be on no standby. While Options.AllowUnreplicated has writes acknowledged without one, none is left: nobody is
// promised that another server has anything.
//
// So a node finds any loss of what *it* was promised in its life and, with Options.Memory, before; and any loss of what *others* were
// promised up to its last mark, which, while it runs and the database is there and replicated, began Options.Idle and the time of a commit
// ago. Not found, except by the nodes to whom it was promised, is a loss of only what is younger: these refuse the server, and the others
// use it. A server that is refused may lack no more than marks.
//
// # What the directory promises
//
// Reads and changes of one account, by any nodes, are linearizable, also over the loss of the primary: each appears to happen at one moment
// between its call and its return. A change whose outcome is unknown may happen later, once, or never. While nothing is replicated, reads go
// on and may show such a change, which is lost if that server is lost too.
//
// # Sharding
//
// The directory holds the list of shards and the table that says which of the 4096 partitions is in which shard; each shard knows
// which one it is. All nodes must be given the same list: one that differs is refused, both named.
//
// # Claims and twins
//
// Two nodes may believe that they own one mailbox. Both write, and what they write is united, because a mailbox is a set. The one who
// doesn't own the partition leaves a notice in the same transaction, by which the owner learns to load the mailbox again. Claims take
// a shard's advisory lock, batches share it, so no batch sees half a claim.
//
// # What it needs
//
// Databases that the user of the URL owns, and for that user pg_monitor, to see their replication. Each node opens up to Options.Conns
// connections to each database, and two more: max_connections must leave room for all nodes. Connections are to the server itself, not
// through a pooler that shares them between transactions, because statements are prepared and settings made for a session.
// synchronous_standby_names should name two standbys, of which any one suffices: ANY 1 (a, b). A URL lists all their hosts, so that
// whichever was promoted is found; which one is promoted is the operator's choice, and must be the one that is furthest.
//
// # Goroutines
//
//	what           | started by | stopped by | does
//	watch          | Open       | Close      | per database: asks it who and how it is, follows the claims; the directory's also writes the memory file
//	marks          | Open       | Close      | per database: leaves a mark if the node writes nothing. It may wait for a standby, the watch never does.
//	               |            |            | Close ends that by closing the connection, from one more goroutine
//	sweep          | Open       | Close      | forgets done entries of groups' logs, once a minute
//	a shard's part | Commit     | itself     | one per shard, of a batch that is for several
//	pgxpool's own  | Open       | Close      | opens and closes connections
//	a timer        | a write    | the write  | closes the connection of a write that is stuck
package pgstore
