package telemetry

// Cluster is this node's part in its cluster.
type Cluster struct {
	// Members are how many there are, by state: one of MemberStates. A suspect or rejected one counts as that only.
	Members map[string]int64
	// Views is how many views have been acted upon, Agreed whether all placed nodes act upon the same now.
	Views  int64
	Agreed bool
	// Partitions: those that are this node's, are on their way here, and still leave; Unowned are nobody's.
	Mine, Waiting, Leaving, Unowned int64
	HeldNow                         int64 // messages that wait for a partition, now
	// Envelopes are counted by what became of them.
	Sent, Received, Forwarded, Held, Refused, Bounced, Full, Lost, Unreadable, Unsendable int64
	Released                                                                              int64 // partitions
	Overdue                                                                               int64 // actors that didn't leave in time
	Links                                                                                 []Link
	Paths                                                                                 []Path
	Strays                                                                                int64 // frames that belong to no link
	Gossip                                                                                Gossip
	Bundle                                                                                int64 // version of the shared keys
	Rotating                                                                              bool
	CertificateLeft                                                                       float64 // seconds until this node's ends
	Draining                                                                              bool
}

// MemberStates are the keys of Cluster.Members.
var MemberStates = [...]string{"joining", "active", "draining", "suspect", "rejected"}

// Link is one link to another node.
type Link struct {
	Peer  string // its name, without the incarnation
	Class string
	// Queue, Unacked and Bytes are now, and so is Oldest, in seconds.
	Queue, Unacked, Bytes int64
	Oldest                float64
	// Counts begin anew when the peer comes back.
	Sent, Resent, Refused, Received, Duplicates int64
}

// Path is the way that frames to another node take.
type Path struct {
	Peer string // its name, without the incarnation
	// Detour is set while they go by a third node.
	Detour bool
	// Counts begin anew when the peer comes back.
	Changes, Detoured, Passed, Dropped int64
}

// Gossip counts what is exchanged to know who is there.
type Gossip struct {
	PacketsIn, PacketsOut, BytesIn, BytesOut int64
	StreamIn, StreamOut                      int64 // bytes
	Foreign, WrongKey                        int64 // refused
	JoinsFailed                              int64
	Health                                   int64 // 0 to 8
}

// Database is one database of a shared store, now.
type Database struct {
	Name        string
	Up          bool
	Replicated  bool
	Waiting     int64 // commits that wait for a standby
	Connections int64
	Abandoned   int64 // writes that took too long
}

func ofCluster(f func(*Cluster) int64) func(*scrape, func(float64, ...string)) {
	return func(s *scrape, give func(float64, ...string)) {
		if s.cluster != nil {
			give(float64(f(s.cluster)))
		}
	}
}

// ofClusterBy makes one value for each value of a label.
func ofClusterBy(f func(c *Cluster, give func(int64, ...string))) func(*scrape, func(float64, ...string)) {
	return func(s *scrape, give func(float64, ...string)) {
		if s.cluster != nil {
			f(s.cluster, func(n int64, labels ...string) { give(float64(n), labels...) })
		}
	}
}

func ofLinks(f func(*Link) float64) func(*scrape, func(float64, ...string)) {
	return func(s *scrape, give func(float64, ...string)) {
		if s.cluster == nil {
			return
		}
		seen := map[[2]string]bool{} // two incarnations of one node may be known for a moment; the later is the newer
		for i := len(s.cluster.Links) - 1; i >= 0; i-- {
			l := &s.cluster.Links[i]
			if key := [2]string{l.Peer, l.Class}; !seen[key] {
				seen[key] = true
				give(f(l), l.Peer, l.Class)
			}
		}
	}
}

func ofPaths(f func(*Path) int64) func(*scrape, func(float64, ...string)) {
	return func(s *scrape, give func(float64, ...string)) {
		if s.cluster == nil {
			return
		}
		seen := map[string]bool{}
		for i := len(s.cluster.Paths) - 1; i >= 0; i-- {
			if p := &s.cluster.Paths[i]; !seen[p.Peer] {
				seen[p.Peer] = true
				give(float64(f(p)), p.Peer)
			}
		}
	}
}

func ofDatabases(f func(*Database) int64) func(*scrape, func(float64, ...string)) {
	return func(s *scrape, give func(float64, ...string)) {
		if s.store == nil {
			return
		}
		for i := range s.store.Databases {
			give(float64(f(&s.store.Databases[i])), s.store.Databases[i].Name)
		}
	}
}

