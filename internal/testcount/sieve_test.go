package main

import (
	"bytes"
	"strings"
	"testing"
)

// TestSieve: a package is run again if the detector broke and nothing else is wrong with it.
func TestSieve(t *testing.T) {
	const check = "output TestA ThreadSanitizer: CHECK failed: tsan_rtl.cpp:346"
	passing := lines("start", "run TestA", "pass TestA", "pass")
	for _, c := range []struct {
		name, in  string
		ok, again bool
	}{
		{"all pass", passing, true, false},
		{"the detector gives up", lines("start", "run TestA", check, "fail"), true, true},
		{"it crashes", lines("start", "run TestA", "output TestA SIGSEGV: segmentation violation", "fail"), true, true},
		{"after a test that failed", lines("start", "run TestB", "fail TestB", "run TestA", check, "fail"), false, false},
		{"after a race", lines("start", "run TestA", "output TestA WARNING: DATA RACE", check, "fail"), false, false},
		{"the program crashes", lines("start", "run TestA", "output TestA panic: runtime error: invalid memory address", "output TestA [signal SIGSEGV: segmentation violation code=0x1]", "fail"), false, false},
		{"a test fails", lines("start", "run TestA", "fail TestA", "fail"), false, false},
		{"a test says the word and passes", lines("start", "run TestA", check, "pass TestA", "pass"), true, false},
		{"cut off", lines("start", "run TestA", check), false, false},
		{"nothing", "", false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out, names bytes.Buffer
			s := newSieve(&out)
			if err := s.read(strings.NewReader("go: a word\n" + c.in)); err != nil {
				t.Fatal(err)
			}
			ok, err := s.close(&names)
			if err != nil || ok != c.ok || (names.String() == pkg+"\n") != c.again || (names.Len() > 0) != c.again {
				t.Fatalf("ok %v, again %q, %v", ok, names.String(), err)
			}
			want := "go: a word\n" + c.in
			if c.again {
				want = "go: a word\n"
			}
			if out.String() != want {
				t.Fatalf("passed on %q", out.String())
			}
		})
	}
}

// TestSieveOfSeveral: packages whose lines are mixed are kept apart.
func TestSieveOfSeveral(t *testing.T) {
	one := strings.SplitAfter(lines("start", "run TestA", "output TestA ThreadSanitizer: CHECK failed", "fail"), "\n")
	two := strings.SplitAfter(strings.ReplaceAll(lines("start", "run TestA", "pass TestA", "pass"), pkg, "example.org/other"), "\n")
	mixed := ""
	for i := range one {
		mixed += one[i] + two[i]
	}
	var out, names bytes.Buffer
	s := newSieve(&out)
	if err := s.read(strings.NewReader(mixed)); err != nil {
		t.Fatal(err)
	}
	if ok, err := s.close(&names); !ok || err != nil || names.String() != pkg+"\n" {
		t.Fatalf("ok %v, again %q, %v", ok, names.String(), err)
	}
	if out.String() != strings.Join(two, "") {
		t.Fatalf("passed on %q", out.String())
	}
}
