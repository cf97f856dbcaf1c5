package dump

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/jackdaw-im/jackdaw/telemetry"
)

// crashEnv makes this test binary a server that dies: its value says how, and dirEnv where its dumps are.
const (
	crashEnv = "DUMP_CRASH"
	dirEnv   = "DUMP_DIR"
)

func TestMain(m *testing.M) {
	if how := os.Getenv(crashEnv); how != "" {
		die(how)
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// die plays a server's life until its end, which comes out of a goroutine that nobody guards.
func die(how string) {
	f := NewFolder(Config{Dir: os.Getenv(dirEnv), About: about(), Source: healthy()})
	err := f.CatchCrash()
	if how != "at once" {
		err = errors.Join(err, f.Snapshot(context.Background()))
	}
	if err != nil {
		panic(err)
	}
	done := make(chan struct{})
	go func() {
		switch how {
		case "panic":
			panic("first line\n=end of the line")
		case "fatal":
			m := map[int]int{}
			go func() {
				for {
					m[1]++
				}
			}()
			for {
				m[1]++
			}
		case "overflow":
			debug.SetMaxStack(1 << 16)
			deep(1)
		case "guarded":
			f.Guard(func() { panic("guarded") })
		case "in order":
			if err := f.Release(); err != nil {
				panic(err)
			}
		}
		close(done) // only if nothing was deadly
	}()
	<-done
}

// deep calls itself until the stack is over; to the compiler n could be below 0.
func deep(n int) {
	if n >= 0 {
		deep(n + 1)
		runtime.KeepAlive(&n)
	}
}

// lives runs a server of this folder that dies.
func lives(t *testing.T, f *Folder, how string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashEnv+"="+how, dirEnv+"="+f.cfg.Dir)
	out, err := cmd.CombinedOutput()
	if died := how != "killed" && how != "at once" && how != "in order"; (err != nil) != died {
		t.Fatalf("%s: %v\n%s", how, err, out)
	}
}

// TestLastWords: however a run ends, the next start says so, and leaves a dump of it.
func TestLastWords(t *testing.T) {
	for _, c := range []struct {
		how    string
		reason Reason
		log    string
		want   []string
	}{
		{"panic", Fatal, "the last run ended in a fatal error", []string{"the server died of a fatal error", "panic: first line\n", "dump.die", "What follows is from", "romeo@localhost", "== supervision tree"}},
		{"fatal", Fatal, "the last run ended in a fatal error", []string{"standard error alone", "maps.fatal"}},
		{"overflow", Fatal, "the last run ended in a fatal error", []string{"standard error alone", "dump.deep"}},
		{"killed", Killed, "the last run ended without last words", []string{"What follows is from", "== supervision tree"}},
		{"at once", "", "the last run did not end in good order", nil},
		{"in order", "", "", nil},
	} {
		t.Run(c.how, func(t *testing.T) {
			f, logs := folder(t, 0)
			lives(t, f, c.how)
			if err := f.CatchCrash(); err != nil {
				t.Fatal(err)
			}
			if all := list(t, f); c.reason == "" && len(all) > 0 || c.reason != "" && (len(all) != 1 || all[0].Reason != c.reason || time.Since(all[0].When) > time.Hour) {
				t.Fatalf("listed %+v", all)
			}
			if c.log == "" {
				if logs.Len() > 0 {
					t.Errorf("logged %+v", logs.All())
				}
			} else if entry := logs.All()[0]; entry.Message != c.log {
				t.Errorf("logged %+v", entry)
			} else if path, _ := entry.ContextMap()[telemetry.KeyFile].(string); c.reason != "" {
				got := view(t, path)
				for _, want := range c.want {
					if !strings.Contains(got, want) {
						t.Errorf("%q isn't in\n%s", want, got)
					}
				}
				if strings.Contains(got, "cut off") {
					t.Error(got)
				}
				if f.Written()[c.reason] != 1 {
					t.Errorf("counted %v", f.Written())
				}
			}
			if err := f.Release(); err != nil {
				t.Error(err)
			}
			logs.TakeAll()
			if err := errors.Join(f.CatchCrash(), f.Release()); err != nil || logs.Len() > 0 {
				t.Errorf("after a run that ended in order: %v, %v", err, logs.All())
			}
			for _, name := range []string{runningFile, snapshotFile} {
				if _, err := os.Stat(f.path(name)); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s is left: %v", name, err)
				}
			}
		})
	}
}

// TestGuardedLastWords: a guarded goroutine's panic leaves two dumps, and its traceback is that of the panic.
func TestGuardedLastWords(t *testing.T) {
	f, _ := folder(t, 0)
	lives(t, f, "guarded")
	if err := errors.Join(f.CatchCrash(), f.Release()); err != nil {
		t.Fatal(err)
	}
	all := list(t, f)
	if len(all) != 2 || all[0].Reason != Fatal || all[1].Reason != Panic {
		t.Fatalf("listed %+v", all)
	}
	if got := view(t, all[0].Path); !strings.Contains(got, "panic: guarded") || !strings.Contains(got, "dump.die.func") || strings.Contains(got, "recovered") {
		t.Error(got)
	}
}

// TestLookedAtBeforeTheNextStart: the file of a run that died can be shown as it is.
func TestLookedAtBeforeTheNextStart(t *testing.T) {
	f, _ := folder(t, 0)
	lives(t, f, "panic")
	got := view(t, f.path(runningFile))
	if !strings.Contains(got, "panic: first line") || !strings.Contains(got, "goroutine ") || strings.Contains(got, "cut off") {
		t.Error(got)
	}
}

// TestDamaged: what the last run left may be anything.
func TestDamaged(t *testing.T) {
	for _, c := range []struct {
		running, snapshot string
		reason            Reason
	}{
		{"", "", ""},
		{"=du", "=dump {}\n{\"node\":", ""},
		{"garbage", "garbage", ""},
		{"=dump {}\n{}\n=traceback {}\npanic: x\n", "", Fatal},
		{"=dump {}\n{\"node\":\"node@1\"}\n=traceback {}\n", "=dump {}\n{\"node\":\"node@2\"}\n=tree {}\n", ""}, // another run's
		{"=dump {}\n{\"node\":\"node@1\"}\n=traceback {}\n", "=dump {}\n{\"node\":\"node@1\",\"when\":\"2026-01-02T15:04:05Z\"}\n=tree {}\n{\"id\"", Killed},
	} {
		f, _ := folder(t, 0)
		if err := os.MkdirAll(f.cfg.Dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{runningFile: c.running, snapshotFile: c.snapshot} {
			if err := os.WriteFile(f.path(name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(f.CatchCrash(), f.Release()); err != nil {
			t.Errorf("%q, %q: %v", c.running, c.snapshot, err)
		}
		all := list(t, f)
		if c.reason == "" && len(all) > 0 || c.reason != "" && (len(all) != 1 || all[0].Reason != c.reason) {
			t.Errorf("%q, %q: %+v", c.running, c.snapshot, all)
		}
		for _, e := range all {
			view(t, e.Path)
		}
	}
}
