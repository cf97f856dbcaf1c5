// Package store says what a message store must do. It holds no code that stores anything: the engines are
// store/memstore (tests, examples), store/pebblestore (embedded, one node) and, for clusters, store/pgstore; the suite in
// store/storetest says, as tests, what this package says in words.
//
// An Engine is opened by its own package from a URL and gives access to its parts: Mail (the users' durable queues),
// Claims (which node owns which partitions; nothing to do for an embedded engine), GroupLog (messages of groups until
// every member has its copy) and the Directory (accounts, rosters, devices, groups).
//
// # Guarantees
//
//   - Durable on return. A write that returns nil survives kill -9 and, if the disk keeps its word about flushes, a loss
//     of power. Two exceptions are named where they stand: a Batch of acknowledgements only, and Devices.Seen.
//   - All or nothing. What one call writes for one user or group is written whole or not at all.
//   - Safe to resend. After an error the outcome is unknown unless the error is one of this package's; the same call may
//     then be made again, unchanged, until it has an answer. Nothing is stored twice.
//   - A mailbox is a set keyed by message id. Appending is "insert if absent": the first write wins. Two writers of one
//     mailbox therefore lose nothing; the union of what they wrote is the truth. Nothing fences mail; changes of the
//     directory are fenced by revision numbers.
//
// # Calling
//
// Writes take no context, because a commit is never cancelled: a caller that stopped waiting would not know what became
// of it. Reads take one. Every method may be called by several goroutines at once. In the server only lane actors call
// them (actors/lane), so that a domain actor never waits for a disk, and the command line does on a folder that no server
// uses. Engines keep nothing of the slices and structs they are given, and callers own what they are handed.
//
// # Ids
//
// User, device, group and contact ids are non-empty (a DeviceID may be empty), at most MaxID bytes long and hold no zero
// byte; anything else is answered with ErrInvalid before anything is written. Lanes call Validate on each item before
// they put it into a batch of many, so that one bad item can't spoil the others.
package store
