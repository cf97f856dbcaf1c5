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

// TestSmoke builds everybody who can be had here, and runs every workload at the smallest sizes. It asserts no times.
func TestSmoke(t *testing.T) {
	plan := rows()
	for i := range plan {
		plan[i].size = min(plan[i].size, 200)
		if plan[i].span > 0 {
			plan[i].span = 10 * time.Millisecond
		}
	}
	cfg := defaults()
	cfg.rounds, cfg.span, cfg.plot = 1, 2*time.Millisecond, filepath.Join(t.TempDir(), "plot.svg")
	var progress, out strings.Builder
	rep, err := competition(t.Context(), &cfg, plan, &progress)
	if err != nil {
		t.Fatalf("%v\n%s", err, progress.String())
	}
	missing := map[string]bool{}
	for _, note := range rep.Notes {
		if who, why, ok := strings.Cut(note, " is missing: "); ok {
			missing[who] = true
			t.Logf("without %s: %s", who, why)
			if why != errNoErlang.Error() && !strings.HasPrefix(why, errNoModule.Error()) {
				t.Errorf("%s can't be built: %s", who, why)
			}
		}
	}
	for i, r := range plan {
		for _, c := range r.who {
			if _, ok := rep.Rows[i].best(c); !ok && !missing[c] && rep.Rows[i].failed(c) != "" {
				t.Errorf("%s: %s: %s", r.name, c, rep.Rows[i].failed(c))
			}
		}
	}
	if err := show(&cfg, rep, &out); err != nil {
		t.Error(err)
	}
	if !strings.Contains(out.String(), "What ours must show") {
		t.Errorf("printed\n%s", out.String())
	}
	if plot, err := os.ReadFile(cfg.plot); err != nil || !strings.HasSuffix(string(plot), "</svg>\n") {
		t.Errorf("plot: %v, %s", err, plot)
	}
}

func TestRun(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.json")
	if err := show(&settings{jsonFile: file}, example(), io.Discard); err != nil {
		t.Fatal(err)
	}
	var out, progress strings.Builder
	if code := run([]string{"--from", file}, &out, &progress); code != 0 || !strings.Contains(out.String(), "Everything is made up.") {
		t.Errorf("code %d, %s", code, progress.String())
	}
	out.Reset()
	if code := run([]string{"--from", file, "--json"}, &out, &progress); code != 0 || !strings.HasPrefix(out.String(), "{\n") {
		t.Errorf("code %d, %s", code, out.String())
	}
	for line, want := range map[string]int{"--unknown": 2, "-h": 2, "--from " + file + ".not": 1} {
		if code := run(strings.Fields(line), io.Discard, io.Discard); code != want {
			t.Errorf("%q: code %d", line, code)
		}
	}
}

// TestWithout finds out that somebody is missing: nothing can be built where no program is found.
func TestWithout(t *testing.T) {
	root, err := moduleRoot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b := &built{dir: t.TempDir(), missing: map[string]error{}, facts: map[string]string{}}
	t.Setenv("PATH", t.TempDir())
	if err := b.erlc(t.Context(), filepath.Join(root, folder, beam)); err != errNoErlang {
		t.Errorf("erl: %v", err)
	}
	if _, err := build(t.Context(), root, b.dir, func(c string) bool { return c == ours }); err == nil {
		t.Error("ours is built without go")
	}
	if _, err := moduleRoot(t.Context()); err == nil {
		t.Error("a module is found without go")
	}
}
