// Package hostile attacks the real server binary over real sockets, and checks that it answers as it should, keeps its memory, goes
// on serving others, and loses nothing. It holds tests only.
//
// An attacker is a TCP or TLS connection and text, which may be anything. Beside the attackers, well-behaved clients
// of this module's client package chat, as witnesses that nobody else suffers and that every message arrives. Most tests share one
// server; those that need short deadlines or a low rate share a second one.
//
// A server that refuses to start, a full disk and a damaged data folder are tested in cmd/jackdaw; the same rules without sockets are
// tested in xmpp, gateway and actors/....
//
// The race detector would look at the attackers only, so that the tests are left out under it.
package hostile
