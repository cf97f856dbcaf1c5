// Package misuse has only tests: what people, other clusters and full disks do to a cluster of real processes. Each case ends in a clear
// error, of which the tests hold the words that a person reads, or in a state of which /readyz says what it is; and nothing that was
// acknowledged is lost, for which users talk meanwhile. TestOperations does what docs/OPERATIONS.md tells them to do: the commands that make a
// cluster, a server's move into one, a restoration of its databases, and how nodes are replaced and removed.
//
// A node of another version of the protocol, and one whose clock is wrong, are built with a file of package node changed. The clock is that which
// gossip compares, because a process can't be given another one than the machine's; what else reads a clock is tested where there is
// fake time (cluster/member, cluster/trust, internal/simcluster).
package misuse
