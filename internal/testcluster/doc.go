// Package testcluster runs real clusters for tests and benchmarks: server processes of the built binary over PostgreSQL with
// standbys, each node on an address of its own, and the faults that may befall them.
//
// Where this process is root on Linux, [Private] gives it a network that is no other process's: a bridge, and a network namespace
// for each node. There [Cluster.Cut] drops what goes from one node to another, or to the database, one way or both, with nftables. The
// network ends with the processes in it; nothing of it stays. Elsewhere nodes have addresses of 127.0.0.0/8, and nothing can be cut.
//
//	c, err := testcluster.Start(ctx, testcluster.Config{Nodes: 3, Standbys: 2, Data: dir})
//	if err == nil {
//		defer c.Close()
//		c.Nodes[1].Kill() // as kill -9 does
//		err = c.Nodes[1].Start(ctx)
//	}
//
// A node keeps its name, address and data folder over restarts. Methods are for one goroutine at a time.
package testcluster
