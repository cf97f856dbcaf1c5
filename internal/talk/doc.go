// Package talk has people talk to each other over real servers, for tests that do something to the servers meanwhile.
//
// A [Guest] is one resource that a test leads by the hand: it says things, waits for what comes, and goes to another node. A [Crowd]
// is a number of users who stay online as well as they can, as a person's client does: each logs in wherever it is let in,
// goes on with its stream there (XEP-0198), sends again what may be lost, and talks to the others all the time. At its end the crowd says
// whether it got what it was promised: what was acknowledged arrives, in each sender's order, and nothing twice but under its id.
//
// The parts of a crowd serve other drivers too: a [Device] is one user's client, a [Script] makes messages that can be told apart, and a
// [Checker] judges.
//
//	crowd, err := talk.Start(ctx, talk.Config{Users: 10, Addrs: c.Addrs, Every: 50 * time.Millisecond})
//	...                            // stop a node, start it again
//	report, err := crowd.Finish(ctx)
package talk
