package main

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/benchmarks/load"
	"github.com/jackdaw-im/jackdaw/internal/talk"
)

func TestSettings(t *testing.T) {
	for line, ok := range map[string]bool{"": true, "--rounds 2 --seed 7 --only kill,flap": true, "--rounds 0": false, "x": false, "--nothing": false,
		"--only weather": false, "--interval 0s": false, "--users 1": false, "--short --json --demo --nodes 5": true} {
		cfg := defaults()
		if err := cfg.parse(strings.Fields(line)); (err == nil) != ok {
			t.Errorf("%q: %v", line, err)
		}
	}
	cfg := defaults()
	if err := cfg.parse([]string{"--only", "flap,kill"}); err != nil || len(cfg.chosen()) != 2 || cfg.chosen()[0].name != "flap" {
		t.Errorf("chosen %v, %v", cfg.chosen(), err)
	}
	seen := map[string]bool{}
	for _, f := range faults() {
		if seen[f.name] || f.what == "" || f.do == nil || f.nodes < 3 {
			t.Errorf("fault %q", f.name)
		}
		seen[f.name] = true
	}
	if all := defaults(); len(all.chosen()) != len(seen) {
		t.Error("not everything is shown")
	}
	r := round{cfg: settings{short: true}}
	if r.during(time.Hour, time.Second) != time.Second {
		t.Error("short isn't")
	}
}

func TestFlapBound(t *testing.T) {
	const usual, login = 3.0, 20.0
	thousand := burden{sent: 1000}
	calm := flapBound(3, usual, login, thousand, nil)
	if calm != 3000 {
		t.Errorf("without a cut, 1000 messages may cost %v", calm)
	}
	short, vain := cut{seconds: 2}, cut{seconds: 2, open: 100, unacked: 400}
	one, two := flapBound(3, usual, login, thousand, []cut{short}), flapBound(3, usual, login, thousand, []cut{short, short})
	if one <= calm || two-one != one-calm {
		t.Errorf("bounds %v, %v", one, two)
	}
	// What was sent in vain goes once more as a frame, and once more when there is a way. That messages are open costs nothing by itself.
	if got := flapBound(3, usual, login, thousand, []cut{vain}); got != one+800 {
		t.Errorf("400 envelopes without an acknowledgement may cost %v", got-one)
	}
	if got := flapBound(3, usual, login, burden{sent: 1000, repeats: 70, logins: 5}, []cut{short}); got != one+2*70+2*20*5 {
		t.Errorf("70 tries and 5 logins may cost %v", got-one)
	}
	// Of four nodes one gives another one up: that is a twelfth of all who may, and of what is open, twice.
	lossless, loss := burden{sent: 1000, users: 60}, burden{sent: 1000, users: 60, givenUp: 1}
	if got := flapBound(4, usual, login, loss, []cut{vain}) - flapBound(4, usual, login, lossless, []cut{vain}); math.Abs(got-2*(2*100+20*60)/12.0) > 1e-6 {
		t.Errorf("that a node is given up may cost %v", got)
	}
	// What the links add depends on how many there are, and not on the load.
	links := func(nodes int) float64 {
		return flapBound(nodes, usual, login, burden{}, []cut{short}) / float64(nodes*(nodes-1))
	}
	if math.Abs(links(3)-links(10)) > 1e-9 {
		t.Errorf("a link costs %v of 3 nodes, %v of 10", links(3), links(10))
	}
}

