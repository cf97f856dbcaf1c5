package archtest

import (
	"fmt"
	"go/ast"
	"path"
	"slices"
	"strings"
)

// mayStart are the folders in which goroutines may start, each with the reason.
var mayStart = []place{
	{"actors", true, "workers, the timing wheel, the turn of a blocking actor"},
	{"gateway", false, "accept loops, handshakes, readers"},
	{"cluster", false, "links"},
	{"store", false, "what an engine does in the background"},
	{"admin", false, "its listeners"},
	{"dump", false, "a part of a dump that may hang"},
	{"node", false, "what lives as long as the server"},
	{"reporter", false, "its ticker"},
	{"client", false, "the caller's connection"},
	{"cmd", false, "commands"},
	{"benchmarks", false, "load"},
	{"internal", false, "test harnesses"},
	{"tools", false, "commands"},
}

// place is a folder in which a rule grants something, and why it does.
type place struct {
	folder string
	exact  bool // not in the folders below it
	reason string
}

func (p place) covers(pkg string) bool { return pkg == p.folder || !p.exact && below(pkg, p.folder) }

// maySleep are the tests that wait for real processes, with the reason why they can't wait for fake time.
var maySleep = []place{
	{"internal/testnode", false, "polls a real process, which has no fake clock"},
	{"internal/testpg", false, "polls a real process, which has no fake clock"},
	{"internal/interop", false, "waits for clients of other projects"},
	{"benchmarks", false, "paces load on real sockets"},
}

// mayLook are the actors that look at the clock.
var mayLook = []place{{"actors/lane", true, "it measures the engine's commits, and waits before it repeats one, on a goroutine of its own"}}

// clock are the functions of package time that read or wait for the real time.
var clock = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick"}

// Goroutines checks where goroutines start: by a go statement, by the Go method of a group, or by AfterFunc. Nowhere does a
// constructor start one. Tests may.
func Goroutines(t *Tree) []Finding {
	var found []Finding
	for _, f := range t.Files {
		if f.Test {
			continue
		}
		allowed := slices.ContainsFunc(mayStart, func(p place) bool { return p.covers(f.Pkg) })
		for _, d := range f.ast.Decls {
			constructs := strings.HasPrefix(funcName(d), "New")
			ast.Inspect(d, func(n ast.Node) bool {
				switch {
				case !starts(n):
				case !allowed:
					found = append(found, Finding{"goroutines", t.at(n), f.Pkg + " starts a goroutine",
						"state has one owner, an actor; goroutines start only in the packages that run actors or meet the outside"})
				case constructs:
					found = append(found, Finding{"constructors", t.at(n), funcName(d) + " starts a goroutine",
						"New builds and Start launches, so that every goroutine has an owner who waits for its end"})
				}
				return true
			})
		}
	}
	return found
}

// starts reports whether a node starts a goroutine.
func starts(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GoStmt:
		return true
	case *ast.CallExpr:
		s, ok := n.Fun.(*ast.SelectorExpr)
		return ok && (s.Sel.Name == "Go" && len(n.Args) == 1 || s.Sel.Name == "AfterFunc")
	}
	return false
}

// Clocks checks that domain actors and the codec don't look at the clock: the time comes to them as a value. Domain actors also
// leave sockets, files and logs to others in state.go.
func Clocks(t *Tree) []Finding {
	var found []Finding
	for _, f := range t.Files {
		if f.Test || !domainActor(f.Pkg) && !below(f.Pkg, "xmpp") {
			continue
		}
		free := slices.ContainsFunc(mayLook, func(p place) bool { return p.covers(f.Pkg) })
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if name := called(n, "time"); !free && slices.Contains(clock, name) {
				found = append(found, Finding{"clock", t.at(n), "time." + name + " in " + f.Pkg,
					"decisions take the time as a value, so that a table can test them; an actor has Context.Now"})
			}
			return true
		})
		pure := path.Base(f.Path) == "state.go" || below(f.Pkg, "xmpp")
		for _, im := range f.ast.Imports {
			if p := importPath(im); pure && slices.Contains([]string{"net", "os", "io/fs", "log", "log/slog", "go.uber.org/zap"}, p) {
				found = append(found, Finding{"purity", t.at(im), fmt.Sprintf("%s imports %s", f.Path, p),
					"what decides has no socket, file or log: values in, effects out"})
			}
		}
	}
	return found
}

