package golden

import (
	"os"
	"path/filepath"
	"testing"
)

// judge is a test that may fail.
type judge struct {
	testing.TB
	failed bool
}

// Errorf notes a failure.
func (j *judge) Errorf(string, ...any) { j.failed = true }

func TestFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "want.txt")
	fails := func(got string) bool {
		j := &judge{TB: t}
		File(j, file, got)
		return j.failed
	}
	if !fails("a") {
		t.Error("there is no such file")
	}
	*update = true
	defer func() { *update = false }()
	if fails("a") {
		t.Error("what was written isn't read")
	}
	*update = false
	if fails("a") || !fails("b") {
		t.Error("the file isn't what counts")
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "a" {
		t.Errorf("%q, %v", text, err)
	}
}
