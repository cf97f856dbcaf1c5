package archtest

import (
	"io/fs"
	"os"
	"testing"
)

// TestTheRules holds the whole module to all rules.
func TestTheRules(t *testing.T) {
	root := os.DirFS("../..")
	tree, err := Load(root)
	if err != nil {
		t.Fatal(err)
	}
	levels, err := LevelsOf(tree.Text("docs/ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules(levels, root) {
		t.Run(r.name, func(t *testing.T) {
			for _, f := range r.check(tree) {
				t.Error(f)
			}
		})
	}
	total, _ := Lines(tree)
	t.Logf("%d lines of source, %d of test, in %d hand-written files", total.Source, total.Test, len(tree.Files))
}

type rule struct {
	name  string
	check func(*Tree) []Finding
}

func rules(levels Levels, root fs.FS) []rule {
	return []rule{
		{"imports", func(t *Tree) []Finding { return Imports(t, levels) }},
		{"confined", Confined},
		{"caps", Caps},
		{"documented", Documented},
		{"package comments", PackageDocs},
		{"goroutines", Goroutines},
		{"clocks", Clocks},
		{"sleeps", Sleeps},
		{"log keys", LogKeys},
		{"names", Names},
		{"unfinished", Unfinished},
		{"five files", Shape},
		{"tested", Tested},
		{"pages", func(t *Tree) []Finding { return Pages(t, root) }},
	}
}
