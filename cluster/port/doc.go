// Package port is the cluster's address: one number of UDP and of TCP for two kinds of traffic. UDP is memberlist's packets. A TCP
// connection that begins with the first byte of a TLS handshake goes to the listener that [Port.TLS] returns, where package trust lets
// nodes join; every other is one of memberlist's streams. [Port.Transport] is memberlist's side.
//
// What is bound and what others are told to use are separate. Nothing that a stranger sends or withholds stops either side: who sends
// no first byte is dropped in time, or earlier when there are too many such connections, the oldest first, so that those who do send
// get in. What one side doesn't take up in time is closed and counted, and never holds up the other.
//
// A Port has two goroutines from Start to Close, one for packets and one that accepts, and one for each connection that hasn't sent its
// first byte.
package port