// notActors are the packages below actors that are no actor, with what they are.
var notActors = []place{{"actors/sys", true, "what can be done to any actor from outside"}}

// domainActor reports whether a package is an actor of ours, as opposed to what actors are or a test kit.
func domainActor(pkg string) bool {
	return strings.HasPrefix(pkg, "actors/") && !support(pkg) &&
		!slices.ContainsFunc(notActors, func(p place) bool { return p.covers(pkg) })
}

// Sleeps checks that tests don't sleep, except in the fake time of synctest: in a function given to synctest.Test or actorstest.Run,
// or to a function of the package's tests that gives it to one of them, and in one that calls synctest.Wait, which can be called
// nowhere else.
func Sleeps(t *Tree) []Finding {
	bubbles := t.bubbles()
	var found []Finding
	for _, f := range t.Files {
		excepted := slices.ContainsFunc(maySleep, func(p place) bool { return p.covers(f.Pkg) })
		if excepted || !f.Test && !support(f.Pkg) {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if bubble(f.Pkg, n, bubbles) {
					return false
				}
			case *ast.FuncDecl:
				if calls(n, "synctest", "Wait") {
					return false
				}
			}
			if called(n, "time") == "Sleep" {
				found = append(found, Finding{"sleep", t.at(n), "time.Sleep in a test",
					"a test that waits for the real clock is slow and fails on a busy machine; wait for the event, or use testing/synctest"})
			}
			return true
		})
	}
	return found
}

// bubbles returns the functions of tests that call synctest.Test or actorstest.Run, as package and name.
func (t *Tree) bubbles() map[[2]string]bool {
	found := map[[2]string]bool{}
	for _, f := range t.Files {
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && !strings.HasPrefix(fn.Name.Name, "Test") &&
				holds(fn, inFakeTime) {
				found[[2]string{f.Pkg, fn.Name.Name}] = true
			}
		}
	}
	return found
}

func bubble(pkg string, call *ast.CallExpr, bubbles map[[2]string]bool) bool {
	if inFakeTime(call) {
		return true
	}
	name, ok := call.Fun.(*ast.Ident)
	return ok && bubbles[[2]string{pkg, name.Name}]
}

// inFakeTime reports whether a node gives a function to synctest.Test, actorstest.Run or actorstest.Config.Run.
func inFakeTime(n ast.Node) bool {
	if called(n, "synctest") == "Test" || called(n, "actorstest") == "Run" {
		return true
	}
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return false
	}
	s, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || s.Sel.Name != "Run" {
		return false
	}
	config, ok := s.X.(*ast.CompositeLit)
	if !ok {
		return false
	}
	of, ok := config.Type.(*ast.SelectorExpr)
	return ok && of.Sel.Name == "Config" && fmt.Sprint(of.X) == "actorstest"
}

// called returns the name of the function of a package that a node calls, "" if it calls none.
func called(n ast.Node, pkg string) string {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return ""
	}
	s, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	if x, ok := s.X.(*ast.Ident); !ok || x.Name != pkg {
		return ""
	}
	return s.Sel.Name
}

// calls reports whether a function calls one of a package.
func calls(fn *ast.FuncDecl, pkg, name string) bool {
	return holds(fn, func(n ast.Node) bool { return called(n, pkg) == name })
}

// holds reports whether there is such a node in a function.
func holds(fn *ast.FuncDecl, such func(ast.Node) bool) bool {
	found := false
	ast.Inspect(fn, func(n ast.Node) bool {
		found = found || n != nil && such(n)
		return !found
	})
	return found
}

func funcName(d ast.Decl) string {
	if fn, ok := d.(*ast.FuncDecl); ok {
		return fn.Name.Name
	}
	return ""
}
