package telemetry

// catalogue lists every metric of Jackdaw's own. docs/METRICS.md is printed from it.
func catalogue() []metric {
	var all []metric
	for _, part := range [][]metric{connectionMetrics(), sessionMetrics(), mailboxMetrics(), actorMetrics(), storeMetrics(), databaseMetrics(),
		clusterMetrics(), linkMetrics(), processMetrics()} {
		all = append(all, part...)
	}
	return all
}

func connectionMetrics() []metric {
	return []metric{
		{name: "jackdaw_connections", kind: gauge, help: "Client connections that are open, those in their handshake included.",
			read: ofConnections(func(c *Connections) int64 { return c.Open })},
		{name: "jackdaw_connections_accepted_total", kind: counter, help: "Client connections taken from the listeners.",
			read: ofConnections(func(c *Connections) int64 { return c.Accepted })},
		{name: "jackdaw_handshakes_total", kind: counter, labels: []string{"result"},
			help: "TLS handshakes that ended: ok, failed, or refused because too many were waiting.",
			read: func(s *scrape, give func(float64, ...string)) {
				if c := s.connections; c != nil {
					give(float64(c.Handshakes), "ok")
					give(float64(c.HandshakesFailed), "failed")
					give(float64(c.HandshakesRefused), "refused")
				}
			}},
		{name: "jackdaw_handshakes_waiting", kind: gauge, help: "Connections that wait for their TLS handshake to begin.",
			read: ofConnections(func(c *Connections) int64 { return c.HandshakesWaiting })},
		{name: "jackdaw_connections_paused_total", kind: counter, help: "Times that a connection was not read for a while because its client sent too fast.",
			read: ofConnections(func(c *Connections) int64 { return c.RateLimited })},
		{name: "jackdaw_connections_slow_total", kind: counter, help: "Connections closed because the client did not read; its messages stay queued.",
			read: ofConnections(func(c *Connections) int64 { return c.Slow })},
		{name: "jackdaw_stanzas_received_total", kind: counter, help: "Stanzas read from clients.",
			read: ofConnections(func(c *Connections) int64 { return c.StanzasIn })},
		{name: "jackdaw_bytes_total", kind: counter, labels: []string{"direction"}, help: "Bytes exchanged with clients, without TLS: in from them, out to them.",
			read: func(s *scrape, give func(float64, ...string)) {
				if c := s.connections; c != nil {
					give(float64(c.BytesIn), "in")
					give(float64(c.BytesOut), "out")
				}
			}},
		{name: "jackdaw_streams_illegal_total", kind: counter, help: "Streams ended because their bytes were no legal stream.",
			read: ofConnections(func(c *Connections) int64 { return c.StreamErrors })},
	}
}

func sessionMetrics() []metric {
	return []metric{
		{name: "jackdaw_sessions", kind: gauge, help: "Sessions alive, those whose client may still come back included.",
			read: ofSessions(func(c *Sessions) int64 { return c.Live })},
		{name: "jackdaw_logins_total", kind: counter, labels: []string{"result"}, help: "Logins: ok, or failed for a wrong password or an unknown user.",
			read: func(s *scrape, give func(float64, ...string)) {
				if c := s.sessions; c != nil {
					give(float64(c.Logins), "ok")
					give(float64(c.LoginsFailed), "failed")
				}
			}},
		{name: "jackdaw_logins_slowed_total", kind: counter, help: "Logins held back: after wrong passwords, or because too many use PLAIN at a time.",
			read: ofSessions(func(c *Sessions) int64 { return c.LoginsSlowed })},
		{name: "jackdaw_plain_checks_total", kind: counter, help: "Passwords checked with SASL PLAIN, which takes a millisecond of a core each.",
			read: ofSessions(func(c *Sessions) int64 { return c.PlainChecks })},
		{name: "jackdaw_resumptions_total", kind: counter, help: "Streams resumed after the connection was lost (XEP-0198).",
			read: ofSessions(func(c *Sessions) int64 { return c.Resumed })},
		{name: "jackdaw_messages_total", kind: counter, labels: []string{"direction"}, help: "Messages: in from clients, out to clients.",
			read: func(s *scrape, give func(float64, ...string)) {
				if c := s.sessions; c != nil {
					give(float64(c.MessagesIn), "in")
					give(float64(c.MessagesOut), "out")
				}
			}},
		{name: "jackdaw_messages_refused_total", kind: counter, help: "Messages answered with an error.",
			read: ofSessions(func(c *Sessions) int64 { return c.Refused })},
		{name: "jackdaw_stanzas_dropped_total", kind: counter, help: "Stanzas dropped without an answer, as the RFCs demand for them.",
			read: ofSessions(func(c *Sessions) int64 { return c.Dropped })},
		{name: "jackdaw_pings_unanswered_total", kind: counter, help: "Connections closed because the client did not answer a ping; its messages stay queued.",
			read: ofSessions(func(c *Sessions) int64 { return c.Unanswered })},
		{name: "jackdaw_stream_errors_total", kind: counter, help: "Streams that the server ended with an error.",
			read: ofSessions(func(c *Sessions) int64 { return c.StreamErrors })},
	}
}

