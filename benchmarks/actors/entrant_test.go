package main

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackdaw-im/jackdaw/benchmarks/actors/measure"
)

func TestAvailable(t *testing.T) {
	if n, ok := available("MemTotal:       100 kB\nMemFree: 1 kB\nMemAvailable:    5 kB\n"); !ok || n != 5<<10 {
		t.Errorf("%d, %v", n, ok)
	}
	for _, text := range []string{"", "MemAvailable:\n", "MemAvailable: much kB\n"} {
		if _, ok := available(text); ok {
			t.Errorf("%q is understood", text)
		}
	}
}

func TestRoomFor(t *testing.T) {
	if err := roomFor(beam, 1); err != nil {
		t.Error(err)
	}
	if err := roomFor(beam, math.MaxInt/1_000_000); err != nil && !strings.Contains(err.Error(), "of memory, and") {
		t.Error(err)
	}
}

func TestModel(t *testing.T) {
	if got := model("processor\t: 0\nmodel name\t: A Processor @ 2 GHz\n"); got != "A Processor @ 2 GHz" {
		t.Error(got)
	}
	if got := model(""); got != "a processor" {
		t.Error(got)
	}
}

func TestCommand(t *testing.T) {
	b := &built{dir: "/d"}
	job := measure.Job{Workload: "fanin", Size: 100, Span: 500 * time.Millisecond}
	erl := b.command(t.Context(), entrant{beam, variant{flags: []string{"+sbwt", "none"}}}, job, 2)
	if got := strings.Join(erl.Args, " "); got != "erl -noshell -noinput +S 2:2 -pa /d +sbwt none -run contest main fanin 100 0.5" {
		t.Error(got)
	}
	cmd := b.command(t.Context(), entrant{contestant: ours}, job, 2)
	if got := strings.Join(cmd.Args, " "); got != "/d/jackdaw fanin 100 0.5" || !slices.Contains(cmd.Env, "GOMAXPROCS=2") {
		t.Error(got)
	}
}
