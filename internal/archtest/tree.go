package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Module is the path of the module whose rules these are.
const Module = "github.com/jackdaw-im/jackdaw"

// Tree is the source of the module, read once and shared by all rules. It is not changed after Load.
type Tree struct {
	fset  *token.FileSet
	Files []*File // hand-written Go files, in the order of their paths
	Texts []Text  // other text: documents, scripts, protocol definitions
}

// File is one hand-written Go file.
type File struct {
	Path  string // relative to the module's root, with slashes
	Pkg   string // the folder, which names the package: "actors/session"; "." for the root
	Test  bool   // a _test.go file
	Lines int
	ast   *ast.File
}

// Text is one file that isn't Go.
type Text struct {
	Path string // relative to the module's root, with slashes
	Body string
}

// Finding is one violation of one rule.
type Finding struct {
	Rule   string // the rule's short name
	Place  string // file, or file:line
	Says   string // what is there
	Reason string // why it must not be
}

// String returns the finding as one line: place, rule, what is there, and why that is wrong.
func (f Finding) String() string {
	return fmt.Sprintf("%s: [%s] %s: %s", f.Place, f.Rule, f.Says, f.Reason)
}

// textEndings are the endings of the files that Load keeps as text.
var textEndings = []string{".md", ".sh", ".py", ".js", ".mjs", ".proto", ".yaml", ".yml", ".c", "Makefile"}

// skipped are folders without source of ours.
var skipped = []string{"testdata", "node_modules", "vendor", "bin", "jackdaw-data"}

// Load reads a module from its root folder. It fails on the first file that can't be read or isn't Go.
func Load(root fs.FS) (*Tree, error) {
	t := &Tree{fset: token.NewFileSet()}
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (slices.Contains(skipped, d.Name()) || strings.HasPrefix(d.Name(), ".") && name != "."):
			return fs.SkipDir
		case d.IsDir() || !d.Type().IsRegular():
			return nil
		case path.Ext(name) == ".go":
			return t.addGo(root, name)
		case slices.ContainsFunc(textEndings, func(end string) bool { return strings.HasSuffix(name, end) }):
			body, err := fs.ReadFile(root, name)
			t.Texts = append(t.Texts, Text{name, string(body)})
			return err
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("archtest: %w", err)
	}
	return t, nil
}

func (t *Tree) addGo(root fs.FS, name string) error {
	src, err := fs.ReadFile(root, name)
	if err != nil {
		return err
	}
	f, err := parser.ParseFile(t.fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil || ast.IsGenerated(f) {
		return err
	}
	t.Files = append(t.Files, &File{
		Path:  name,
		Pkg:   path.Dir(name),
		Test:  strings.HasSuffix(name, "_test.go"),
		Lines: strings.Count(string(src), "\n"),
		ast:   f,
	})
	return nil
}

// Text returns the text of a file that isn't Go, "" if there is none.
func (t *Tree) Text(name string) string {
	for _, text := range t.Texts {
		if text.Path == name {
			return text.Body
		}
	}
	return ""
}

// at returns the place of a node, as file:line.
func (t *Tree) at(n ast.Node) string {
	p := t.fset.Position(n.Pos())
	return fmt.Sprintf("%s:%d", p.Filename, p.Line)
}

// line returns the number of a node's first line.
func (t *Tree) line(p token.Pos) int { return t.fset.Position(p).Line }

// below reports whether a package is the folder or lies below it.
func below(pkg, folder string) bool { return pkg == folder || strings.HasPrefix(pkg, folder+"/") }

// support reports whether a package exists only for tests and measurements: test kits, whose name ends in "test", and
// everything internal. Its lines count as test.
func support(pkg string) bool {
	return strings.HasSuffix(pkg, "test") || below(pkg, "internal") && !below(pkg, "internal/testcount")
}

// separate reports whether a folder is a module of its own: tools that build this one.
func separate(pkg string) bool { return below(pkg, "tools") }