func mailboxMetrics() []metric {
	return []metric{
		{name: "jackdaw_mailbox_messages_total", kind: counter, labels: []string{"outcome"},
			help: "Messages that mailboxes were given: taken, duplicate (its id was known), refused, dropped as the RFC demands or an answer to a request that finds nobody, later (no room just now) or gap (an earlier one was missing).",
			read: func(s *scrape, give func(float64, ...string)) {
				if m := s.mailboxes; m != nil {
					give(float64(m.Taken), "taken")
					give(float64(m.Duplicates), "duplicate")
					give(float64(m.Refused), "refused")
					give(float64(m.Dropped), "dropped")
					give(float64(m.Later), "later")
					give(float64(m.Gaps), "gap")
				}
			}},
		{name: "jackdaw_mailbox_pushes_total", kind: counter, help: "Messages that mailboxes gave to sessions.",
			read: ofMailboxes(func(m *Mailboxes) int64 { return m.Pushed })},
		{name: "jackdaw_mailbox_acks_total", kind: counter, help: "Messages that sessions acknowledged to mailboxes.",
			read: ofMailboxes(func(m *Mailboxes) int64 { return m.Acked })},
		{name: "jackdaw_mailbox_missed_total", kind: counter, help: "Messages that one session acknowledged before another, slower one was given its copy.",
			read: ofMailboxes(func(m *Mailboxes) int64 { return m.Missed })},
		{name: "jackdaw_mailbox_expired_total", kind: counter, help: "Messages whose sender was told that they expired.",
			read: ofMailboxes(func(m *Mailboxes) int64 { return m.Expired })},
		{name: "jackdaw_mailbox_untold_total", kind: counter, help: "Mailboxes whose account didn't say in time who the user is, so that the directory was asked.",
			read: ofMailboxes(func(m *Mailboxes) int64 { return m.Untold })},
		{name: "jackdaw_mailbox_unreadable_total", kind: counter, help: "Stored messages that can't be decoded; they stay in the store. More than 0 needs somebody to look.",
			read: ofMailboxes(func(m *Mailboxes) int64 { return m.Unreadable })},
	}
}

func actorMetrics() []metric {
	return []metric{
		{name: "jackdaw_actors", kind: gauge, labels: []string{"kind"}, help: "Actors alive.",
			read: byKind(func(a *Actors) map[string]int64 { return a.Live })},
		{name: "jackdaw_actor_messages_total", kind: counter, labels: []string{"kind"}, help: "Messages that actors handled.",
			read: byKind(func(a *Actors) map[string]int64 { return a.Handled })},
		{name: "jackdaw_dead_letters_total", kind: counter, labels: []string{"kind"}, help: "Messages that no actor handled, by the kind they were for.",
			read: byKind(func(a *Actors) map[string]int64 { return a.DeadLetters })},
		{name: "jackdaw_casts_refused_total", kind: counter, help: "Messages between actors refused for a full queue; each was answered.",
			read: ofActors(func(a *Actors) int64 { return a.Overloads })},
		{name: "jackdaw_restarts_total", kind: counter, help: "Actors started again after a crash.",
			read: ofActors(func(a *Actors) int64 { return a.Restarts })},
		{name: "jackdaw_actors_abandoned_total", kind: counter, help: "Actors that did not stop in time and were left behind by their supervisors.",
			read: ofActors(func(a *Actors) int64 { return a.Abandoned })},
		{name: "jackdaw_replies_late_total", kind: counter, help: "Answers that came after the one who asked had given up.",
			read: ofActors(func(a *Actors) int64 { return a.LateReplies })},
		{name: "jackdaw_handlers_stuck_total", kind: counter, help: "Handlers that ran so long that their worker was replaced.",
			read: ofActors(func(a *Actors) int64 { return a.Stuck })},
		{name: "jackdaw_workers_spare", kind: gauge, help: "Workers that run in place of stuck ones.",
			read: ofActors(func(a *Actors) int64 { return a.Spares })},
		{name: "jackdaw_queue_length", kind: histogram, distribute: giveMarks,
			help: "Lengths that queues of actors grew to. A queue is counted each time it reaches a power of two, from 16 on."},
		{name: "jackdaw_queue_top", kind: gauge, labels: []string{"rank", "kind"}, read: giveTop,
			help: "The ten longest queues of the last 5 to 10 seconds, by rank (1 is the longest) and the kind of their actor."},
	}
}

