package telemetry

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/internal/golden"
)

// scraped serves the registry once and returns its lines by series.
func scraped(t *testing.T, r *Registry) map[string]string {
	t.Helper()
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	got := map[string]string{}
	for lines := bufio.NewScanner(w.Body); lines.Scan(); {
		if i := strings.LastIndexByte(lines.Text(), ' '); i > 0 && !strings.HasPrefix(lines.Text(), "#") {
			got[lines.Text()[:i]] = lines.Text()[i+1:]
		}
	}
	return got
}

func full() Sources {
	seconds := NewHistogram([]float64{.001, .01})
	for _, v := range []float64{.0005, .001, .005, 3} {
		seconds.Observe(v)
	}
	items := NewHistogram([]float64{1, 2})
	items.Observe(2)
	return Sources{
		Connections: func() Connections {
			return Connections{Open: 1, Accepted: 2, Handshakes: 3, HandshakesFailed: 4, HandshakesRefused: 5, HandshakesWaiting: 6, RateLimited: 7, Slow: 8,
				StanzasIn: 9, BytesIn: 10, BytesOut: 11, StreamErrors: 12}
		},
		Sessions: func() Sessions {
			return Sessions{Live: 21, Logins: 22, LoginsFailed: 23, LoginsSlowed: 31, PlainChecks: 32, Resumed: 24, MessagesIn: 25, MessagesOut: 26, Refused: 27, Dropped: 28, Unanswered: 29, StreamErrors: 30}
		},
		Mailboxes: func() Mailboxes {
			return Mailboxes{Taken: 61, Duplicates: 62, Refused: 63, Dropped: 64, Later: 65, Gaps: 66, Pushed: 67, Acked: 68, Missed: 69, Expired: 70, Unreadable: 71, Untold: 72}
		},
		Actors: func() Actors {
			top := make([]QueueTop, 12)
			for i := range top {
				top[i] = QueueTop{"mailbox", 1000 - i}
			}
			return Actors{Live: map[string]int64{"mailbox": 41, "session": 42}, Handled: map[string]int64{"mailbox": 43}, DeadLetters: map[string]int64{"session": 44},
				Overloads: 45, Restarts: 46, Abandoned: 146, LateReplies: 47, Stuck: 48, Spares: 49, Marks: map[int]int64{16: 3, 32: 1}, Top: top}
		},
		Lanes: func() Lanes {
			return Lanes{Appends: 51, Acks: 52, Annihilated: 53, Full: 54, Refused: 55, Retries: 56, Expired: 57, Loads: 58, Reads: 59, Requests: 60, Seconds: seconds.Measurement(), Items: items.Measurement()}
		},
		Store:   func() Store { return Store{State: "full", Free: 1 << 20, Databases: twoDatabases} },
		Cluster: threeNodes,
		Dumps:   func() map[string]int64 { return map[string]int64{"memory": 81, "signal": 0} },
		Started: time.Now().Add(-time.Hour),
		Version: "v1", Revision: "abc",
	}
}

