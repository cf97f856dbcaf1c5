// Package gateway is where clients connect: listeners, TLS, and the cutting of byte streams into stanzas. Each connection
// has one session actor; the gateway casts it what arrives and writes what it is given, and runs no user logic.
//
// Guarantees: stanzas reach the session in the order of the stream. A connection is not read while the session has not
// counted enough of what came before, so that a fast client is slowed by TCP and not buffered. A write never blocks the
// caller: what the system doesn't take at once waits in a bounded tail, and a client that doesn't read for too long loses
// its connection, not its messages.
//
// The layers, from the socket up:
//
//	server.go     listeners, admission, the life of all connections
//	starttls.go   the stream before TLS, answered here alone
//	hello.go      waiting for a client to begin its handshake
//	admission.go  how many handshakes compute at a time
//	transport.go  the interface between sockets and streams
//	portable.go   a transport with one parked goroutine per connection
//	drain.go      sending clients away before the node stops
//	tickets.go    the keys of TLS session tickets
//	socket.go     a socket whose writes never block
//	stream.go     bytes <-> stanzas <-> the session actor
package gateway
