package archtest

import (
	"go/ast"
	"go/token"
)

// LogKeys checks that the keys of log entries are telemetry's.
func LogKeys(t *Tree) []Finding {
	var found []Finding
	for _, f := range t.Files {
		if f.Test || support(f.Pkg) {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || called(n, "zap") == "" || len(call.Args) < 2 {
				return true
			}
			if key, ok := call.Args[0].(*ast.BasicLit); ok && key.Kind == token.STRING {
				found = append(found, Finding{"log keys", t.at(n), "the key " + key.Value + " is written out",
					"who searches a log has to find every entry about a thing under one name, which package telemetry gives"})
			}
			return true
		})
	}
	return found
}
