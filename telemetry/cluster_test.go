package telemetry

import (
	"strings"
	"testing"
)

var twoDatabases = []Database{
	{Name: "shard 0", Up: true, Replicated: true, Waiting: 1, Connections: 2, Abandoned: 3},
	{Name: "directory", Connections: 4},
}

// threeNodes is a cluster in which every number is another one. One node has just come back.
func threeNodes() Cluster {
	return Cluster{
		Members: map[string]int64{"active": 2, "suspect": 1}, Views: 201, Agreed: true, Mine: 202, Waiting: 203, Leaving: 204, Unowned: 205, HeldNow: 206,
		Sent: 207, Received: 208, Forwarded: 209, Held: 210, Refused: 211, Bounced: 212, Full: 213, Lost: 214, Unreadable: 215, Unsendable: 216,
		Released: 217, Overdue: 218, Strays: 219, Bundle: 220, Rotating: true, CertificateLeft: 221.5, Draining: true,
		Links: []Link{
			{Peer: "n2", Class: "control", Queue: 1, Unacked: 1, Bytes: 1, Oldest: 1, Sent: 1, Resent: 1, Refused: 1, Received: 1, Duplicates: 1},
			{Peer: "n2", Class: "control", Queue: 231, Unacked: 232, Bytes: 233, Oldest: 234.5, Sent: 235, Resent: 236, Refused: 237, Received: 238, Duplicates: 239},
			{Peer: "n3", Class: "messages", Queue: 241},
		},
		Paths: []Path{
			{Peer: "n2", Changes: 1, Detoured: 1, Passed: 1, Dropped: 1}, {Peer: "n2", Detour: true, Changes: 261, Detoured: 262, Passed: 263, Dropped: 264}, {Peer: "n3"},
		},
		Gossip: Gossip{PacketsIn: 251, PacketsOut: 252, BytesIn: 1000, BytesOut: 2000, StreamIn: 1, StreamOut: 2, Foreign: 253, WrongKey: 254, JoinsFailed: 255, Health: 5},
	}
}

func TestClusterMetrics(t *testing.T) {
	got := scraped(t, NewRegistry(full()))
	for series, want := range map[string]string{
		`jackdaw_cluster_members{state="active"}`:                  "2",
		`jackdaw_cluster_members{state="suspect"}`:                 "1",
		`jackdaw_cluster_members{state="rejected"}`:                "0",
		`jackdaw_cluster_views_total`:                              "201",
		`jackdaw_cluster_agreed`:                                   "1",
		`jackdaw_cluster_draining`:                                 "1",
		`jackdaw_cluster_partitions{phase="mine"}`:                 "202",
		`jackdaw_cluster_partitions{phase="waiting"}`:              "203",
		`jackdaw_cluster_partitions{phase="leaving"}`:              "204",
		`jackdaw_cluster_partitions{phase="unowned"}`:              "205",
		`jackdaw_cluster_held`:                                     "206",
		`jackdaw_cluster_envelopes_total{fate="sent"}`:             "207",
		`jackdaw_cluster_envelopes_total{fate="received"}`:         "208",
		`jackdaw_cluster_envelopes_total{fate="forwarded"}`:        "209",
		`jackdaw_cluster_envelopes_total{fate="held"}`:             "210",
		`jackdaw_cluster_envelopes_total{fate="refused"}`:          "211",
		`jackdaw_cluster_envelopes_total{fate="bounced"}`:          "212",
		`jackdaw_cluster_envelopes_total{fate="full"}`:             "213",
		`jackdaw_cluster_envelopes_total{fate="lost"}`:             "214",
		`jackdaw_cluster_envelopes_total{fate="unreadable"}`:       "215",
		`jackdaw_cluster_envelopes_total{fate="unsendable"}`:       "216",
		`jackdaw_cluster_released_total`:                           "217",
		`jackdaw_cluster_overdue_total`:                            "218",
		`jackdaw_cluster_bundle_version`:                           "220",
		`jackdaw_cluster_rotating`:                                 "1",
		`jackdaw_cluster_certificate_seconds`:                      "221.5",
		`jackdaw_link_queue{class="control",peer="n2"}`:            "231",
		`jackdaw_link_unacked{class="control",peer="n2"}`:          "232",
		`jackdaw_link_bytes{class="control",peer="n2"}`:            "233",
		`jackdaw_link_oldest_seconds{class="control",peer="n2"}`:   "234.5",
		`jackdaw_link_sent_total{class="control",peer="n2"}`:       "235",
		`jackdaw_link_resent_total{class="control",peer="n2"}`:     "236",
		`jackdaw_link_refused_total{class="control",peer="n2"}`:    "237",
		`jackdaw_link_received_total{class="control",peer="n2"}`:   "238",
		`jackdaw_link_duplicates_total{class="control",peer="n2"}`: "239",
		`jackdaw_link_queue{class="messages",peer="n3"}`:           "241",
		`jackdaw_link_strays_total`:                                "219",
		`jackdaw_gossip_packets_total{direction="in"}`:             "251",
		`jackdaw_gossip_packets_total{direction="out"}`:            "252",
		`jackdaw_gossip_bytes_total{direction="in"}`:               "1001",
		`jackdaw_gossip_bytes_total{direction="out"}`:              "2002",
		`jackdaw_link_detour{peer="n2"}`:                           "1",
		`jackdaw_link_detour{peer="n3"}`:                           "0",
		`jackdaw_link_path_changes_total{peer="n2"}`:               "261",
		`jackdaw_link_detoured_total{peer="n2"}`:                   "262",
		`jackdaw_link_passed_total{peer="n2"}`:                     "263",
		`jackdaw_link_unpassed_total{peer="n2"}`:                   "264",
		`jackdaw_gossip_refused_total{reason="foreign"}`:           "253",
		`jackdaw_gossip_refused_total{reason="key"}`:               "254",
		`jackdaw_gossip_joins_failed_total`:                        "255",
		`jackdaw_gossip_health`:                                    "5",
		`jackdaw_database_up{database="shard 0"}`:                  "1",
		`jackdaw_database_up{database="directory"}`:                "0",
		`jackdaw_database_replicated{database="shard 0"}`:          "1",
		`jackdaw_database_waiting{database="shard 0"}`:             "1",
		`jackdaw_database_connections{database="directory"}`:       "4",
		`jackdaw_database_abandoned_total{database="shard 0"}`:     "3",
		`jackdaw_store_state{state="held"}`:                        "0",
	} {
		if got[series] != want {
			t.Errorf("%s is %q, not %s", series, got[series], want)
		}
	}
}

// TestAloneHasNoClusterMetrics: a node without a cluster shows none of it.
func TestAloneHasNoClusterMetrics(t *testing.T) {
	s := full()
	s.Cluster, s.Store = nil, func() Store { return Store{State: "serving"} }
	for series := range scraped(t, NewRegistry(s)) {
		for _, part := range []string{"jackdaw_cluster_", "jackdaw_link_", "jackdaw_gossip_", "jackdaw_database_"} {
			if strings.HasPrefix(series, part) {
				t.Error(series)
			}
		}
	}
}
