// Scaleout measures what a cluster costs and what it takes to change it: real clusters of 1, 3 and 5 nodes on one machine, one after the
// other in each round, over a PostgreSQL that flushes as it does in production, under the same load. Run it with
//
//	go run ./benchmarks/scaleout                          # everything, in about four minutes
//	go run ./benchmarks/scaleout --only paced --rate 1000 # a part of it
//	go run ./benchmarks/scaleout --standby --rounds 5 --measure 10s
//
// A machine that carries all nodes, the database and the clients doesn't show how many messages a cluster takes: with more nodes they share the same
// cores. It shows what a message costs in processor time, which is what more nodes may not make worse.
//
// Users come in pairs of a sender and a recipient, and log in on nodes in turn, so that each combination of two nodes is as frequent as any
// other. The recipient's mailbox is where placement puts it. With n nodes, a message goes to another node with a share of 1-1/n on each
// of its two ways, from the sender's node to the mailbox's, and from there to the recipient's.
//
//	main.go     flags, rounds
//	visit.go    one cluster, from its start to its end
//	seats.go    who is where, and which messages go between nodes, pure
//	spent.go    processor time, bytes and counts between two moments
//	talk.go     pairs of users who send, paced or as fast as they may
//	load.go     the parts paced and full
//	crowd.go    the part crowd: memory, and idle connections
//	sweep.go    one message to everybody, until all are served
//	change.go   a node joins, leaves, is lost
//	report.go   medians over rounds, pure
//	table.go    how they are printed
package main