// TestBurden: what senders may repeat follows from how long each message was open.
func TestBurden(t *testing.T) {
	w, _ := small(t, nil)
	w.mu.sending = true
	begin := time.Now().Add(-time.Minute)
	say := func(to, from, until int) *message { // seconds; until 0: it is open, for a minute
		m := w.compose(0, to)
		w.sent(&talk.Attempt{Message: m, At: begin.Add(time.Duration(from) * time.Second), Addr: "a:1"})
		if until > 0 {
			m.acked, m.ackedAt = true, begin.Add(time.Duration(until)*time.Second)
		}
		return m
	}
	say(1, 0, 9)   // over before
	say(2, 8, 11)  // too short to be repeated
	say(3, 10, 22) // twice
	say(4, 10, 16) // once
	say(4, 12, 16) // with that one
	say(4, 17, 18) // behind nothing
	for _, m := range []*message{say(5, 30, 36), say(5, 40, 41)} {
		w.sent(&talk.Attempt{Message: m, At: begin.Add(35 * time.Second), Addr: "b:1"}) // by its client, too
	}
	w.compose(1, 2) // not sent
	if got, want := w.burden(begin.Add(10*time.Second)), (burden{sent: 9, repeats: 6}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	say(1, 1, 0)
	if got := w.burden(begin.Add(10 * time.Second)); got.sent != 10 || got.repeats < 6+11 {
		t.Errorf("with one that is open: %+v", got)
	}
	if w.openOf(begin) != 0 || w.openOf(begin.Add(2*time.Second)) != 1 {
		t.Error("what is open")
	}
}

// TestMeter: a counter that begins anew goes on where it was.
func TestMeter(t *testing.T) {
	const resent = `jackdaw_link_resent_total{peer="b",class="data"}`
	var m meter
	for _, look := range []struct {
		node         string
		resent, sent float64
		sum          float64
	}{{"a", 5, 100, 105}, {"b", 1, 0, 106}, {"a", 9, 100, 110}, {"a", 2, 110, 122}, {"b", 1, 0, 122}} {
		m.see(look.node, map[string]float64{resent: look.resent, `jackdaw_cluster_envelopes_total{fate="sent"}`: look.sent, "jackdaw_link_queue{}": 7})
		if m.sum != look.sum {
			t.Fatalf("after %v: %v", look, m.sum)
		}
	}
}

// TestLongest99: the last column leaves somebody out.
func TestLongest99(t *testing.T) {
	cfg := defaults()
	w := newWorld(t.Context(), cfg, load.Accounts{Domain: "localhost"}, nil)
	for i := range cfg.users {
		w.mu.wait[i] = time.Second
	}
	w.mu.wait[7], w.mu.wait[9] = time.Minute, time.Hour
	var r result
	if r.judge(w); r.Longest != 3600 || r.Longest99 != 1 {
		t.Fatalf("longest %v, of all but a hundredth %v", r.Longest, r.Longest99)
	}
}

func TestTable(t *testing.T) {
	good := result{Fault: "kill", Seed: 5, Acked: 7, Refused: map[string]int{"a": 2, "b": 3}}
	good.note("%d things", 3)
	bad := result{Fault: "part", Seed: 6, Reordered: 9, Excused: 8}
	bad.broken("%s is broken", "all")
	var out strings.Builder
	head(&out)
	good.print(&out)
	bad.print(&out)
	cfg := settings{only: []string{"kill", "part"}, rounds: 1}
	err := verdict(cfg, []result{good, bad}, &out)
	lines := strings.Split(out.String(), "\n")
	if !strings.HasSuffix(lines[1], "3 things") || !strings.Contains(lines[1], " 5 ") || !strings.Contains(lines[2], "(8) 1") || !strings.Contains(lines[3], "BROKEN (seed 6): all is broken") {
		t.Error(out.String())
	}
	if err == nil || !strings.Contains(err.Error(), "1 of 2") || verdict(settings{only: []string{"kill"}}, []result{good}, &out) != nil {
		t.Errorf("verdict %v", err)
	}
	for i, column := range []string{"seed", "acked", "p99"} {
		if end := strings.Index(lines[0], column) + len(column); i < 2 && lines[1][end-1] == ' ' {
			t.Errorf("column %s isn't under its head", column)
		}
	}
	b, err := json.Marshal(good)
	if err != nil || !strings.Contains(string(b), `"acked":7`) || strings.Contains(string(b), "broken") {
		t.Errorf("%s, %v", b, err)
	}
}
