// Package simnet is a network in memory, for tests of the cluster in the fake time of testing/synctest: memberlist's transport and
// the links' carrier over a network that loses, delays, doubles and reorders, that is cut in one direction or both, and whose
// hosts crash, stand still and come back.
//
//	synctest.Test(t, func(t *testing.T) {
//		net := simnet.New(1, t)
//		a, b := net.Node("a"), net.Node("b")
//		// a.Transport() goes to memberlist, NewCarrier(b, ...) to links.
//		net.CutBoth("a", "b")
//		time.Sleep(10 * time.Minute)
//		net.Heal()
//	})
//
// A packet is lost when the way is cut at the moment it is sent. A stream behaves like TCP: what is written arrives in order or
// waits until the way is open again, and a loss costs 200 ms. Frames of links are kept in order per pair of nodes, as one
// connection does, but those sent into a cut are lost, as with a connection that breaks. A process also Listens for streams that aren't gossip's,
// and others Dial it, at the same address: those behave like TCP, too.
//
// Everything random comes from the seed. Histories are nevertheless not the same to the bit, because memberlist draws from the
// global source and goroutines of one instant run in any order; what happened is in the log of events, which is written when the
// test fails, with the seed.
//
// No lock is held over a wait and there is no real socket, so that a bubble's time goes on. All of a Net is made inside the
// bubble that uses it.
package simnet
