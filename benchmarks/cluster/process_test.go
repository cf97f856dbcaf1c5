//go:build !race

package main

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/internal/testcluster"
	"github.com/jackdaw-im/jackdaw/internal/testnode"
)

// abreast is how many clusters are shown at a time: they mostly wait.
const abreast = 3

// TestFaults shows each fault once, in its short form, on real processes. The race detector would look at this process only, which the
// other tests let it do.
func TestFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	cfg := defaults()
	cfg.short, cfg.interval, cfg.sessions = true, 2*cfg.interval, 300
	if os.Getenv(testnode.BinaryEnv) != "" { // the race detector makes nodes many times as slow
		cfg.users /= 4
	}
	turns := make(chan struct{}, abreast)
	for _, f := range slices.Backward(faults()) { // the long ones are among the last
		if f.once { // it takes ten minutes: make cluster-test
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			if f.cuts && !testcluster.IsPrivate() {
				t.Skip(testcluster.ErrNoCuts)
			}
			t.Parallel()
			turns <- struct{}{}
			defer func() { <-turns }()
			cfg := cfg
			cfg.keep = t.TempDir()
			r, err := show(t.Context(), cfg, f, cfg.seed)
			var out strings.Builder
			r.print(&out)
			t.Log(out.String())
			if err != nil {
				t.Fatalf("seed %d: %v", cfg.seed, err)
			}
			if r.failed() {
				t.Errorf("seed %d: %v", cfg.seed, r.Broken)
			}
		})
	}
}