func TestEveryMetric(t *testing.T) {
	got := scraped(t, NewRegistry(full()))
	for series, want := range map[string]string{
		`jackdaw_connections`:                                 "1",
		`jackdaw_connections_accepted_total`:                  "2",
		`jackdaw_handshakes_total{result="ok"}`:               "3",
		`jackdaw_handshakes_total{result="failed"}`:           "4",
		`jackdaw_handshakes_total{result="refused"}`:          "5",
		`jackdaw_handshakes_waiting`:                          "6",
		`jackdaw_connections_paused_total`:                    "7",
		`jackdaw_connections_slow_total`:                      "8",
		`jackdaw_stanzas_received_total`:                      "9",
		`jackdaw_bytes_total{direction="in"}`:                 "10",
		`jackdaw_bytes_total{direction="out"}`:                "11",
		`jackdaw_streams_illegal_total`:                       "12",
		`jackdaw_sessions`:                                    "21",
		`jackdaw_logins_total{result="ok"}`:                   "22",
		`jackdaw_logins_total{result="failed"}`:               "23",
		"jackdaw_logins_slowed_total":                         "31",
		"jackdaw_plain_checks_total":                          "32",
		`jackdaw_resumptions_total`:                           "24",
		`jackdaw_messages_total{direction="in"}`:              "25",
		`jackdaw_messages_total{direction="out"}`:             "26",
		`jackdaw_messages_refused_total`:                      "27",
		`jackdaw_stanzas_dropped_total`:                       "28",
		`jackdaw_pings_unanswered_total`:                      "29",
		`jackdaw_mailbox_messages_total{outcome="taken"}`:     "61",
		`jackdaw_mailbox_messages_total{outcome="duplicate"}`: "62",
		`jackdaw_mailbox_messages_total{outcome="refused"}`:   "63",
		`jackdaw_mailbox_messages_total{outcome="dropped"}`:   "64",
		`jackdaw_mailbox_messages_total{outcome="later"}`:     "65",
		`jackdaw_mailbox_messages_total{outcome="gap"}`:       "66",
		`jackdaw_mailbox_pushes_total`:                        "67",
		`jackdaw_mailbox_acks_total`:                          "68",
		`jackdaw_mailbox_missed_total`:                        "69",
		`jackdaw_mailbox_expired_total`:                       "70",
		`jackdaw_mailbox_unreadable_total`:                    "71",
		`jackdaw_mailbox_untold_total`:                        "72",
		`jackdaw_stream_errors_total`:                         "30",
		`jackdaw_actors{kind="mailbox"}`:                      "41",
		`jackdaw_actors{kind="session"}`:                      "42",
		`jackdaw_actor_messages_total{kind="mailbox"}`:        "43",
		`jackdaw_dead_letters_total{kind="session"}`:          "44",
		`jackdaw_casts_refused_total`:                         "45",
		`jackdaw_restarts_total`:                              "46",
		`jackdaw_replies_late_total`:                          "47",
		`jackdaw_handlers_stuck_total`:                        "48",
		`jackdaw_workers_spare`:                               "49",
		`jackdaw_queue_length_bucket{le="16"}`:                "3",
		`jackdaw_queue_length_bucket{le="32"}`:                "4",
		`jackdaw_queue_length_bucket{le="+Inf"}`:              "4",
		`jackdaw_queue_length_sum`:                            "80",
		`jackdaw_queue_top{kind="mailbox",rank="1"}`:          "1000",
		`jackdaw_queue_top{kind="mailbox",rank="10"}`:         "991",
		`jackdaw_commit_seconds_bucket{le="0.001"}`:           "2",
		`jackdaw_commit_seconds_bucket{le="0.01"}`:            "3",
		`jackdaw_commit_seconds_count`:                        "4",
		`jackdaw_commit_seconds_sum`:                          "3.0065",
		`jackdaw_commit_items_bucket{le="2"}`:                 "1",
		`jackdaw_messages_stored_total`:                       "51",
		`jackdaw_store_requests_total{kind="mailbox"}`:        "58",
		`jackdaw_store_requests_total{kind="bodies"}`:         "59",
		`jackdaw_store_requests_total{kind="directory"}`:      "60",
		`jackdaw_messages_acked_total`:                        "52",
		`jackdaw_messages_annihilated_total`:                  "53",
		`jackdaw_store_refused_total{reason="full"}`:          "54",
		`jackdaw_store_refused_total{reason="busy"}`:          "55",
		`jackdaw_commits_repeated_total`:                      "56",
		`jackdaw_messages_expired_total`:                      "57",
		`jackdaw_store_state{state="serving"}`:                "0",
		`jackdaw_store_state{state="full"}`:                   "1",
		`jackdaw_store_state{state="failed"}`:                 "0",
		`jackdaw_store_free_bytes`:                            "1.048576e+06",
		`jackdaw_dumps_total{reason="memory"}`:                "81",
		`jackdaw_dumps_total{reason="signal"}`:                "0",
	} {
		if got[series] != want {
			t.Errorf("%s is %q, not %s", series, got[series], want)
		}
	}
	if _, ok := got[`jackdaw_queue_top{kind="mailbox",rank="11"}`]; ok {
		t.Error("an eleventh rank")
	}
	if got["jackdaw_uptime_seconds"] == "" || got["go_goroutines"] == "" {
		t.Error("nothing of the process")
	}
	for name := range got {
		if strings.HasPrefix(name, "jackdaw_build_info") && !strings.Contains(name, `revision="abc",version="v1"`) {
			t.Error(name)
		}
	}
	for _, m := range catalogue() {
		found := false
		for series := range got {
			found = found || strings.HasPrefix(series, m.name)
		}
		if !found {
			t.Errorf("%s was not served", m.name)
		}
	}
}

