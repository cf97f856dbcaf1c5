package archtest

import (
	"go/ast"
	"path"
	"strings"
)

const documentedReason = "a reader should understand what is exported without reading how it is made"

// Documented checks that every exported name outside tests has a comment, and that a comment above one is of whole sentences.
// The names of a const or var group may share the group's comment; fields need none.
func Documented(t *Tree) []Finding {
	var found []Finding
	for _, f := range t.Files {
		if f.Test {
			continue
		}
		missing := func(n ast.Node, name string) {
			found = append(found, Finding{"documented", t.at(n), name + " has no comment", documentedReason})
		}
		for _, d := range f.ast.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if !d.Name.IsExported() || d.Recv != nil && !ast.IsExported(receiver(d)) {
					continue
				}
				if d.Doc == nil {
					missing(d, d.Name.Name)
				} else if !sentences(d.Doc) {
					found = append(found, Finding{"documented", t.at(d), d.Name.Name + "'s comment doesn't end like a sentence", documentedReason})
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					undocumented(d, s, missing)
				}
			}
		}
	}
	return found
}

// undocumented calls missing for each exported name of a declaration that has no comment.
func undocumented(d *ast.GenDecl, s ast.Spec, missing func(ast.Node, string)) {
	switch s := s.(type) {
	case *ast.ValueSpec:
		for _, name := range s.Names {
			if name.IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
				missing(name, name.Name)
			}
		}
	case *ast.TypeSpec:
		if !s.Name.IsExported() {
			return
		}
		if s.Doc == nil && (d.Doc == nil || d.Lparen.IsValid() && len(d.Specs) > 1) && s.Comment == nil {
			missing(s, s.Name.Name)
		}
		in, ok := s.Type.(*ast.InterfaceType)
		if !ok {
			return
		}
		for _, m := range in.Methods.List {
			for _, name := range m.Names {
				if name.IsExported() && m.Doc == nil && m.Comment == nil && len(in.Methods.List) > 1 {
					missing(name, s.Name.Name+"."+name.Name)
				}
			}
		}
	}
}

// sentences reports whether a comment ends like a sentence, or with an example.
func sentences(doc *ast.CommentGroup) bool {
	text := strings.TrimRight(doc.Text(), "\n")
	last := text[strings.LastIndex(text, "\n")+1:]
	return strings.HasPrefix(last, "\t") || strings.HasPrefix(last, "  ") || strings.ContainsAny(text[max(len(text)-2, 0):], ".:)!?")
}

// receiver returns the name of a method's type.
func receiver(d *ast.FuncDecl) string {
	x := d.Recv.List[0].Type
	for {
		switch y := x.(type) {
		case *ast.StarExpr:
			x = y.X
		case *ast.IndexExpr:
			x = y.X
		case *ast.IndexListExpr:
			x = y.X
		case *ast.Ident:
			return y.Name
		default:
			return ""
		}
	}
}

// PackageDocs checks that every package with code has exactly one package comment: in doc.go, or for a command in any one file.
func PackageDocs(t *Tree) []Finding {
	const reason = "the comment says what the package is for and what it guarantees, in the place where one looks for it"
	docs, command := map[string][]string{}, map[string]bool{}
	var found []Finding
	for _, f := range t.Files {
		if f.Test {
			continue
		}
		command[f.Pkg] = f.ast.Name.Name == "main"
		docs[f.Pkg] = append(docs[f.Pkg], "")
		if f.ast.Doc != nil {
			docs[f.Pkg] = append(docs[f.Pkg], path.Base(f.Path))
		}
	}
	for _, pkg := range sortedKeys(docs) {
		var in []string
		for _, name := range docs[pkg] {
			if name != "" {
				in = append(in, name)
			}
		}
		switch {
		case len(in) == 0:
			found = append(found, Finding{"package comment", pkg, "none", reason})
		case len(in) > 1:
			found = append(found, Finding{"package comment", pkg, "in " + strings.Join(in, " and "), reason})
		case in[0] != "doc.go" && !command[pkg]:
			found = append(found, Finding{"package comment", pkg, "in " + in[0] + " instead of doc.go", reason})
		}
	}
	return found
}
