// Package mixed holds versions to what a rolling upgrade needs: that nodes of the oldest version which can form a cluster and of this one
// are one cluster, in which nothing acknowledged is lost, and in which neither version needs to know which the other is. Versions before that
// one can begin a cluster, but nothing in them lets a second node in; the commit and the reason stand at oldest.
//
// Its test builds the server of an older commit out of the clone's history, which therefore must be there, and replaces node by
// node, there and back, while a crowd talks; users of nodes of different versions do in both directions what takes more than one node.
// Beside that it compares what both versions say of their messages (proto/nodepb and those that travel or are stored inside them): fields may
// be added, and nothing else.
package mixed
