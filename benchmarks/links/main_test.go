package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestSmoke builds everybody who can be had here and runs each once, for as short as can be. It asserts no times.
func TestSmoke(t *testing.T) {
	cfg := defaults()
	cfg.rounds, cfg.span, cfg.jsonFile = 1, 2*time.Millisecond, filepath.Join(t.TempDir(), "figures.json")
	var progress, out strings.Builder
	rep, err := competition(t.Context(), &cfg, &progress)
	if err != nil {
		t.Fatalf("%v\n%s", err, progress.String())
	}
	for _, e := range rep.Contestants {
		if e.Error != "" || e.Figures.CPU <= 0 || e.Figures.Rate <= 0 {
			t.Errorf("%+v", e)
		}
	}
	if len(rep.Contestants) < len(contestants())-2 { // without Erlang
		t.Errorf("%+v\n%s", rep.Notes, progress.String())
	}
	if err := show(&cfg, rep, &out); err != nil || !strings.Contains(out.String(), "links over the carrier") {
		t.Errorf("%v, printed\n%s", err, out.String())
	}
	if text, err := os.ReadFile(cfg.jsonFile); err != nil || !strings.Contains(string(text), "cpu_us") {
		t.Errorf("%v: %s", err, text)
	}
}

func TestRun(t *testing.T) {
	for args, want := range map[string]int{"-h": 2, "--only nobody": 2, "x": 2} {
		if got := run(strings.Fields(args), io.Discard, io.Discard); got != want {
			t.Errorf("%q: %d", args, got)
		}
	}
	var out strings.Builder
	if code := run(strings.Fields("--only stream --rounds 1 --span 1ms --json"), &out, io.Discard); code != 0 || !strings.HasPrefix(out.String(), "{") {
		t.Errorf("%d, %s", code, out.String())
	}
}
