// Crash shows that a server loses nothing it acknowledged. It puts a real server process under load, ends it with kill -9 at a random
// moment, starts it again, lets clients go on as clients do, and compares what arrived with what was acknowledged: by the server's
// <a h='..'/> of XEP-0198. Rounds follow each other on the same data. Run it with
//
//	go run ./benchmarks/crash
//
// With --power the process lives on, and what dies is the disk under its store: all that was not flushed is gone.
//
// In each round, senders talk to recipients of whom some are online, with stream management, and some are not. Every message carries
// an origin-id, except one of sixteen; a quarter has no stanza id, and half share the one stanza id m1. After the crash the senders
// log in anew and send again, with the same origin-ids, what they hold no acknowledgement for; then everybody logs in and drains; in
// every other round, on average, the server crashes once more meanwhile. A round fails if a message is acknowledged and lost, arrives
// with another origin-id, out of its sender's order, or is refused.
// A message without an origin-id isn't sent again: the server would take it for another.
//
//	talk.go   what a message looks like
//	world.go  the clients and what they tell the judge
//	round.go  load, kill, restart, drain
//	power.go  a server whose disk loses its power, behind proxy.go
//	main.go   flags and the table
package main
