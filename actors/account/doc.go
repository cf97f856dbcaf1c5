// Package account is one user's account: what checks the password, the roster with its subscriptions, and the presence of
// the user's sessions. There is one actor per user, Ref{"account", bare JID}, started by its first message and passivated
// when it has been idle.
//
// Who sends to it: sessions (the user's own: credentials, bind, presence, roster; a contact's: the inbound half of a
// subscription change, directed presence), other accounts (presence and probes, by cast only), and the administration.
//
// What it owns: the account, its roster items and their subscription states (RFC 6121 appendix A), and in memory only the
// list of bound sessions with the presence each has sent. It is the single writer of the first two; a change is visible
// and answered only once the directory lane has committed it.
//
// What a crash does: the roster is read again. The list of sessions is lost with the actor; sessions monitor their account
// and bind again, quietly. Delivery of messages goes on all the while, since it is the mailbox's.
//
// What it guarantees: subscription changes are durable before they are answered, and idempotent, so that the asking
// session may repeat them. Presence is best effort, as in RFC 6121, but ordered per session.
package account
