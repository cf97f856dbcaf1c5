package main

import (
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/jackdaw-im/jackdaw/benchmarks/load/loadtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// few are settings for a server in memory, which is this process.
func few(server *loadtest.Server) settings {
	cfg := defaults()
	cfg.idle, cfg.settle, cfg.logins, cfg.pairs, cfg.window, cfg.rate, cfg.stored, cfg.recipients = 12, 0, 10, 4, 3, 1000, 200, 10
	cfg.warm, cfg.measure = time.Millisecond, 20*time.Millisecond
	cfg.server, cfg.pid = server.Addr, os.Getpid()
	return cfg
}

func TestAllParts(t *testing.T) {
	cfg := few(loadtest.New(t, nil))
	results, err := measure(t.Context(), &cfg, io.Discard)
	if err != nil {
		t.Error(err)
	}
	var names []string
	for _, r := range results {
		names = append(names, r.Name)
		if r.Value < 0 && r.Unit != "bytes" {
			t.Errorf("%+v", r)
		}
		if strings.Contains(r.Note, "REFUSED") {
			t.Errorf("%s: %s", r.Name, r.Note)
		}
	}
	want := "idle connection|login, CPU each|logins|1:1 closed loop, 0198, CPU each|1:1 closed loop, 0198|" +
		"1:1 closed loop, no 0198, CPU each|1:1 closed loop, no 0198|1:1 at 1000/s, CPU each|1:1 at 1000/s, p50|1:1 at 1000/s, p99|" +
		"1:1 at 1000/s, p99.9|1:1 at 1000/s, acknowledged, p50|1:1 at 1000/s, acknowledged, p99|offline store|offline store, CPU each|" +
		"offline drain|offline drain, CPU each"
	if got := strings.Join(names, "|"); got != want {
		t.Errorf("measured %s", got)
	}
}

func TestAPartThatFailsDoesNotStopTheOthers(t *testing.T) {
	server := loadtest.New(t, nil)
	cfg := few(server)
	cfg.only = []string{"idle", "login"}
	server.Kill()
	results, err := measure(t.Context(), &cfg, io.Discard)
	if err == nil || len(results) != 0 || !strings.Contains(err.Error(), "idle: ") || !strings.Contains(err.Error(), "login: ") {
		t.Errorf("%v, %v", results, err)
	}
}

func TestRun(t *testing.T) {
	var out, progress strings.Builder
	if code := run([]string{"--print-users", "--idle", "6", "--logins", "1", "--pairs", "1", "--recipients", "1", "--domain", "d"}, &out,
		&progress); code != 0 || !strings.HasPrefix(out.String(), "u0@d,benchmark\n") || strings.Count(out.String(), "\n") != 6 {
		t.Errorf("code %d, %q", code, out.String())
	}
	for _, line := range []string{"--only nothing", "--idle 5", "--idle 20000", "--pid 7", "x", "--unknown"} {
		if code := run(strings.Fields(line), io.Discard, &progress); code != 2 {
			t.Errorf("%q: code %d", line, code)
		}
	}
	cfg := few(loadtest.New(t, nil))
	out.Reset()
	code := run([]string{"--only", "login", "--logins", "4", "--server", cfg.server, "--pid", "-1", "--json"}, &out, &progress)
	if code != 1 || strings.TrimSpace(out.String()) != "null" {
		t.Errorf("code %d, %q", code, out.String())
	}
}

func TestStamp(t *testing.T) {
	for _, at := range []time.Duration{0, 1, time.Hour} {
		got, ok := unstamp(stamp(at))
		if !ok || got != at || len(stamp(at)) != 100 {
			t.Errorf("%v became %v, %v", at, got, ok)
		}
	}
	if _, ok := unstamp("hello"); ok {
		t.Error("any text is a time")
	}
}

func TestUsersSuffice(t *testing.T) {
	cfg := settings{idle: 6, logins: 7, pairs: 10, recipients: 50}
	if cfg.users() != 60 {
		t.Errorf("%d users", cfg.users())
	}
}
