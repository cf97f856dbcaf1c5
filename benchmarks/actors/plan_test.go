package main

import (
	"slices"
	"strings"
	"testing"
)

func TestRows(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range rows() {
		if seen[r.name] || r.title == "" || r.size < 1 {
			t.Errorf("%+v", r)
		}
		seen[r.name] = true
		if r.who[0] != ours {
			t.Errorf("%s: ours isn't the first of %v", r.name, r.who)
		}
		for _, c := range r.who {
			if !slices.Contains(contestants(), c) || r.size >= million && of(c).room == 0 {
				t.Errorf("%s: %s", r.name, c)
			}
		}
		for _, b := range r.bars {
			if b.of != "" && !slices.Contains(r.who, b.of) {
				t.Errorf("%s is compared with %s, who isn't there", r.name, b.of)
			}
		}
	}
}

func TestErlangsVariants(t *testing.T) {
	names := func(workload string, m metric) string {
		var names []string
		for _, v := range variants(beam, row{workload: workload, metric: m}) {
			names = append(names, v.name)
		}
		return strings.Join(names, "|")
	}
	for _, test := range []struct {
		workload string
		metric   metric
		want     string
	}{
		{"pingpong", cpu, "|no busy wait"},
		{"fanin", cpu, "|no busy wait|no busy wait, off-heap queues"},
		{"idle", bytes, "|hibernated"},
	} {
		if got := names(test.workload, test.metric); got != test.want {
			t.Errorf("%s: %q", test.workload, got)
		}
	}
	if len(quiet) != 6 || len(variants(ours, row{})) != 1 {
		t.Error("variants changed each other")
	}
	if got := strings.Join(erlangFlags(2, 10, "/x"), " "); got != "-noshell -noinput +S 2:2 -pa /x" {
		t.Error(got)
	}
	if got := strings.Join(erlangFlags(4, 3*million, "/x"), " "); got != "-noshell -noinput +S 4:4 -pa /x +P 6000000" {
		t.Error(got)
	}
}