func TestText(t *testing.T) {
	text, err := NewRegistry(full()).Text()
	if err != nil || !strings.Contains(text, "\njackdaw_restarts_total 46\n") {
		t.Errorf("%v\n%s", err, text)
	}
	twice := full()
	twice.Dumps = nil
	twice.Actors = func() Actors { return Actors{Live: map[string]int64{"a\xff": 1}} } // no label
	if text, err := NewRegistry(twice).Text(); err == nil {
		t.Errorf("no error, and\n%s", text)
	}
}

func TestWithoutSources(t *testing.T) {
	for series := range scraped(t, NewRegistry(Sources{})) {
		if strings.HasPrefix(series, "jackdaw_") && !strings.HasPrefix(series, "jackdaw_build_info") && !strings.HasPrefix(series, "jackdaw_uptime") {
			t.Errorf("%s from nowhere", series)
		}
	}
}

func TestASourceIsAskedOnce(t *testing.T) {
	asked := 0
	s := full()
	actors := s.Actors
	s.Actors = func() Actors { asked++; return actors() }
	scraped(t, NewRegistry(s))
	if asked != 1 {
		t.Errorf("asked %d times: what is told since the last look would be lost", asked)
	}
}

// TestNoSeriesPerActor: labels are few, and none is the id of anything.
func TestNoSeriesPerActor(t *testing.T) {
	allowed := map[string]bool{"result": true, "direction": true, "kind": true, "rank": true, "reason": true, "outcome": true, "state": true, "version": true, "revision": true, "go": true,
		"phase": true, "fate": true, "peer": true, "class": true, "database": true} // nodes and databases are few
	for _, m := range catalogue() {
		for _, l := range m.labels {
			if !allowed[l] {
				t.Errorf("%s has the label %s", m.name, l)
			}
		}
		if (m.kind == counter) != strings.HasSuffix(m.name, "_total") {
			t.Errorf("%s is a %s", m.name, m.kind)
		}
		if (m.kind == histogram) != (m.distribute != nil) || (m.kind == histogram) == (m.read != nil) {
			t.Errorf("%s has the wrong reader", m.name)
		}
	}
}

func TestDocs(t *testing.T) {
	got := "# Metrics\n\nServed at `/metrics` of the address `--admin`, in Prometheus' format, together with those of the Go runtime (`go_*`) and the process\n" +
		"(`process_*`). No metric has a series for a single actor, user or connection.\n\n" + Describe()
	golden.File(t, "../docs/METRICS.md", got)
}

func TestHistogram(t *testing.T) {
	h := NewHistogram(CommitItemsBounds)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 1000 {
				h.Observe(float64(i % 4))
			}
		})
	}
	wg.Wait()
	m := h.Measurement()
	if buckets, n := m.cumulative(); n != 4000 || m.Sum != 6000 || buckets[1] != 2000 || buckets[4] != 4000 {
		t.Errorf("%d observations, sum %v, %v", n, m.Sum, buckets)
	}
	for _, bounds := range [][]float64{CommitItemsBounds, CommitSecondsBounds} {
		for i := range bounds[1:] {
			if bounds[i] >= bounds[i+1] {
				t.Errorf("bounds don't ascend: %v", bounds)
			}
		}
	}
}

func TestLogger(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }() // only read afterwards
	for _, format := range []string{"auto", "json", "console"} {
		log, err := NewLogger("warn", format, file)
		if err != nil {
			t.Fatal(err)
		}
		log.Info("left out")
		log.Warn("disk is slow " + format)
	}
	text, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(lines) != 3 || !strings.Contains(lines[2], "WARN\tdisk is slow console") {
		t.Fatalf("log:\n%s", text)
	}
	for i, format := range []string{"auto", "json"} {
		var entry struct{ Level, Time, Msg string }
		if err := json.Unmarshal([]byte(lines[i]), &entry); err != nil || entry.Level != "warn" || entry.Msg != "disk is slow "+format {
			t.Errorf("%s: %v", lines[i], err)
		}
		if _, err := time.Parse(time.RFC3339Nano, entry.Time); err != nil {
			t.Error(err)
		}
	}
	if _, err := NewLogger("loud", "json", file); err == nil {
		t.Error("a level that doesn't exist")
	}
	if _, err := NewLogger("info", "xml", file); err == nil {
		t.Error("a format that doesn't exist")
	}
	if enc, err := newEncoder("auto", true); err != nil || reflect.TypeOf(enc) != reflect.TypeOf(must(newEncoder("console", false))) {
		t.Errorf("auto on a terminal: %T, %v", enc, err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(fmt.Sprint(err))
	}
	return v
}
