// Package link carries envelopes between nodes: one link for each peer and class, each with a queue of its own, so that one
// sick peer backs up alone and its backlog is a number. Links run over a Carrier that may lose, double, delay and reorder; what
// envelopes hold is nothing to them.
//
// # What is promised
//
//   - Order: Deliver gets the envelopes of one (sender, class) in the order in which Send took them, one at a time. Each is
//     delivered at most once.
//   - Each envelope that Send took has an end: it is acknowledged, which means that the peer's Deliver has returned, or it
//     is given to Return, once and in order, by PeerDown or Close. An acknowledgement is no commit.
//   - What is returned may have been delivered too: its acknowledgement was lost, or a frame of it was still under way. So who
//     sends it again sends it at least once. But it isn't delivered after anything that was sent after the next PeerUp: a
//     receiver that has seen the new epoch takes nothing of the old one. In other words, a peer gets from each epoch a
//     beginning of what was sent in it, without a gap, and the epochs one after the other.
//   - Send never waits. A link that holds Bounds.QueueLen envelopes or Bounds.QueueBytes refuses with ErrFull. Reserved ones,
//     the answers whose room was granted with the question, are still taken up to twice as many; then they are refused too.
//
// # How it works
//
// Envelopes are numbered from 1 in each epoch, the time between a PeerUp and the next PeerDown. A frame carries a run of
// them and says what has come from the other direction, up to where, and up to which number more is taken: the credit. What
// queues up while a frame goes to the carrier goes with the next one: batches are as big as the load makes them, and no
// timer holds anything back. An acknowledgement that finds no frame to go with goes alone after Bounds.AckDelay, or at once
// if half the credit is used. A receiver keeps frames that come before their turn, within the credit.
//
// A receiver remembers where it was with a peer that is down, under its incarnation: if only this side had given up, the
// other side's frames go on where they were. A restarted peer is another peer. Frames of a peer that isn't up are dropped
// and counted; a peer that comes up is greeted with a frame for each class, on which its unacknowledged frames come again at
// once.
//
// # What a flap costs
//
// If nothing is heard of an unacknowledged envelope, it is sent again after Bounds.Resend (longer, if the round trip is),
// and then again with pauses that double up to Bounds.ResendMax, shortened by up to a quarter at random. Only a probe goes,
// one frame, from the second on of one envelope; everything else waits, also what is new. When one is acknowledged, the rest
// goes in frames as full as may be. So a cut of length T costs each link, from the first probe until all that it holds is
// acknowledged, at most
//
//	P = 1 + ceil(log2(ResendMax/Resend)) + T/(0.75 ResendMax)    probes, one more for each frame that comes through, and
//	R = 8 + 2 held/FrameLen + 2 heldBytes/FrameBytes             frames with what it holds then,
//
// and each data frame that arrives at most one frame that only acknowledges. Nothing depends on how often Send was called. If
// the cut ended in PeerDown and PeerUp, there is one greeting more. Each second of it may cost each peer a direct question and three by
// others, if there are any that still acknowledge.
//
// # Detours
//
// What gossip keeps alive by asking others, links reach by others: when a peer acknowledges nothing for 1.5 s, it is asked directly; if half a second later
// there is no answer, it is asked again, by up to three other peers at once as well, those first that acknowledge the fastest. The first whose
// question comes back answered takes the link's frames to the peer from then on, encoded as they are, with their numbers,
// acknowledgements and credit: order, repetition and bounds stay those of the link, and what comes by two ways at once is told apart by its
// number as ever. The peer follows at once, unless it has a detour of its own: its frames go by the node that brings it those of this one. Both
// ask every second, on the detour and directly. Two direct answers in a row end it; if the detour gives none for 2.5 s, others are asked
// again, in pauses of 1 to 4 s.
//
// A question is answered on the way that it came by. So a way counts as good only if it is in both directions, and a cut of one direction ends the
// use of both.
//
// There is one node between two at most: who takes a detour itself passes nothing on to that peer. What it passes on waits, within bounds,
// where its own frames to the peer go out, and takes turns with them; each link's credit bounds how much of it can be under way. A passed frame names
// its maker, whom the carrier has told the passing node from the maker's certificate; its receiver trusts that node, a member, for it. All three have to be up at
// each other, and only what Options.Passes knows to understand detours is sent anything of them.
//
// # The carrier's part
//
// Frames from a peer may hold any nonsense: what contradicts itself is dropped and counted, nothing panics. But a changed
// number that is still possible can't be known for what it is: that bytes arrive as they were sent is the carrier's
// business, by TLS.
package link
