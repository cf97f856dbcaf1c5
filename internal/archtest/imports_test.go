package archtest

import (
	"strings"
	"testing"
)

const table = `# Architecture
| level | package | in one sentence |
|---|---|---|
| 0 | ` + "`ident`, `config`" + ` | nouns |
| 1 | ` + "`store`" + ` | what a store must do, see ` + "`gateway`" + ` |
| 2 | ` + "`store/mem`, `store/pebble`, `store/storetest`" + ` | engines |
| 6 | ` + "`actors/session`" + ` | a connection |
| 7 | ` + "`gateway`" + ` | listeners |
| 9 | ` + "`cmd/jackdaw`" + ` | commands |
| - | ` + "`client`, `benchmarks`, `internal/...`" + ` | beside it |
`

func TestLevelsOf(t *testing.T) {
	l, err := LevelsOf(table)
	if err != nil {
		t.Fatal(err)
	}
	for pkg, want := range map[string]struct {
		level       int
		free, known bool
	}{
		"ident":             {0, false, true},
		"config":            {0, false, true},
		"gateway":           {7, false, true},
		"store/pebble":      {2, false, true},
		"store/pebble/deep": {0, false, false},
		"internal/archtest": {0, true, true},
		"benchmarks/c2s":    {0, true, true},
		"clients":           {0, false, false},
	} {
		level, free, known := l.level(pkg)
		if level != want.level || free != want.free || known != want.known {
			t.Errorf("%s: level %d, free %v, known %v; want %+v", pkg, level, free, known, want)
		}
	}
	if _, err := LevelsOf("# A page without a table"); err == nil {
		t.Error("a page without a table is no import table")
	}
}

// file is one Go file with imports of the module's own packages.
func file(path string, imports ...string) []string {
	pkg := strings.ReplaceAll(path[:strings.LastIndex(path, "/")], "/", "_")
	src := "package " + pkg + "\n"
	for _, im := range imports {
		if !strings.Contains(im, ".") {
			im = Module + "/" + im
		}
		src += "import _ \"" + im + "\"\n"
	}
	return []string{path, src}
}

func TestImports(t *testing.T) {
	levels, err := LevelsOf(table)
	if err != nil {
		t.Fatal(err)
	}
	hunt(t, func(tree *Tree) []Finding { return Imports(tree, levels) }, []planted{
		{"lower levels", file("gateway/a.go", "actors/session", "store", "ident", "go.uber.org/zap"), nil},
		{"a higher level", file("store/a.go", "ident", "gateway"), []string{"store/a.go:3: [imports] store (level 1) imports gateway (level 7): a package imports lower levels only"}},
		{"its own level", file("store/pebble/a.go", "store/mem"), []string{"store/pebble (level 2) imports store/mem (level 2)"}},
		{"its own level, in a test", file("store/pebble/a_test.go", "store/mem", "store/storetest"), nil},
		{"a higher level, in a test", file("store/pebble/a_test.go", "gateway"), []string{"(level 2) imports gateway (level 7)"}},
		{"a test kit, in a test", file("store/a_test.go", "store/storetest", "internal/testnode"), nil},
		{"a test kit, in the server", file("gateway/a.go", "store/storetest"), []string{"a test kit must not become part of the server"}},
		{"the harness, in the server", file("gateway/a.go", "internal/testnode"), []string{"a test kit must not become part of the server"}},
		{"the harness, in benchmarks", file("benchmarks/c2s/a.go", "internal/testnode", "client", "benchmarks/load", "store/mem"), nil},
		{"benchmarks", file("internal/testnode/a.go", "benchmarks/load"), []string{"nothing imports benchmarks"}},
		{"benchmarks, in a test", file("gateway/a_test.go", "benchmarks/load"), []string{"nothing imports benchmarks"}},
		{"the client, in the server", file("gateway/a.go", "client"), []string{"gateway (level 7) imports client: the server doesn't stand on"}},
		{"the client, in a test and in the command", append(file("gateway/a_test.go", "client"), file("cmd/jackdaw/a.go", "client")...), nil},
		{"the client imports", file("client/a.go", "ident", "actors/session"), nil},
		{"no level", file("cache/a.go"), []string{"cache/a.go: [imports] cache has no row"}},
		{"no level, imported", file("gateway/a.go", "cache"), []string{"gateway imports cache, which has no row"}},
		{"another module", file("tools/gen/a.go", "gateway"), nil},
	})
}

func TestConfined(t *testing.T) {
	const proto, pebble = "github.com/asynkron/protoactor-go/actor", "github.com/cockroachdb/pebble/v2"
	hunt(t, Confined, []planted{
		{"where they belong", append(file("actors/a.go", proto), file("store/pebblestore/a.go", pebble)...), nil},
		{"carriage", file("cluster/carrier/a.go", "github.com/asynkron/protoactor-go/remote"), nil},
		{"in a domain actor", file("actors/mailbox/a.go", proto), []string{"[confined] actors/mailbox imports " + proto + ", which is for actors, supervision"}},
		{"in a test too", file("node/a_test.go", proto), []string{"node imports"}},
		{"an engine's engine", file("actors/lane/a.go", pebble), []string{"behind the interface of package store"}},
		{"membership", file("node/a.go", "github.com/hashicorp/memberlist"), []string{"the cluster's business"}},
		{"flags", file("config/a.go", "github.com/spf13/cobra"), []string{"main is where flags end"}},
		{"another module of a similar name", file("node/a.go", "github.com/spf13/cobrax"), nil},
	})
}
