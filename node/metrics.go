package node

import (
	"time"

	"github.com/jackdaw-im/jackdaw/store/pgstore"
	"github.com/jackdaw-im/jackdaw/telemetry"
)

// sources give telemetry what this node's parts count.
func (n *Node) sources() telemetry.Sources {
	return telemetry.Sources{
		Connections: n.connectionCounts, Sessions: n.sessionCounts, Mailboxes: n.mailboxCounts, Actors: n.actorCounts, Lanes: n.laneCounts, Store: n.storeState,
		Cluster: n.clusterSource(), Dumps: n.dumpCounts,
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
		Untold: c.Untold.Load(), Unreadable: c.Unreadable.Load(),
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
		Retries: c.Retries.Load(), Expired: c.Expired.Load(), Loads: c.Loads.Load(), Reads: c.Reads.Load(), Requests: c.Requests.Load(),
		Seconds: n.seconds.Measurement(), Items: n.items.Measurement(),
	}
}

func (n *Node) storeState() telemetry.Store {
	h := n.engine.Health()
	s := telemetry.Store{State: h.State.String(), Free: h.Free}
	if engine, ok := n.engine.(interface{ Databases() []pgstore.Database }); ok {
		for _, d := range engine.Databases() {
			s.Databases = append(s.Databases, telemetry.Database{
				Name: d.Name, Up: d.Down == "", Replicated: d.Down == "" && d.Unreplicated == "", Waiting: int64(d.Waiting),
				Connections: int64(d.Connections), Abandoned: d.Abandoned,
			})
		}
	}
	return s
}

// clusterSource is nil on a node without a cluster.
func (n *Node) clusterSource() func() telemetry.Cluster {
	if n.peers == nil {
		return nil
	}
	return n.clusterCounts
}

func (n *Node) clusterCounts() telemetry.Cluster {
	p, b, k := n.peers, n.peers.live.Bundle(), n.cluster.Counters()
	c := telemetry.Cluster{
		Views: p.views.Load(), Bundle: int64(b.Version), Rotating: b.Rotating(), CertificateLeft: time.Until(p.live.NotAfter()).Seconds(), Draining: n.drain.away(),
		Sent: k.Sent.Load(), Received: k.Received.Load(), Forwarded: k.Forwarded.Load(), Held: k.Held.Load(), Refused: k.Refused.Load(),
		Bounced: k.Bounced.Load(), Full: k.Full.Load(), Lost: k.Lost.Load(), Unreadable: k.Unreadable.Load(), Unsendable: k.Unsendable.Load(),
		Released: k.Released.Load(), Overdue: k.Overdue.Load(), Members: map[string]int64{},
	}
	st := n.cluster.Status()
	c.Mine, c.Waiting, c.Leaving, c.Unowned, c.HeldNow = int64(st.Mine), int64(st.Waiting), int64(st.Leaving), int64(st.Owned[""]), int64(st.Held)
	if !p.up.Load() {
		return c
	}
	c.Agreed = p.member.Agreed()
	for _, m := range p.member.View().Members {
		switch {
		case m.Rejected != "":
			c.Members["rejected"]++
		case m.Suspect:
			c.Members["suspect"]++
		default:
			c.Members[m.State.String()]++
		}
	}
	for _, l := range p.links.Stats() {
		c.Links = append(c.Links, telemetry.Link{
			Peer: l.Peer.ID.Name(), Class: classText(&l), Queue: int64(l.Queue), Unacked: int64(l.Unacked), Bytes: int64(l.Bytes), Oldest: l.Oldest.Seconds(),
			Sent: int64(l.Sent), Resent: int64(l.Resent), Refused: int64(l.Refused), Received: int64(l.Received), Duplicates: int64(l.Duplicates),
		})
	}
	for _, w := range p.links.Paths() {
		c.Paths = append(c.Paths, telemetry.Path{Peer: w.Peer.ID.Name(), Detour: w.Via != "", Changes: int64(w.Changes), Detoured: int64(w.Detoured), Passed: int64(w.Passed), Dropped: int64(w.Dropped)})
	}
	s := p.links.Strays()
	c.Strays = int64(s.Version + s.Misdirected + s.Strangers + s.Nonsense)
	g := p.member.Stats()
	c.Gossip = telemetry.Gossip{
		PacketsIn: int64(g.PacketsIn), PacketsOut: int64(g.PacketsOut), BytesIn: int64(g.BytesIn), BytesOut: int64(g.BytesOut),
		StreamIn: int64(g.StreamIn), StreamOut: int64(g.StreamOut), Foreign: int64(g.Foreign), WrongKey: int64(g.WrongKey),
		JoinsFailed: int64(g.JoinsFailed), Health: int64(g.Health),
	}
	return c
}
