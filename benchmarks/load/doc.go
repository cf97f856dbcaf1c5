// Package load drives servers with many XMPP connections from one process, for the benchmarks and the crash test.
//
// An [Accounts] says who logs in where; a [Fleet] keeps the connections and ends them together. The driver is a process apart from
// the server, so that the server's memory and CPU can be read from /proc by its process id ([Server]).
package load