func yes(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func clusterMetrics() []metric {
	return []metric{
		{name: "jackdaw_cluster_members", kind: gauge, labels: []string{"state"},
			help: "Nodes of the cluster as this one sees them: joining, active, draining, suspect (lost by gossip, within its time of grace) or rejected (taking no part, for a reason that `jackdaw cluster` shows).",
			read: ofClusterBy(func(c *Cluster, give func(int64, ...string)) {
				for _, state := range MemberStates {
					give(c.Members[state], state)
				}
			})},
		{name: "jackdaw_cluster_views_total", kind: counter, help: "Views of the cluster that this node has acted upon: one for each change of who owns what.",
			read: ofCluster(func(c *Cluster) int64 { return c.Views })},
		{name: "jackdaw_cluster_agreed", kind: gauge, help: "1 if all placed nodes act upon this node's view, as far as it has been told.",
			read: ofCluster(func(c *Cluster) int64 { return yes(c.Agreed) })},
		{name: "jackdaw_cluster_draining", kind: gauge, help: "1 from the beginning of a drain until the node takes clients again.",
			read: ofCluster(func(c *Cluster) int64 { return yes(c.Draining) })},
		{name: "jackdaw_cluster_partitions", kind: gauge, labels: []string{"phase"},
			help: "Of the 4096 partitions: mine (their actors may run here), waiting (on their way to this node), leaving (actors are still here, or other nodes still send by way of this one), unowned (nobody's).",
			read: ofClusterBy(func(c *Cluster, give func(int64, ...string)) {
				give(c.Mine, "mine")
				give(c.Waiting, "waiting")
				give(c.Leaving, "leaving")
				give(c.Unowned, "unowned")
			})},
		{name: "jackdaw_cluster_held", kind: gauge, help: "Messages that wait for a partition on its way to this node.",
			read: ofCluster(func(c *Cluster) int64 { return c.HeldNow })},
		{name: "jackdaw_cluster_envelopes_total", kind: counter, labels: []string{"fate"},
			help: "Messages between nodes: sent, received, forwarded (to the owner), held (for a partition), refused (given back to another node), bounced (given back to an actor here), full (a link or the room for held ones was), lost (answers that nobody waits for), unreadable (of a newer version), unsendable (a fault of this program).",
			read: ofClusterBy(func(c *Cluster, give func(int64, ...string)) {
				for _, f := range []struct {
					n    int64
					fate string
				}{{c.Sent, "sent"}, {c.Received, "received"}, {c.Forwarded, "forwarded"}, {c.Held, "held"}, {c.Refused, "refused"}, {c.Bounced, "bounced"},
					{c.Full, "full"}, {c.Lost, "lost"}, {c.Unreadable, "unreadable"}, {c.Unsendable, "unsendable"}} {
					give(f.n, f.fate)
				}
			})},
		{name: "jackdaw_cluster_released_total", kind: counter, help: "Partitions that this node has given to another one in order.",
			read: ofCluster(func(c *Cluster) int64 { return c.Released })},
		{name: "jackdaw_cluster_overdue_total", kind: counter, help: "Actors that were still here when the time for their partition to leave was over.",
			read: ofCluster(func(c *Cluster) int64 { return c.Overdue })},
		{name: "jackdaw_cluster_bundle_version", kind: gauge, help: "Version of the keys and addresses that all nodes share, as this node has it.",
			read: ofCluster(func(c *Cluster) int64 { return c.Bundle })},
		{name: "jackdaw_cluster_rotating", kind: gauge, help: "1 while keys are being rotated.", read: ofCluster(func(c *Cluster) int64 { return yes(c.Rotating) })},
		{name: "jackdaw_cluster_certificate_seconds", kind: gauge, help: "Time until the certificate that this node shows to others ends. It is renewed by itself when a third of its life is left, unless it was made by hand.",
			read: func(s *scrape, give func(float64, ...string)) {
				if s.cluster != nil {
					give(s.cluster.CertificateLeft)
				}
			}},
	}
}

func linkMetrics() []metric {
	labels := []string{"peer", "class"}
	return []metric{
		{name: "jackdaw_link_queue", kind: gauge, labels: labels, help: "Envelopes that wait to be sent to a node.", read: ofLinks(func(l *Link) float64 { return float64(l.Queue) })},
		{name: "jackdaw_link_unacked", kind: gauge, labels: labels, help: "Envelopes sent to a node and not yet acknowledged by it.", read: ofLinks(func(l *Link) float64 { return float64(l.Unacked) })},
		{name: "jackdaw_link_bytes", kind: gauge, labels: labels, help: "Bytes of both.", read: ofLinks(func(l *Link) float64 { return float64(l.Bytes) })},
		{name: "jackdaw_link_oldest_seconds", kind: gauge, labels: labels, help: "For how long the oldest of them has been here.", read: ofLinks(func(l *Link) float64 { return l.Oldest })},
		{name: "jackdaw_link_sent_total", kind: counter, labels: labels, help: "Envelopes sent to a node, each counted once. Like the other counts of links, this begins anew when the node comes back.",
			read: ofLinks(func(l *Link) float64 { return float64(l.Sent) })},
		{name: "jackdaw_link_resent_total", kind: counter, labels: labels, help: "Times that an envelope was sent again.", read: ofLinks(func(l *Link) float64 { return float64(l.Resent) })},
		{name: "jackdaw_link_refused_total", kind: counter, labels: labels, help: "Envelopes refused because the queue was full; each was answered.", read: ofLinks(func(l *Link) float64 { return float64(l.Refused) })},
		{name: "jackdaw_link_received_total", kind: counter, labels: labels, help: "Envelopes received from a node.", read: ofLinks(func(l *Link) float64 { return float64(l.Received) })},
		{name: "jackdaw_link_duplicates_total", kind: counter, labels: labels, help: "Envelopes that came again and were dropped.", read: ofLinks(func(l *Link) float64 { return float64(l.Duplicates) })},
		{name: "jackdaw_link_detour", kind: gauge, labels: labels[:1], help: "1 while frames to a node go by a third one, which `jackdaw cluster` names: directly they don't get there and back.",
			read: ofPaths(func(p *Path) int64 { return yes(p.Detour) })},
		{name: "jackdaw_link_path_changes_total", kind: counter, labels: labels[:1], help: "Times that frames to a node began to take another way: a detour, another one, or none.", read: ofPaths(func(p *Path) int64 { return p.Changes })},
		{name: "jackdaw_link_detoured_total", kind: counter, labels: labels[:1], help: "Frames to a node that went by others.", read: ofPaths(func(p *Path) int64 { return p.Detoured })},
		{name: "jackdaw_link_passed_total", kind: counter, labels: labels[:1], help: "Frames of others that this node has passed on to a node.", read: ofPaths(func(p *Path) int64 { return p.Passed })},
		{name: "jackdaw_link_unpassed_total", kind: counter, labels: labels[:1], help: "Frames of others that this node has not passed on to a node: there was no room, or it doesn't reach the node directly.", read: ofPaths(func(p *Path) int64 { return p.Dropped })},
		{name: "jackdaw_link_strays_total", kind: counter, help: "Frames of other nodes that belong to no link, and were dropped.", read: ofCluster(func(c *Cluster) int64 { return c.Strays })},
		{name: "jackdaw_gossip_packets_total", kind: counter, labels: []string{"direction"}, help: "Packets of gossip.",
			read: ofClusterBy(func(c *Cluster, give func(int64, ...string)) {
				give(c.Gossip.PacketsIn, "in")
				give(c.Gossip.PacketsOut, "out")
			})},
		{name: "jackdaw_gossip_bytes_total", kind: counter, labels: []string{"direction"}, help: "Bytes of gossip, in packets and connections.",
			read: ofClusterBy(func(c *Cluster, give func(int64, ...string)) {
				give(c.Gossip.BytesIn+c.Gossip.StreamIn, "in")
				give(c.Gossip.BytesOut+c.Gossip.StreamOut, "out")
			})},
		{name: "jackdaw_gossip_refused_total", kind: counter, labels: []string{"reason"}, help: "Gossip refused: foreign (of another cluster), or of the wrong key.",
			read: ofClusterBy(func(c *Cluster, give func(int64, ...string)) {
				give(c.Gossip.Foreign, "foreign")
				give(c.Gossip.WrongKey, "key")
			})},
		{name: "jackdaw_gossip_joins_failed_total", kind: counter, help: "Attempts to reach a seed, or a node of the past, that failed.",
			read: ofCluster(func(c *Cluster) int64 { return c.Gossip.JoinsFailed })},
		{name: "jackdaw_gossip_health", kind: gauge, help: "0 if this node keeps up with the questions of others, up to 8 if it doesn't: it is too busy, or its network loses much.",
			read: ofCluster(func(c *Cluster) int64 { return c.Gossip.Health })},
	}
}

func databaseMetrics() []metric {
	labels := []string{"database"}
	return []metric{
		{name: "jackdaw_database_up", kind: gauge, labels: labels, help: "1 if a database of the shared store can be reached.", read: ofDatabases(func(d *Database) int64 { return yes(d.Up) })},
		{name: "jackdaw_database_replicated", kind: gauge, labels: labels, help: "1 if what is written to a database is on a second machine before it is acknowledged.",
			read: ofDatabases(func(d *Database) int64 { return yes(d.Replicated) })},
		{name: "jackdaw_database_waiting", kind: gauge, labels: labels, help: "Commits, of all nodes, that wait for a standby.", read: ofDatabases(func(d *Database) int64 { return d.Waiting })},
		{name: "jackdaw_database_connections", kind: gauge, labels: labels, help: "Connections of this node.", read: ofDatabases(func(d *Database) int64 { return d.Connections })},
		{name: "jackdaw_database_abandoned_total", kind: counter, labels: labels, help: "Writes that took so long that their connection was closed. They are tried again.",
			read: ofDatabases(func(d *Database) int64 { return d.Abandoned })},
	}
}
