package archtest

import (
	"fmt"
	"go/ast"
)

// The caps. The usual file has 150 lines, the usual interface one or two methods; code decays by its maximum.
const (
	FileLines        = 600
	FunctionLines    = 100
	InterfaceMethods = 7
)

// Caps checks the length of files and functions and the size of exported interfaces. A test's function may be longer, because a
// table is. An interface's embedded interfaces don't count: composing small ones is how to make a large one.
func Caps(t *Tree) []Finding {
	var found []Finding
	for _, f := range t.Files {
		if f.Lines > FileLines {
			found = append(found, Finding{"file length", f.Path, fmt.Sprintf("%d lines, at most %d", f.Lines, FileLines),
				"a file is read as a whole"})
		}
		if f.Test {
			continue
		}
		for _, d := range f.ast.Decls {
			found = append(found, t.capsOf(d)...)
		}
	}
	return found
}

func (t *Tree) capsOf(d ast.Decl) []Finding {
	var found []Finding
	switch d := d.(type) {
	case *ast.FuncDecl:
		if n := t.line(d.End()) - t.line(d.Pos()) + 1; n > FunctionLines {
			found = append(found, Finding{"function length", t.at(d),
				fmt.Sprintf("%s has %d lines, at most %d", d.Name, n, FunctionLines), "a function is understood on one screen or two"})
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			ts, ok := s.(*ast.TypeSpec)
			if !ok || !ts.Name.IsExported() {
				continue
			}
			if n := methods(ts.Type); n > InterfaceMethods {
				found = append(found, Finding{"interface size", t.at(ts),
					fmt.Sprintf("%s has %d methods, at most %d", ts.Name, n, InterfaceMethods),
					"every implementation and every fake pays for each method"})
			}
		}
	}
	return found
}

// methods returns how many methods an interface names itself, 0 for another type.
func methods(x ast.Expr) int {
	in, ok := x.(*ast.InterfaceType)
	if !ok {
		return 0
	}
	n := 0
	for _, field := range in.Methods.List {
		n += len(field.Names)
	}
	return n
}
