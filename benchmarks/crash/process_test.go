//go:build !race

package main

import (
	"flag"
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/internal/testnode"
)

// roundsFlag is for shorter or longer runs: go test -run TestKill9 -rounds=3 ./benchmarks/crash
var roundsFlag = flag.Int("rounds", 20, "crashes of the real server in TestKill9")

// TestKill9 crashes the real binary. The race detector would look at this process only, which the other tests let it do.
func TestKill9(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	cfg := defaults()
	cfg.rounds = *roundsFlag
	if cfg.rounds < 20 {
		cfg.acked, cfg.rate = 3000, 0 // short rounds say nothing about the rate
	}
	var out strings.Builder
	all, err := crash(t.Context(), cfg, t.TempDir(), &out)
	if err == nil {
		err = verdict(cfg, all, &out)
	}
	if removeErr := testnode.RemoveBuild(); removeErr != nil {
		t.Error(removeErr)
	}
	t.Log(out.String())
	if err != nil {
		t.Fatalf("seed %d: %v", cfg.seed, err)
	}
}
