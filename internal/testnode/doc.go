// Package testnode runs real server processes for tests and benchmarks: it builds the binary once, starts it on free loopback
// ports and a data folder, adds users, measures memory and CPU, and ends it gently or with kill -9.
//
// A [Process] is any command; a [Node] is a Jackdaw server, with its data folder and its ports. Both can be started again after
// they ended, on the same ports and the same data: that is what a crash test needs.
//
//	node, err := testnode.New(testnode.Config{Data: dir})
//	if err == nil {
//		err = node.Import(ctx, testnode.Users("u", "localhost", 100, "secret"))
//	}
//	if err == nil {
//		err = node.Start(ctx)
//	}
//	defer node.Kill()
//
// Tests use [Run], which does this and prints the server's last output when the test fails. Everything a Process starts ends with
// Kill or Stop; both wait until the process is gone. A Process is for use by one goroutine at a time, except Usage, PID, Exited and
// Output, which may be called at any time.
package testnode
