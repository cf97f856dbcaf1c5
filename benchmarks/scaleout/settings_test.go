package main

import (
	"io"
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	cfg := defaults()
	err := cfg.parse(strings.Fields("--only paced,crowd --nodes 2,4 --rate 100 --standby --json --rounds 1"), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(cfg.nodes, []int{2, 4}) || cfg.rate != 100 || !cfg.standby || !cfg.json || cfg.rounds != 1 {
		t.Errorf("%+v", cfg)
	}
	if !cfg.wants(paced) || cfg.wants(full) || !cfg.wants(crowd) {
		t.Errorf("wants %v", cfg.only)
	}
	for _, f := range cfg.facts() {
		if f.Name == "store" && !strings.Contains(f.Value, "standby") {
			t.Errorf("the standby isn't said: %q", f.Value)
		}
	}
}

func TestDefaultsAreGood(t *testing.T) {
	cfg := defaults()
	if err := cfg.parse(nil, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, n := range cfg.nodes {
		if cfg.pairs%(n*n) != 0 {
			t.Errorf("%d pairs aren't spread evenly over %d nodes", cfg.pairs, n)
		}
	}
	if cfg.accounts(paced) != 2*cfg.pairs || cfg.accounts(crowd) != cfg.users+cfg.resting {
		t.Errorf("%d and %d accounts", cfg.accounts(paced), cfg.accounts(crowd))
	}
}

func TestMisuse(t *testing.T) {
	for _, line := range []string{"x", "--unknown", "--only nothing", "--nodes x", "--nodes 0", "--nodes 1,1", "--nodes 21", "--nodes 1,", "--rounds 0",
		"--users 5", "--rate 0", "--warm 0s", "--measure -1s", "--pairs 0"} {
		var said strings.Builder
		if code := run(strings.Fields(line), io.Discard, &said); code != 2 || said.Len() == 0 {
			t.Errorf("%q: code %d, said %q", line, code, said.String())
		}
	}
	var help strings.Builder
	if code := run([]string{"-h"}, io.Discard, &help); code != 2 || !strings.Contains(help.String(), "-standby") || !strings.Contains(help.String(), "crowd  memory") {
		t.Errorf("code %d, help %q", code, help.String())
	}
}

func TestVisits(t *testing.T) {
	cfg := defaults()
	names := func(round int) (list []string) {
		for _, v := range cfg.visits(round) {
			list = append(list, v.name)
		}
		return list
	}
	if first, second := names(0), names(1); !slices.Equal(first, []string{"load", crowd}) || !slices.Equal(second, []string{"load"}) {
		t.Errorf("visits %v, then %v", first, second)
	}
	cfg.only = []string{crowd}
	if first, second := names(0), names(1); !slices.Equal(first, []string{crowd}) || len(second) != 0 {
		t.Errorf("visits %v, then %v", first, second)
	}
}
