package extending

import (
	"os"
	"testing"
)

// TestThePage follows docs/EXTENDING.md. It compiles a copy of the module, which takes a minute.
func TestThePage(t *testing.T) {
	if testing.Short() {
		t.Skip("it compiles a copy of the module")
	}
	page, err := os.ReadFile("../../docs/EXTENDING.md")
	if err != nil {
		t.Fatal(err)
	}
	r := newReader(t)
	for _, b := range blocks(string(page)) {
		r.follow(b)
	}
}
