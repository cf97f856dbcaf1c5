package archtest

import (
	"fmt"
	"go/ast"
	"io/fs"
	"path"
	"regexp"
	"strings"
)

var (
	symbolLink = regexp.MustCompile("`([a-zA-Z0-9_./-]+\\.go):([A-Za-z_][A-Za-z0-9_.]*)`")
	fileLink   = regexp.MustCompile("`([a-zA-Z0-9_.-]+(?:/[a-zA-Z0-9_.-]+)+\\.[a-z]+)`")
	pageLink   = regexp.MustCompile(`\]\(([^)#]+)[^)]*\)`)
)

// Pages checks what the documents point at: `file.go:Symbol` and `file.go:Type.Method` are declared there, `folder/file.go` and
// links to other pages exist.
func Pages(t *Tree, root fs.FS) []Finding {
	declared := map[string]map[string]bool{}
	for _, f := range t.Files {
		declared[f.Path] = symbols(f)
	}
	var found []Finding
	for _, page := range t.Texts {
		if path.Ext(page.Path) != ".md" {
			continue
		}
		for i, line := range strings.Split(page.Body, "\n") {
			bad := func(says string) {
				found = append(found, Finding{"pages", fmt.Sprintf("%s:%d", page.Path, i+1), says, "a page that points at nothing misleads"})
			}
			for _, m := range symbolLink.FindAllStringSubmatch(line, -1) {
				if syms, ok := declared[m[1]]; !ok {
					bad("there is no hand-written " + m[1])
				} else if !syms[m[2]] {
					bad(m[1] + " declares no " + m[2])
				}
			}
			for _, m := range fileLink.FindAllStringSubmatch(line, -1) {
				if !exists(root, m[1]) && !exists(root, path.Join("docs", m[1])) {
					bad("there is no " + m[1])
				}
			}
			for _, m := range pageLink.FindAllStringSubmatch(line, -1) {
				if !strings.Contains(m[1], ":") && !exists(root, path.Join(path.Dir(page.Path), m[1])) {
					bad("there is no " + m[1])
				}
			}
		}
	}
	return found
}

func exists(root fs.FS, name string) bool {
	_, err := fs.Stat(root, strings.TrimSuffix(name, "/"))
	return err == nil
}

// symbols returns the names a file declares, methods as Type.Method.
func symbols(f *File) map[string]bool {
	names := map[string]bool{}
	for _, d := range f.ast.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv != nil {
				names[receiver(d)+"."+d.Name.Name] = true
			} else {
				names[d.Name.Name] = true
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					names[s.Name.Name] = true
				case *ast.ValueSpec:
					for _, n := range s.Names {
						names[n.Name] = true
					}
				}
			}
		}
	}
	return names
}
