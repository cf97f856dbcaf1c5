// Package placement says which node owns which partition. It is pure: the same nodes give the same table on every node, in whatever
// order they are listed, without a word between them.
//
// The 4096 partitions are placed by weighted rendezvous hashing: each node draws a number for each partition, by a hash of its
// name and the partition's number, and the node whose number is smallest in relation to its weight owns it. So a node that comes
// takes its share from all others and leaves the rest where it is, a node that goes leaves its share to all others, and a changed
// weight moves only what the node gains or loses. Each node gets partitions in proportion to its weight, within a few per cent.
//
// The hash takes the node's name, not its incarnation: a node that restarts gets the same partitions back. The arithmetic is of
// integers, so that processors and compilers can't differ in a last bit. It is part of the protocol between nodes and never
// changes: nodes of two versions have to agree.
//
// [Pins] put single actors elsewhere than their partition says.
//
//	table := placement.Make([]placement.Node{{ID: "a@1", Weight: 100}, {ID: "b@7", Weight: 200}})
//	owner := table.Owner(ident.PartitionOf("mailbox", "anna@example.org"))
package placement
