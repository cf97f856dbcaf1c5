// Package simcluster tests whole nodes together, in fake time: actors, their router, links and gossip over a simulated network
// (package simnet), real mailboxes, accounts, sessions and lanes over one store in memory.
//
// In the histories of TestKeys, and with -keys in all, nodes also have a bundle of keys and certificates in a file, with its keeper, server and
// entry, wired as package node does it, and join by tokens over the simulated network. A frame passes if a real TLS handshake with what both
// ends have at that moment succeeds, in memory and once for each pair of nodes and bundles.
//
// A history is a fault, or several, under load, made of a seed. Afterwards nothing that was accepted may be lost, nothing may
// have been delivered out of its sender's order but in a partition, every node has to agree with every other, and nothing may be left
// waiting anywhere. In TestHistories sessions are played, by actors of one node that send, attach, acknowledge and come back as sessions
// do, and know what each of their messages came to. In TestSessions users have devices: XMPP clients, some users two, on connections
// without TLS, that count stanzas (XEP-0198), resume their streams where they can, also elsewhere, and see each other's presence. That, too, must not go
// back, and afterwards be as it is; requests are answered as long as nobody is lost, and what a node is emptied of before it ends goes on elsewhere.
// Other histories have members of process groups come and go; afterwards every node has to see all of them.
//
//	make sim
//	go test ./internal/simcluster -run Histories -seeds 50 -timeout 1h
//	go test ./internal/simcluster -run Histories/crash -seed 17 -v
//	go test ./internal/simcluster -run Histories/crash -seeds 10 -users 40 -pace 60ms
//	go test ./internal/simcluster -run Sessions -seeds 10
//	go test ./internal/simcluster -run Keys/rotate -seeds 20
//	go test ./internal/simcluster -run Interleavings -every
//	go test ./internal/simcluster -run Traffic -large -v
//
// A failure prints its seed, the end of the network's log of events (see package simnet), among them what the nodes logged, and the file
// that has all of it; go test keeps that file with -artifacts, as make does. Seeds begin with 1, if -seed doesn't say otherwise; only
// TestHandoffInterleavings draws one for each run.
package simcluster
