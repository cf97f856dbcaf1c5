// Package transfer reads stores as a whole: it checks that what is there makes sense, copies it into another engine, and
// mends what no longer fits together after a backup was restored. It is for the command line, on stores that no server
// uses; only Check may run beside servers.
//
// It works with any engine that is a store.Walker, and copies into any that is a store.Loader, page by page, so that memory
// stays bounded, but for a hash of each user and group.
//
// # Digest
//
// What a store holds is told by one count and one sum per part. The sum adds a hash of each entry, of all its fields, and
// so does not depend on the order in which an engine keeps them: two stores with the same sums hold the same. Entries of groups' logs that are done aren't in it: they are on
// their way out.
package transfer
