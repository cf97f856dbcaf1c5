// Package backup copies a server's data folder away and back: the embedded store, and the files beside it (certificate, secret,
// what the nodes of a cluster share).
//
// A backup is a folder. Its manifest, which is written last, lists every file with its size and hash: a folder without one is no
// backup, and one whose files differ from it is refused. The store in it is a checkpoint: of a running server it holds all that
// was acknowledged when it was made.
//
// What was delivered after the backup was made is in it all the same. So a restored store's messages are marked
// (store.FlagRestored), and are delivered once more, under the ids they had. Streams can't be resumed over a restoration, because
// no server's sessions outlive its process: clients begin new ones.
//
// Of a server whose store is in PostgreSQL, a backup holds the files only. The databases are backed up with their own tools;
// docs/OPERATIONS.md says how, and package transfer mends what then doesn't fit together.
package backup
