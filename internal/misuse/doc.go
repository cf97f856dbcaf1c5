// Package misuse has only tests: what people, other clusters and full disks do to a cluster of real processes. Each case ends in a clear
// error, of which the tests hold the words that a person reads, or in a state of which /readyz says what it is; and nothing that was
// acknowledged is lost. TestOperations does what docs/OPERATIONS.md tells them to do: the commands that make a cluster, a server's move into
// one, and a restoration of its databases.
//
// Two things are left to cluster/member's tests, which have them in fake time: a clock that is wrong, because a process can't be given
// another one than the machine's, and a node that speaks another version of the protocol, because there is none to build.
package misuse
