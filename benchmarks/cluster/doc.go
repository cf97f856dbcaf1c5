// Cluster shows what clusters promise: it puts real ones under load, each three or four node processes over PostgreSQL, which has a
// synchronous standby and flushes before it commits (with --short it does neither), lets one fault after the other befall them, and compares what arrived with what was acknowledged by XEP-0198. Run it with
//
//	go run ./benchmarks/cluster                    # everything, five times with different seeds
//	go run ./benchmarks/cluster --only kill,flap   # some of it
//	go run ./benchmarks/cluster --demo             # a cluster to try things with
//
// As root on Linux, the nodes have network namespaces in a private network, so that it can be cut; without that, the faults of the network
// are left out, said to be, and the run fails.
//
// Users are spread over all nodes. Each sends to others at a fixed pace, every message with an origin-id. Users who lose their connection,
// or wait too long for an acknowledgement, go to another node: there they resume their stream, or if that fails, send again
// what may be lost. What is refused as "outcome unknown" is sent again, with the same id. Some users log in only at the end.
//
// In each round nothing that was acknowledged may be lost, arrive with another origin-id, or be refused later; nothing may remain without
// acknowledgement; and what a user sends to another arrives in order, but for what is on its way while the cluster is parted. The longest wait in the
// table is that of a message from when its user wanted it sent until it was acknowledged: so long was somebody without service. Its arrival
// with a recipient who is online may take longer, if the two are parted.
//
//	world.go    all users, and what they tell the judge
//	user.go     one user, whose client is a talk.Device
//	faults.go   what befalls the cluster
//	round.go    a cluster, load, a fault, and the end
//	result.go   the table
package main
