// Package pg is process groups, as OTP's pg: actors join groups by name, and whoever wants to tell all members, or one of them,
// finds them here. Groups live in scopes that know nothing of each other; a group is there as long as it has members.
//
// Who sends to it: actors that join, leave and monitor (CastJoin, CastLeave, Monitor), goroutines (Join, Leave), and what carries updates
// between nodes (Receive, PeerUp, PeerDown). What it owns: who is in which group.
//
// Guarantees:
//   - An actor may join a group several times and has to leave it as often. It may be in any number of groups and scopes.
//   - What ends leaves all its groups, and so does what crashes: a membership is of one life. An actor joins in its Init, and so
//     again after a restart. One that starts on demand may be a member while it rests; it leaves when its next life ends. A join of
//     its own (CastJoin) that still waits here as its actor crashes counts until the next life joins or leaves, or ends; one by
//     somebody else counts for the next life.
//   - Readers (Members, Group, WhichGroups) make no call and wait for nobody. A group is read as it was at one moment; two groups may
//     be of two moments.
//   - Who monitors hears first of all there is and then of each change, in order, with nothing missing between. A watcher whose queue
//     is full misses changes, and is told all there is anew as soon as its queue takes it.
//   - Nodes see the same in the end, without a lock over all of them: each tells the others of its own members only, and who goes
//     down takes its members along. Meanwhile nodes may see different groups, and changes of two nodes in different order. Package
//     cluster carries it (Cluster.Share). The server itself has no scope: they are for who extends it.
//
// What a crash does: the table of the groups outlives the scope's actor. Readers go on; the next life monitors the members again,
// so that those that ended meanwhile leave, and tells watchers and nodes all there is anew. One that crashed and was started again
// meanwhile stays, as its Ref tells nothing of that: what it had joined itself goes as the new life joins or leaves by itself, what
// others have joined it to goes when that life ends. A scope that ends for good (its supervisor
// stops it) leaves nothing: who has joined may monitor Scope.Ref.
//
// Costs: a join, a leave and an end are independent of the size of the group but for a path of log32(n) copied nodes; Group and
// Snapshot.At need no more than that, Members is as long as the group.
package pg
