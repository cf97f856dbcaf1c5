package main

import (
	"bytes"
	"strings"
	"testing"
)

const pkg = "example.org/x/y/store"

// lines makes a run's output of events in short: "action test text".
func lines(events ...string) string {
	var b strings.Builder
	for _, e := range events {
		f := strings.SplitN(e, " ", 3)
		for len(f) < 3 {
			f = append(f, "")
		}
		b.WriteString(`{"Action":"` + f[0] + `","Package":"` + pkg + `"`)
		if f[1] != "" {
			b.WriteString(`,"Test":"` + f[1] + `"`)
		}
		if f[2] != "" {
			b.WriteString(`,"Output":"` + f[2] + `\n"`)
		}
		b.WriteString("}\n")
	}
	return b.String()
}

func TestCounter(t *testing.T) {
	passing := lines("start", "run TestA", "output TestA === RUN   TestA", "output TestA quiet", "pass TestA", "pass")
	for _, c := range []struct {
		name, in string
		ok       bool
		want     []string // parts of the report, in order
		not      string
	}{
		{"all pass", passing, true, []string{"ok    store ", "1 tests", "\n1 passed, 0 failed, 0 skipped\n"}, "quiet"},
		{"two runs", passing + passing, true, []string{"2 passed, 0 failed, 0 skipped"}, ""},
		{"one fails", lines("start", "run TestA", "output TestA === RUN   TestA", "output TestA a_test.go:1: wrong", "output TestA --- FAIL: TestA (0.00s)", "fail TestA",
			"run TestB", "pass TestB", "output  FAIL", "fail"), false,
			[]string{"--- FAIL: " + pkg + " TestA (0.0s)\na_test.go:1: wrong\n", "FAIL  store ", "2 tests", "1 passed, 1 failed, 0 skipped"}, "=== RUN"},
		{"skipped", lines("start", "run TestA", "pass TestA", "run TestB", "output TestB     b_test.go:1: needs root", "skip TestB",
			"run TestC", "output TestC     b_test.go:9: needs root", "skip TestC", "run TestD", "skip TestD", "pass"), true,
			[]string{"skip  store ", " 1 tests: \n", "skip  store ", " 2 tests: needs root\n", "ok    store ", " 4 tests ", "1 passed, 0 failed, 3 skipped"}, "SKIP"},
		{"a panic", lines("start", "run TestA", "output TestA panic: oh", "fail"), false,
			[]string{"TestA did not end\npanic: oh\n", "0 passed, 1 failed, 0 skipped"}, ""},
		{"TestMain fails", lines("start", "output  no disk", "output  FAIL", "fail"), false,
			[]string{"FAIL  store ", "no disk\n", "0 passed, 1 failed, 0 skipped"}, ""},
		{"the stream ends early", lines("start", "run TestA", "pass TestA"), false,
			[]string{"FAIL  store: its output ends before its tests\n", "1 passed, 1 failed, 0 skipped"}, ""},
		{"nothing ran", "", false, []string{"0 passed, 0 failed, 0 skipped"}, ""},
		{"a package without tests", lines("start", "output  ?   [no test files]", "skip"), false, []string{"0 passed, 0 failed, 0 skipped"}, "store"},
		{"other lines", "go: downloading x\n{broken\n" + passing, true, []string{"go: downloading x\n{broken\n", "1 passed"}, ""},
		{"doesn't build", `{"ImportPath":"` + pkg + ` [t]","Action":"build-output","Output":"a.go:1: undefined: x\n"}` + "\n" +
			`{"ImportPath":"` + pkg + ` [t]","Action":"build-fail"}` + "\n" + lines("start") +
			`{"Action":"fail","Package":"` + pkg + `","FailedBuild":"` + pkg + ` [t]"}` + "\n", false,
			[]string{"FAIL  store doesn't build\na.go:1: undefined: x\n", "0 passed, 1 failed, 0 skipped"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			counter := newCounter(&out)
			if err := counter.read(strings.NewReader(c.in)); err != nil {
				t.Fatal(err)
			}
			if ok := counter.close(); ok != c.ok {
				t.Errorf("close says %v", ok)
			}
			rest := out.String()
			for _, want := range c.want {
				_, after, found := strings.Cut(rest, want)
				if !found {
					t.Fatalf("no %q in order in\n%s", want, out.String())
				}
				rest = after
			}
			if c.not != "" && strings.Contains(out.String(), c.not) {
				t.Errorf("%q in\n%s", c.not, out.String())
			}
		})
	}
}

func TestShort(t *testing.T) {
	for in, want := range map[string]string{"github.com/a/b": "github.com/a/b", "github.com/a/b/c/d": "c/d", "strings": "strings", "a/b/c/d": "a/b/c/d"} {
		if got := short(in); got != want {
			t.Errorf("short(%q) is %q, want %q", in, got, want)
		}
	}
}
