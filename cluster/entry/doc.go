// Package entry lets a node into its cluster, and says when the cluster doesn't take it any more. Gossip alone can't tell: it has keys of its own, and a
// node that the others' links can't reach would own users whom nobody serves.
//
// An [Entry] makes the node active once another active one and it have accepted each other's certificates. Afterwards, while the node sees no other
// active one, it asks those that it saw last or in an earlier life: if each that answers doesn't accept it, the node was shut out, or was away
// while all keys were rotated. What those say who are revoked, or have older keys, doesn't count: of two nodes that don't accept each other at
// most one goes. Then it has to serve nobody, because it isn't a part of the cluster that its clients mean; it is taken back once it sees another
// that accepts it, or sees nobody and has been refused by nobody for a minute.
//
// Nobody can prove to be of this cluster by keys that this node doesn't have. So who has the address of a node of its past, and knows that
// one's name, if it is known here, can keep out nodes that see no active one, of which there is none after all were stopped: `jackdaw cluster` on them
// says whom they asked. The name of a revoked node doesn't do.
//
// Its goroutines run from Begin to End: one, and one for each node that is asked, for at most 5 s.
package entry
