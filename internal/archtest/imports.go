package archtest

import (
	"fmt"
	"go/ast"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Levels are the levels of the packages, by folder.
type Levels struct {
	of   map[string]int
	free []string // folders without a level
}

var (
	tableRow = regexp.MustCompile(`(?m)^\| *([0-9]+|-) *\|([^|]*)\|`)
	quoted   = regexp.MustCompile("`([^`]+)`")
)

// LevelsOf reads the import table of a page: the rows "| level | `package`, `package` | ... |". The level "-" stands for
// folders without one, with all that lies below them.
func LevelsOf(page string) (Levels, error) {
	l := Levels{of: map[string]int{}}
	for _, row := range tableRow.FindAllStringSubmatch(page, -1) {
		for _, name := range quoted.FindAllStringSubmatch(row[2], -1) {
			pkg := strings.TrimSuffix(name[1], "/...")
			if row[1] == "-" {
				l.free = append(l.free, pkg)
				continue
			}
			level, err := strconv.Atoi(row[1])
			if err != nil {
				return Levels{}, fmt.Errorf("archtest: import table: %w", err)
			}
			l.of[pkg] = level
		}
	}
	if len(l.of) == 0 {
		return Levels{}, fmt.Errorf("archtest: the page has no import table")
	}
	return l, nil
}

// level returns the level of a package; free is true for one without.
func (l Levels) level(pkg string) (n int, free, known bool) {
	if n, ok := l.of[pkg]; ok {
		return n, false, true
	}
	free = slices.ContainsFunc(l.free, func(folder string) bool { return below(pkg, folder) })
	return 0, free, free
}

// commandLevel is the level of the commands, which may use the client.
const commandLevel = 9

// Imports checks the import table.
func Imports(t *Tree, l Levels) []Finding {
	var found []Finding
	for _, f := range t.Files {
		if separate(f.Pkg) {
			continue
		}
		if _, _, known := l.level(f.Pkg); !known {
			found = append(found, Finding{"imports", f.Path, f.Pkg + " has no row in the import table of docs/ARCHITECTURE.md",
				"a package without a level can't be kept below those that use it"})
			continue
		}
		for _, im := range f.ast.Imports {
			to, ours := strings.CutPrefix(importPath(im), Module+"/")
			if !ours {
				continue
			}
			if says, reason := l.forbids(f, to); says != "" {
				found = append(found, Finding{"imports", t.at(im), says, reason})
			}
		}
	}
	return found
}

// forbids says what is wrong with a file's import of the package to, and why.
func (l Levels) forbids(f *File, to string) (says, reason string) {
	from, free, _ := l.level(f.Pkg)
	level, toFree, known := l.level(to)
	tests := f.Test || support(f.Pkg) || below(f.Pkg, "benchmarks")
	switch {
	case !known:
		return f.Pkg + " imports " + to + ", which has no row in the import table of docs/ARCHITECTURE.md", "its level is not known"
	case below(to, "benchmarks") && !below(f.Pkg, "benchmarks"):
		return f.Pkg + " imports " + to, "nothing imports benchmarks: they measure the project from outside"
	case support(to) && !tests:
		return f.Pkg + " imports " + to, "a test kit must not become part of the server"
	case free || support(to):
		return "", ""
	case below(to, "client") && (f.Test || from >= commandLevel):
		return "", ""
	case toFree:
		return fmt.Sprintf("%s (level %d) imports %s", f.Pkg, from, to), "the server doesn't stand on what stands beside it"
	case f.Test && level <= from:
		return "", ""
	case level >= from:
		return fmt.Sprintf("%s (level %d) imports %s (level %d)", f.Pkg, from, to, level),
			"a package imports lower levels only, never its own; answers travel by address, not by import"
	}
	return "", ""
}

// confined are the modules that only some packages may import.
var confined = []struct {
	module string
	to     []string
	reason string
}{
	// benchmarks/actors and benchmarks/links measure it as it is, beside ours.
	{"github.com/asynkron/protoactor-go", []string{"actors", "supervision", "cluster/carrier", "benchmarks/actors/peers/protoactor", "benchmarks/links/remote"},
		"what an actor is, is said by package actors alone, so that the library below it can be replaced"},
	{"github.com/hashicorp/memberlist", []string{"cluster/member", "cluster/port", "internal/simnet"}, "who is alive is the cluster's business; simnet is a network for it"},
	// benchmarks/crash puts the engine on a file system whose power it cuts.
	{"github.com/cockroachdb/pebble", []string{"store/pebblestore", "benchmarks/crash"}, "an engine stands behind the interface of package store"},
	{"github.com/jackc/pgx", []string{"store/pgstore", "internal/testpg"}, "an engine stands behind the interface of package store; testpg runs its servers"},
	{"github.com/spf13/cobra", []string{"cmd/jackdaw"}, "main is where flags end: below it there is one typed Config"},
}

// Confined checks that foreign modules are imported only where they belong.
func Confined(t *Tree) []Finding {
	var found []Finding
	for _, f := range t.Files {
		for _, im := range f.ast.Imports {
			for _, c := range confined {
				if below(importPath(im), c.module) && !slices.Contains(c.to, f.Pkg) {
					found = append(found, Finding{"confined", t.at(im),
						fmt.Sprintf("%s imports %s, which is for %s", f.Pkg, importPath(im), strings.Join(c.to, ", ")), c.reason})
				}
			}
		}
	}
	return found
}

func importPath(im *ast.ImportSpec) string {
	p, err := strconv.Unquote(im.Path.Value)
	if err != nil {
		return im.Path.Value // the parser has seen to it
	}
	return p
}
