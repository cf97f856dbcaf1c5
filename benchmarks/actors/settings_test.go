package main

import (
	"io"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	for line, want := range map[string]func(*settings){
		"":                                   func(s *settings) { s.plot = plotFile },
		"--only fanin,spawn":                 func(s *settings) { s.only = []string{"fanin", "spawn"} },
		"--only fanin --plot x.svg":          func(s *settings) { s.only, s.plot = []string{"fanin"}, "x.svg" },
		"--plot none --rounds 2 --span 1s":   func(s *settings) { s.rounds, s.span = 2, time.Second },
		"--contestants beam --cores 1":       func(s *settings) { s.contestants, s.cores = []string{beam}, 1 },
		"--json":                             func(s *settings) { s.json, s.plot = true, plotFile },
		"--json a.json --require":            func(s *settings) { s.json, s.jsonFile, s.plot, s.require = true, "a.json", plotFile, true },
		"--json=a.json --require":            func(s *settings) { s.json, s.jsonFile, s.plot, s.require = true, "a.json", plotFile, true },
		"--from a.json":                      func(s *settings) { s.from = "a.json" },
		"--from a.json --plot docs/a.svg":    func(s *settings) { s.from, s.plot = "a.json", "docs/a.svg" },
		"--json a.json --only fanin":         func(s *settings) { s.json, s.jsonFile, s.only = true, "a.json", []string{"fanin"} },
		"--only=fanin --json --plot=another": func(s *settings) { s.only, s.json, s.plot = []string{"fanin"}, true, "another" },
	} {
		got, expected := defaults(), defaults()
		want(&expected)
		if err := got.parse(strings.Fields(line), io.Discard); err != nil || !reflect.DeepEqual(got, expected) {
			t.Errorf("%q: %+v, %v; want %+v", line, got, err, expected)
		}
	}
	for _, line := range []string{"--only nothing", "--contestants akka", "--rounds 0", "--span 0s", "--cores 0", "x", "--unknown", "--json a b"} {
		cfg := defaults()
		if err := cfg.parse(strings.Fields(line), io.Discard); err == nil {
			t.Errorf("%q is taken", line)
		}
	}
}

func TestWants(t *testing.T) {
	cfg := settings{contestants: []string{beam}, only: []string{"gc-3m", "fanin"}}
	if !cfg.wants(ours) || !cfg.wants(beam) || cfg.wants(protoactor) {
		t.Error("wants somebody else")
	}
	var names []string
	for _, r := range cfg.rows() {
		names = append(names, r.name)
	}
	if got := strings.Join(names, " "); got != "fanin gc-3m" {
		t.Errorf("rows %s", got)
	}
}
