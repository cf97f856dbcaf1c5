// Package ident holds the typed nouns that every other package speaks in: users, devices, groups, nodes, messages and
// partitions. It has no behaviour beyond the two hashes that are part of the on-disk and on-wire formats and therefore
// never change: the partition hash and the message id.
package ident
