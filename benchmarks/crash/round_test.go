package main

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/jackdaw-im/jackdaw/benchmarks/load"
	"github.com/jackdaw-im/jackdaw/benchmarks/load/loadtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// few are settings for a server in memory.
func few() settings {
	cfg := defaults()
	cfg.rounds, cfg.acked, cfg.senders, cfg.online, cfg.offline, cfg.window, cfg.rate, cfg.grace = 3, 300, 3, 2, 2, 8, 0, 10*time.Second
	return cfg
}

// rounds runs all rounds against a server with this fault.
func rounds(t *testing.T, cfg settings, fault loadtest.Fault) []*round {
	t.Helper()
	server := loadtest.New(t, fault)
	w := newWorld(cfg, load.Accounts{Addr: server.Addr, Domain: "localhost", Prefix: "u", Password: loadtest.Password})
	random := rand.New(rand.NewPCG(cfg.seed, 0))
	var all []*round
	for i := range cfg.rounds {
		r, err := w.runRound(t.Context(), server, i+1, random)
		if err != nil {
			t.Fatalf("seed %d: %v", cfg.seed, err)
		}
		all = append(all, r)
	}
	return all
}

func TestRoundsAgainstAGoodServer(t *testing.T) {
	cfg := few()
	all := rounds(t, cfg, nil)
	var out strings.Builder
	if err := verdict(cfg, all, &out); err != nil {
		t.Errorf("seed %d: %v\n%s", cfg.seed, err, out.String())
	}
	acked, unacked := 0, 0
	for _, r := range all {
		acked += r.acked
		unacked += r.unacked
		if r.failed() || r.acked < cfg.acked*4/5 {
			t.Errorf("seed %d: round %+v", cfg.seed, r)
		}
	}
	total := all[len(all)-1].total
	if acked == 0 || total.Acked < acked || total.Resent > unacked || total.Received < total.Acked {
		t.Errorf("seed %d: %d acknowledged, %d not; %+v", cfg.seed, acked, unacked, total)
	}
	if !strings.Contains(out.String(), "crashes, ") {
		t.Errorf("verdict %q", out.String())
	}
}

func TestRoundsFindFaults(t *testing.T) {
	ninth := func(raw []byte) bool { return bytes.Contains(raw, []byte("/9/")) }
	var held []byte
	for name, test := range map[string]struct {
		fault loadtest.Fault
		found func(r *round) int
	}{
		"lost": {func(_ int, raw []byte) [][]byte {
			if ninth(raw) {
				return nil
			}
			return [][]byte{raw}
		}, func(r *round) int { return r.lost }},
		"another id": {func(_ int, raw []byte) [][]byte {
			if ninth(raw) {
				return [][]byte{raw, bytes.Replace(raw, []byte("<origin-id "), []byte("<origin "), 1)}
			}
			return [][]byte{raw}
		}, func(r *round) int { return r.altered }},
		"order": {func(_ int, raw []byte) [][]byte {
			if held == nil && bytes.Contains(raw, []byte("/0/3/9/")) {
				held = raw
				return nil
			}
			if held != nil && bytes.Contains(raw, []byte("/0/3/10/")) {
				return [][]byte{raw, held}
			}
			return [][]byte{raw}
		}, func(r *round) int { return r.reordered }},
		"text": {func(_ int, raw []byte) [][]byte {
			if ninth(raw) {
				raw = bytes.Replace(raw, []byte("...<"), []byte("..!<"), 1)
			}
			return [][]byte{raw}
		}, func(r *round) int { return r.unknown }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // they mostly wait
			cfg := few()
			cfg.rounds, cfg.grace = 1, time.Second
			all := rounds(t, cfg, test.fault)
			if test.found(all[0]) == 0 || !all[0].failed() {
				t.Errorf("seed %d: not found: %+v", cfg.seed, all[0])
			}
			var out strings.Builder
			if err := verdict(cfg, all, &out); err == nil || !strings.Contains(out.String(), "fault:") {
				t.Errorf("verdict %v, %s", err, out.String())
			}
		})
	}
}

func TestASlowLoadIsNoTest(t *testing.T) {
	cfg := few()
	cfg.rounds, cfg.rate = 1, 1e9
	var out strings.Builder
	if err := verdict(cfg, rounds(t, cfg, nil), &out); err == nil || !strings.Contains(err.Error(), "fewer than") {
		t.Errorf("verdict %v", err)
	}
}

func TestDuplicatesAreAllowed(t *testing.T) {
	cfg := few()
	cfg.rounds = 1
	all := rounds(t, cfg, func(_ int, raw []byte) [][]byte { return [][]byte{raw, raw} })
	if all[0].duplicates == 0 || all[0].failed() {
		t.Errorf("seed %d: %+v", cfg.seed, all[0])
	}
}

func TestSettings(t *testing.T) {
	for line, ok := range map[string]bool{"": true, "--rounds 2 --seed 7": true, "--rounds 0": false, "x": false, "--nothing": false,
		"--server a:1": false, "--online 0 --offline 0": false, "--server a:1 --command x": true} {
		cfg := defaults()
		if err := cfg.parse(strings.Fields(line)); (err == nil) != ok {
			t.Errorf("%q: %v", line, err)
		}
	}
	if cfg := defaults(); cfg.rounds*cfg.acked*4/5 < 90_000 || cfg.rate < 2000 || cfg.users() != cfg.senders+cfg.online+cfg.offline {
		t.Errorf("defaults %+v", cfg)
	}
}

func TestForeignServerThatEnds(t *testing.T) {
	cfg := defaults()
	cfg.server, cfg.command = "127.0.0.1:1", "echo no; exit 1"
	server, accounts, err := open(t.Context(), cfg, "")
	if err != nil || accounts.Addr != cfg.server {
		t.Fatal(accounts, err)
	}
	if err := server.Start(t.Context()); err == nil || server.Output() != "no\n" {
		t.Errorf("start: %v, output %q", err, server.Output())
	}
}
