package golden

import (
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

// File fails the test unless a file, named as from the test's folder, is what has been made.
func File(tb testing.TB, file, got string) {
	tb.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			tb.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || got != string(want) {
		tb.Errorf("%s is out of date (%v): run this test with -update and look at the difference. Now:\n%s", file, err, got)
	}
}
