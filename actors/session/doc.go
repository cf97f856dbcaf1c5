// Package session is one client connection as an actor: the XMPP stream (RFC 6120), login, the bound resource, stream
// management (XEP-0198), and the translation between a client's stanzas and the messages that actors exchange.
//
// The gateway starts a session when a connection's TLS is up (Start), casts it what it reads (Opened, Stanza, Closed,
// Writable) and implements Outlet, through which the session writes. The session asks its user's account (credentials,
// bind, roster, presence, subscriptions), sends messages to the recipients' mailboxes, and gets its own user's rows from
// their mailbox by Push. It owns the stream's counters, the map from outgoing stanzas to rows, and every message of its
// client until that message has an outcome.
//
// Guarantees:
//   - The h told to a client is the longest prefix of its stanzas that were handled. A message that becomes a row counts
//     once it is durable or finally refused, and after 30 s, when its outcome is unknown and the error says so.
//   - A row is acknowledged to the mailbox only when the client has acknowledged it: by its h, by an answer to a
//     request written after it, or by a clean close of the stream with all that was written by then delivered by TCP.
//   - Stanzas of one client to one address keep their order. While 256 stanzas or 1 MiB are uncounted nothing is read.
//   - Presence that a client sends again because it was behind a message without outcome when its connection was lost is told to nobody
//     who has seen it: for others a client's presence doesn't go back.
//   - Every refusal is an error stanza, or a stream error, to the client.
//
// Among nodes: a session stays where its connection is; its account and its mailbox are wherever the cluster puts them. When one of
// the two moves, crashes or is lost with its node, the session tells whoever comes in its place what the other knew, spread over a
// second where many sessions do so together, and sends again what has no outcome. Calls that got lost on the way are repeated, if
// they may be. A client that resumes on another node names the old one in its previd: the session there hands over what it knows
// (Takeover), says for a while where that went, and after that the user's account knows. From a node that is gone nothing can be
// had: the client is told so (item-not-found), binds, and its mailbox gives it again what it has not acknowledged. A session that is
// told to Drain sends its client to another node and waits, if it can be resumed, to be asked for its state. When its node ends, it asks
// the keeper of another one (Move), where a session without a connection then takes its place, for the client to find by its account.
//
// A session is a temporary child: a crash ends the connection and nothing restarts it. What its client had not
// acknowledged is still in the mailbox; what had no outcome was not counted, so that the client sends it again.
//
// Inside, state and the files beside it are pure: they take values and the time and return effects, which actor.go runs.
package session
