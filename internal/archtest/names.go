package archtest

import (
	"cmp"
	"fmt"
	"go/ast"
	"path"
	"regexp"
	"slices"
	"strings"
)

// unnamed are names of folders that say nothing about what is in them.
var unnamed = []string{"pkg", "util", "utils", "common", "helper", "helpers", "types"}

// Names checks that no folder has a name that fits everything, and that nothing happens by being imported.
func Names(t *Tree) []Finding {
	var found []Finding
	seen := map[string]bool{}
	for _, f := range t.Files {
		for _, part := range strings.Split(f.Pkg, "/") {
			if slices.Contains(unnamed, part) && !seen[f.Pkg] {
				seen[f.Pkg] = true
				found = append(found, Finding{"folder name", f.Pkg, "a folder called " + part, "it would fit everything, and so collects it"})
			}
		}
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				found = append(found, Finding{"init", t.at(fn), "an init function",
					"nothing happens by being imported: what a package knows stands in a table or a constructor"})
			}
		}
	}
	return found
}

var unfinished = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|X` + `XX)\b`)

// Unfinished checks that no comment and no other text puts work off.
func Unfinished(t *Tree) []Finding {
	const reason = "what lands is finished; what is left belongs into an issue"
	var found []Finding
	for _, f := range t.Files {
		for _, group := range f.ast.Comments {
			for _, c := range group.List {
				if word := unfinished.FindString(c.Text); word != "" {
					found = append(found, Finding{"unfinished", t.at(c), word, reason})
				}
			}
		}
	}
	for _, text := range t.Texts {
		for i, line := range strings.Split(text.Body, "\n") {
			if word := unfinished.FindString(line); word != "" {
				found = append(found, Finding{"unfinished", fmt.Sprintf("%s:%d", text.Path, i+1), word, reason})
			}
		}
	}
	return found
}

// shape are the files that every domain actor has.
var shape = []string{"doc.go", "api.go", "actor.go", "state.go", "spec.go"}

// without are the domain actors that have a reason to lack some of the five.
var without = map[string]struct {
	files  []string
	reason string
}{
	"actors/echo": {[]string{"api.go"}, "nobody in the server speaks to the example: its messages come by address"},
	"actors/lane": {[]string{"actor.go", "state.go"}, "it decides nothing: it gathers what waits and calls the engine, once for mail and once for the directory"},
}

// Shape checks that all domain actors are built alike.
func Shape(t *Tree) []Finding {
	has := map[string][]string{}
	for _, f := range t.Files {
		if domainActor(f.Pkg) {
			has[f.Pkg] = append(has[f.Pkg], path.Base(f.Path))
		}
	}
	var found []Finding
	for _, pkg := range sortedKeys(has) {
		for _, name := range shape {
			if !slices.Contains(has[pkg], name) && !slices.Contains(without[pkg].files, name) {
				found = append(found, Finding{"five files", pkg, "no " + name,
					"who knows one actor knows where to look in all: doc, api, actor, state, spec"})
			}
		}
	}
	return found
}

// Sizes are the lines of source and of test of some code. Test kits and harnesses count as test; benchmarks, which load and measure
// the server from outside, count as neither.
type Sizes struct{ Source, Test int }

// Lines counts the hand-written lines of Go of the module, and of each of its packages.
func Lines(t *Tree) (total Sizes, by map[string]Sizes) {
	by = map[string]Sizes{}
	for _, f := range t.Files {
		if separate(f.Pkg) || below(f.Pkg, "benchmarks") {
			continue
		}
		sizes := by[f.Pkg]
		if f.Test || support(f.Pkg) {
			sizes.Test += f.Lines
			total.Test += f.Lines
		} else {
			sizes.Source += f.Lines
			total.Source += f.Lines
		}
		by[f.Pkg] = sizes
	}
	return total, by
}

// Tested checks that the module has as many lines of test as of source.
func Tested(t *Tree) []Finding {
	total, by := Lines(t)
	if total.Test >= total.Source {
		return nil
	}
	pkgs := sortedKeys(by)
	slices.SortStableFunc(pkgs, func(a, b string) int {
		return cmp.Compare(by[b].Source-by[b].Test, by[a].Source-by[a].Test)
	})
	var most []string
	for _, pkg := range pkgs[:min(len(pkgs), 5)] {
		most = append(most, fmt.Sprintf("%s %d:%d", pkg, by[pkg].Source, by[pkg].Test))
	}
	return []Finding{{"tested", "the module", fmt.Sprintf("%d lines of source, %d of test (most: %s)", total.Source, total.Test, strings.Join(most, ", ")),
		"as many lines of test as of source keep changes safe"}}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
