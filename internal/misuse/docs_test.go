package misuse_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestFaultsAreShown: each row of docs/FAULTS.md names tests, and those are there.
func TestFaultsAreShown(t *testing.T) {
	page, err := os.ReadFile("../../docs/FAULTS.md")
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if len(cells) != 3 || !strings.HasPrefix(line, "| ") || strings.TrimSpace(cells[2]) == "shown by" {
			continue
		}
		before := named
		for _, m := range regexp.MustCompile("`([a-z0-9/]+)` ([^`;]+)").FindAllStringSubmatch(cells[2], -1) {
			text := source(t, filepath.Join("../..", m[1]))
			for name := range strings.SplitSeq(m[2], ",") {
				name = strings.TrimSpace(name)
				if name == "" {
					continue
				}
				test, sub, _ := strings.Cut(name, "/")
				if !strings.Contains(text, "func "+test+"(") || sub != "" && !strings.Contains(text, `"`+sub+`"`) {
					t.Errorf("%s: there is no %s in %s", cells[0], name, m[1])
				}
				named++
			}
		}
		if named == before {
			t.Errorf("%s: no test is named", cells[0])
		}
	}
	if named < 50 {
		t.Errorf("%d tests were found", named)
	}
}

// source is all Go code of a folder.
func source(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %v, %v", dir, files, err)
	}
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}
