package node

import (
	"github.com/jackdaw-im/jackdaw/telemetry"
)

// sources give telemetry what this node's parts count.
func (n *Node) sources() telemetry.Sources {
	return telemetry.Sources{
		Connections: n.connectionCounts, Sessions: n.sessionCounts, Mailboxes: n.mailboxCounts, Actors: n.actorCounts, Lanes: n.laneCounts, Store: n.storeState,
		Dumps:   n.dumpCounts,
		Started: n.started, Version: n.version.Version, Revision: n.version.Revision,
	}
}

func (n *Node) connectionCounts() telemetry.Connections {
	c := &n.connections
	return telemetry.Connections{
		Open: c.Open.Load(), Accepted: c.Accepted.Load(), Handshakes: c.Handshakes.Load(), HandshakesFailed: c.HandshakesFailed.Load(),
		HandshakesRefused: c.HandshakesRefused.Load(), HandshakesWaiting: c.HandshakesWaiting.Load(), RateLimited: c.RateLimited.Load(),
		Slow: c.Slow.Load(), StanzasIn: c.StanzasIn.Load(), BytesIn: c.BytesIn.Load(), BytesOut: c.BytesOut.Load(),
		StreamErrors: c.StreamErrors.Load(),
	}
}

func (n *Node) sessionCounts() telemetry.Sessions {
	c := &n.sessions
	return telemetry.Sessions{
		Live: c.Live.Load(), Logins: c.Logins.Load(), LoginsFailed: c.LoginsFailed.Load(), LoginsSlowed: c.LoginsSlowed.Load(),
		PlainChecks: c.PlainChecks.Load(), Resumed: c.Resumed.Load(),
		MessagesIn: c.MessagesIn.Load(), MessagesOut: c.MessagesOut.Load(), Refused: c.Refused.Load(), Dropped: c.Dropped.Load(),
		Unanswered: c.Unanswered.Load(), StreamErrors: c.StreamErrors.Load(),
	}
}

func (n *Node) mailboxCounts() telemetry.Mailboxes {
	c := &n.mailboxes
	return telemetry.Mailboxes{
		Taken: c.Taken.Load(), Duplicates: c.Duplicates.Load(), Refused: c.Refused.Load(), Dropped: c.Dropped.Load(), Later: c.Later.Load(),
		Gaps: c.Gaps.Load(), Pushed: c.Pushed.Load(), Acked: c.Acked.Load(), Missed: c.Missed.Load(), Expired: c.Expired.Load(),
		Unreadable: c.Unreadable.Load(),
	}
}

func (n *Node) actorCounts() telemetry.Actors {
	s := n.sys.Snapshot()
	a := telemetry.Actors{
		Live: s.Live, Handled: s.Handled, DeadLetters: s.DeadLetters, Overloads: s.Overloads, Restarts: s.Restarts,
		LateReplies: s.LateReplies, Stuck: s.Stuck, Spares: s.Spares, Marks: s.Marks,
	}
	if n.phase.Load() != starting { // the root is known once all of it is up
		a.Abandoned = n.root.Abandoned()
	}
	for _, m := range s.Top {
		a.Top = append(a.Top, telemetry.QueueTop{Kind: m.Ref.Kind, Len: m.Len})
	}
	return a
}

func (n *Node) laneCounts() telemetry.Lanes {
	c := &n.lanes.Counters
	return telemetry.Lanes{
		Appends: c.Appends.Load(), Acks: c.Acks.Load(), Annihilated: c.Annihilated.Load(), Full: c.Full.Load(), Refused: c.Refused.Load(),
		Retries: c.Retries.Load(), Expired: c.Expired.Load(), Seconds: n.seconds.Measurement(), Items: n.items.Measurement(),
	}
}

func (n *Node) storeState() telemetry.Store {
	h := n.engine.Health()
	return telemetry.Store{State: h.State.String(), Free: h.Free}
}
