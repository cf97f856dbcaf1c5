// Package pebblestore is the embedded store of a single node: Pebble, a log-structured merge tree in a folder, with a
// write-ahead log that is flushed to the disk before an append is acknowledged.
//
// # Keys
//
// Each kind of entry has a range of its own. A zero byte ends an id inside a key (ids hold none), numbers are big-endian:
//
//	m|part mailbox 0 msgid    -> flags, ord, expiry, cseq, size, sender      a message without its body
//	b|part mailbox 0 msgid    -> body
//	k|mailbox 0 msgid device  -> nothing                                     an acknowledgement while others are missing
//	l|gid 0 msgid             -> state, rev, ord, expiry or done, sender, body   the log of a group
//	a|uid                     -> account
//	d|uid 0 device            -> device
//	r|uid 0                   -> the roster's revision;  r|uid 0 contact -> an item
//	x|uid 0 address           -> nothing                                     a block
//	g|gid                     -> group;  gm|gid 0 uid -> member;  ug|uid 0 gid -> nothing
//	s|schema                  -> the version of all this
//
// # Concurrency
//
// What a write reads before it writes (is the row there? which revision?) is guarded by locks: one per partition for mail,
// one for the directory, one for groups and their log, always taken in the order directory, groups, partitions ascending.
// They are held until the write is visible, not until it is flushed, so that the flushes of all callers share one.
// A duplicate is therefore answered only after a flush of its own: the first write may still be on its way to the disk.
//
// # Goroutines
//
//	what    | started by | stopped by | does
//	watch   | Open       | Close      | looks at the free space, keeps the ballast file, sweeps done group entries
//	Pebble's own (flush, compaction, log) | Open | Close |
//
// # A full disk
//
// Pebble ends the process when it can't write its log, so appends are refused before: see Options.StopBelow. If the disk
// fills up nevertheless, a ballast file is deleted to gain time, and in the end the process exits with ExitCode rather
// than hang.
package pebblestore
