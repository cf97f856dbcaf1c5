// Package sasl is the authentication of XMPP (RFC 6120 section 6) without its XML: SCRAM-SHA-256 (RFC 7677), SCRAM-SHA-1
// (RFC 5802) and PLAIN (RFC 4616), as client and as server, and what a server keeps of a password.
//
// A server makes credentials with NewCredentials once, when the password is set, and keeps nothing else of it. A login is
//
//	exchange, err := sasl.Begin(mechanism, first) // who wants in: exchange.User, exchange.Authzid
//	challenge, err := exchange.Challenge(kept)    // kept: the user's credentials, or Fake ones
//	proof, err := exchange.Finish(response)       // nil: the client knows the password
//
// and for PLAIN, which has one message only, Begin and Check. In between the caller may wait as long as it likes: nothing
// here blocks, and each value is used by one goroutine at a time.
//
// Passwords are prepared with SASLprep (RFC 4013), as RFC 5802 demands and as clients that prepare at all do. SASLprep
// stands still at Unicode 3.2 and refuses what is younger, emoji for one; those passwords are prepared with PRECIS
// OpaqueString (RFC 8265) instead, which for them is what clients without SASLprep send. So each password has one form.
//
// Channel binding isn't offered: a client may say that it knows it (y) or doesn't (n), but not that it uses it (p).
package sasl
