// Package simcluster tests whole nodes together, in fake time: actors, their router, links and gossip over a simulated network
// (package simnet), real mailboxes and lanes over one store in memory. Only sessions are played: by actors of one node that send,
// attach, acknowledge and come back as sessions do, and write down what they hear. Accounts, the keeper of keys and
// certificates, and the drain of clients are not here: what faults do to them is tested with processes only (internal/misuse,
// internal/testcluster, benchmarks/cluster).
//
// A history is a fault, or several, under load, made of a seed. Afterwards nothing that was accepted may be lost, nothing may
// have been delivered out of its sender's order but in a partition, every node has to agree with every other, and nothing may be left
// waiting anywhere. Other histories have members of process groups come and go; afterwards every node has to see all of them.
//
//	make sim
//	go test ./internal/simcluster -run Histories -seeds 50 -timeout 1h
//	go test ./internal/simcluster -run Histories/crash -seed 17 -v
//	go test ./internal/simcluster -run Histories/crash -seeds 10 -users 40 -pace 60ms
//	go test ./internal/simcluster -run Interleavings -every
//	go test ./internal/simcluster -run Traffic -large -v
//
// A failure prints its seed, the end of the network's log of events (see package simnet), among them what the nodes logged, and the file
// that has all of it; go test keeps that file with -artifacts, as make does.
package simcluster
