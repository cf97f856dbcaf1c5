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
// A change is decided by the pure state on what it knows (prepare.. and decide), written by compare-and-set on the roster's
// revision, and then applied: state.go and the files beside it know no clock, store or actor. Changes go one at a time, in the
// order in which they came. What a write comes to:
//   - The store was changed by somebody else: the account is read again, and the change decided anew.
//   - Nobody knows whether it was done: it is repeated unchanged, up to 5 times a second apart. Should it turn out to have
//     been done after all, it is answered as what it was.
//   - Nothing was done: the answer says so (STORE_FULL, LATER, BAD_REQUEST).
//
// While the account is read, at its first message or again, up to 1,000 messages wait in order; more are answered LATER.
//
// What a crash does: the roster is read again, and those who wait for an answer hear ErrCrashed. The list of sessions is lost
// with the actor; sessions monitor their account and bind again, quietly. Delivery of messages goes on all the while, since
// it is the mailbox's. The count of wrong passwords is lost, too.
//
// Among nodes: sessions may be on any node, and the account moves with its partition. Before it does, what is under way has its
// answer, or its caller hears that it isn't there and asks again. A session that can't be reached keeps its place and its presence for
// half a minute and is asked to bind again. Of two sessions that claim one resource, after a partition say, the later has it. The
// roster has a digest, by which a session that binds again finds out that it missed a change. Presence and what follows from a
// change that another node has not taken is told again, as it is by then; what gets lost for good is counted. While the cluster is parted there
// may be two accounts of one user. Once it is one again, each is read again before it takes the next message, if it can be, and tells what it finds; until its node has
// noticed, it may do something on what it knew. The one that leaves then has contacts asked for the presence that it kept for sessions it doesn't know.
//
// What it guarantees: subscription changes are durable before they are answered, and idempotent, so that the asking
// session may repeat them. Presence is best effort, as in RFC 6121, but ordered per session. Two accounts that disagree about
// a subscription, because one was removed and the other not told, agree at the next presence or probe between them (RFC 6121
// section 4.3.2). A removed account's name can be taken again, and its next holder inherits no mail.
package account
