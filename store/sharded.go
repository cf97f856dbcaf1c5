package store

import "github.com/jackdaw-im/jackdaw/ident"

// Sharded is the ability of an Engine to keep its partitions in several stores, each of which may be slow, or gone, while the
// others go on. Whoever works on several shards at a time, as the mail lanes do, gives each one of its own.
type Sharded interface {
	// Shards is how many there are, at least 1. It is constant while the engine is open.
	Shards() int
	// ShardOf says which of them, 0 to Shards()-1, has the mailboxes of a partition. It is constant as well.
	ShardOf(p ident.Partition) int
}