func storeMetrics() []metric {
	commits := func(f func(*Lanes) Measurement) func(*scrape, func(Measurement, ...string)) {
		return func(s *scrape, give func(Measurement, ...string)) {
			if s.lanes != nil {
				give(f(s.lanes))
			}
		}
	}
	return []metric{
		{name: "jackdaw_commit_seconds", kind: histogram, help: "Time of one commit of messages, from its call to its end on the disk.",
			distribute: commits(func(l *Lanes) Measurement { return l.Seconds })},
		{name: "jackdaw_commit_items", kind: histogram, help: "Messages and acknowledgements in one commit.",
			distribute: commits(func(l *Lanes) Measurement { return l.Items })},
		{name: "jackdaw_store_requests_total", kind: counter, labels: []string{"kind"},
			help: "Requests to the store beside commits of messages: mailbox (what one must know when it starts), bodies (of messages that wait), directory (accounts, rosters and groups; changes too).",
			read: func(s *scrape, give func(float64, ...string)) {
				if l := s.lanes; l != nil {
					give(float64(l.Loads), "mailbox")
					give(float64(l.Reads), "bodies")
					give(float64(l.Requests), "directory")
				}
			}},
		{name: "jackdaw_messages_stored_total", kind: counter, help: "Messages stored.",
			read: ofLanes(func(l *Lanes) int64 { return l.Appends })},
		{name: "jackdaw_messages_acked_total", kind: counter, help: "Acknowledgements of messages stored.",
			read: ofLanes(func(l *Lanes) int64 { return l.Acks })},
		{name: "jackdaw_messages_annihilated_total", kind: counter, help: "Messages that their recipient acknowledged before they had to be stored.",
			read: ofLanes(func(l *Lanes) int64 { return l.Annihilated })},
		{name: "jackdaw_messages_expired_total", kind: counter, help: "Waiting messages found past their expiry; their senders are told.",
			read: ofLanes(func(l *Lanes) int64 { return l.Expired })},
		{name: "jackdaw_store_refused_total", kind: counter, labels: []string{"reason"},
			help: "Messages that the store did not take: full for want of disk space, busy for want of room in a lane.",
			read: func(s *scrape, give func(float64, ...string)) {
				if s.lanes != nil {
					give(float64(s.lanes.Full), "full")
					give(float64(s.lanes.Refused), "busy")
				}
			}},
		{name: "jackdaw_commits_repeated_total", kind: counter, help: "Commits repeated because their outcome was unknown.",
			read: ofLanes(func(l *Lanes) int64 { return l.Retries })},
		{name: "jackdaw_store_state", kind: gauge, labels: []string{"state"}, read: giveState,
			help: "1 for the state that the store is in: serving, full (new messages are refused), held (a database of the cluster is away or not replicated: what needs it waits or is refused) or failed."},
		{name: "jackdaw_store_free_bytes", kind: gauge, read: giveFree, help: "Free space on the disk of the data folder."},
	}
}

func processMetrics() []metric {
	return []metric{
		{name: "jackdaw_uptime_seconds", kind: gauge, read: giveUptime, help: "Time since the server started."},
		{name: "jackdaw_build_info", kind: gauge, labels: []string{"version", "revision", "go"}, read: giveBuild, help: "Always 1; the labels say which program runs."},
		{name: "jackdaw_dumps_total", kind: counter, labels: []string{"reason"},
			help: "Crash dumps written: request (of an operator), signal, memory (over its mark), ended (the tree gave up), panic, and at a start, of the run before: fatal, killed.",
			read: giveDumps},
	}
}
