// Package carrier brings the frames of links (package link) to other nodes, over protoactor-go's remote: gRPC streams with mutual TLS.
//
// A [Carrier] promises little, because links mend the rest: a frame arrives whole or not at all, at most once by the carrier's own
// doing, and from whom it says. Frames for one node go out in the order of their Send. After an error of Send, a broken connection or a silence
// a frame may be lost. Send never waits: what a node has not taken yet is bounded by [PendingFrames] and [PendingBytes], and beyond that
// Send says [ErrBusy]. A node that can't be reached is dialled again by the next Send after a pause, which grows from
// 0.1 to 5 seconds and ends when the node connects itself; Sends meanwhile are refused with [ErrUnreachable].
//
//	c, err := carrier.New(carrier.Options{Self: self, Bind: "10.0.0.1:7951", ServerTLS: server, ClientTLS: client, Receive: links.Receive})
//
// # What guards remote
//
// remote trusts whoever connects, and several things that a peer or a network does to it end the process or leave it deaf. So each of its streams
// runs through an interceptor of ours (incoming.go, outgoing.go), and it never sees anything but frames that are right:
//
//   - Who speaks is known from the certificate (handshake.go). Frames that name another sender end the stream. So does everything but one greeting
//     and batches of [nodepb.Frame] for one of the three routers: no other type (remote dereferences nil for a type it doesn't know), no other
//     serializer, no index out of range, no system messages, no other actors, no forwarding to third nodes.
//   - A frame for another incarnation than this is answered with Refused on the same stream, and goes no further.
//   - A panic in a stream ends that stream. remote's unary methods, which panic, are refused.
//   - remote sleeps, forgets connections and logs errors when dialling fails, and dials without end if a connection is lost in the moment when it is
//     announced. Here dialling never fails for it: it gets a stream that greets and ends, once the announcement is over.
//   - A stream that a peer ends in order leaves remote with an endpoint that takes messages for ever and sends none; a disconnect request makes it end
//     each endpoint that comes after. Both reach it as a plain error.
//   - Batches are cut to [BatchBytes]; a frame is at most [MaxFrame], a message on the wire at most [MaxMessage].
//   - The writer's queue, which remote doesn't bound, is bounded here, and begins with 4 kB a peer instead of 16 MB.
//   - The actor system is the carrier's own. Its logger is silent: what matters is logged here, and what outsiders cause at debug.
//   - remote's own shutdown races with its readers, may panic, and waits 10 seconds; Close stops its parts one by one instead.
//
// # What can't be guarded
//
// remote.Start replaces gRPC's process-wide logger by a silent one, without synchronisation. With one carrier a process, as in a server, nothing
// else uses gRPC then. Who starts a carrier beside another in one process has a data race on that variable, both values of which are
// loggers. A node whose host is called like one of gRPC's resolvers ("dns", "unix", "passthrough") can't be dialled by that name, as remote gives
// gRPC the bare address. And remote encodes a frame into bytes before it encodes those into its message, so each frame is copied once more
// in both processes; docs/design/0005-carriage.md has what that costs beside a plain gRPC stream.
//
// # Files
//
//	carrier.go    what the package gives
//	peer.go       one node that is sent to: its state, bounds and pauses
//	outgoing.go   the stream to a node
//	incoming.go   the stream from a node
//	check.go      what a stream may bring; pure
//	handshake.go  TLS, and who is at the other end
//	system.go     remote with its actor system, started and stopped
package carrier
