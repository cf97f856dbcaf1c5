// Package trust is what the nodes of one cluster know and nobody else: the bundle of keys, certificates and addresses of stores, how
// it changes without a restart, how a new node gets it, and the TLS between nodes that rests on it.
//
// A [Bundle] is an immutable value with a version. Every change is a function from one bundle to the next, and the steps of a
// rotation (a new key is installed, then used, then the old one is removed) are separate versions, so that two nodes one step apart
// always understand each other. [Bundle.Due] says when the next step may follow: when all members have come to the last. Of two
// bundles the higher version wins; of two that came from one the same winner is found everywhere, revocations of both hold, and the
// loss of the other's changes is said ([Merge]). For members that are lost and had not the last step, and may only be cut off, a step waits
// [AwayPatience], but for a revocation.
//
// [Live] holds a node's bundle, keeps it in a file that only its user can read, and makes the node's own certificates from it;
// [Keeper] brings newer bundles from other nodes and takes the steps that are due. [Server] lets nodes join with a [Token] and gives
// bundles to members; [Join], [Live.Fetch] and [Live.Push] are its clients.
//
// Guarantees: no secret is printed or logged: all types that hold one print a mask, also inside other values, in JSON and in logs.
// Nothing that comes from the network makes this package panic, wait for ever or hold more than a bounded amount of memory. A
// revoked name is refused in every handshake from the moment a node has the bundle that revokes it; what [Live.Admit] says then, and of authorities
// that were dropped, whoever holds connections asks.
//
// Every node has all keys, so revoking one that was taken over by an enemy is a race: until the last member has the new keys the
// enemy could make itself a certificate of another name. Therefore bundles are given only to certificates of an authority that the
// revoked node doesn't know, the new bundle is pushed to the members instead, and the steps follow each other within seconds. A
// node that was away meanwhile needs a new token.
//
// The files:
//
//	secret.go    what is never printed
//	bundle.go    the bundle, its limits, its print
//	encode.go    its bytes in files and on the wire
//	change.go    every change and rotation
//	merge.go     which of two bundles holds
//	authority.go the cluster's authorities and the certificates of nodes
//	token.go     join tokens
//	file.go      the bundle's file
//	manual.go    certificates made by hand, as a node reads them
//	hand.go      and as they are made
//	live.go      the current bundle
//	tls.go       TLS between nodes
//	admit.go     who may stay connected
//	wire.go      messages of joining and of fetching
//	server.go    their server
//	limit.go     how often one address may try
//	client.go    their clients
//	keeper.go    what happens by itself
package trust
