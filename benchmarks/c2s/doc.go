// C2s measures what clients cost a server, on real sockets with TLS 1.3: memory of an idle connection, CPU of a login and of a
// message, latency, and the offline queue. Run all of it, or a part, on a server of its own with
//
//	go run ./benchmarks/c2s
//	go run ./benchmarks/c2s --only idle,login
//
// and on any other server, whose users must exist (--print-users prints them), with
//
//	go run ./benchmarks/c2s --server 127.0.0.1:5223 --pid $(pidof prosody)
//
// Only the server's CPU counts: user and system time of its process. The load comes from this process, so the rates are those of a
// machine that carries both, and the CPU for each message is the figure to compare, at equal load, in one run on one machine.
//
//	main.go     flags, order
//	setup.go    the server under load
//	idle.go     memory of idle connections
//	login.go    CPU of logins
//	flow.go     the window of a closed loop, pure
//	closed.go   1:1 messages in a closed loop
//	paced.go    1:1 messages at a given rate: latency
//	offline.go  storing for who is offline, and draining
//	result.go   the table, with the bars
package main
