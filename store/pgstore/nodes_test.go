package pgstore_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/store/pgstore"
)

func TestNodes(t *testing.T) {
	u := urls(t, 2)
	nodes := func(want ...ident.NodeID) {
		t.Helper()
		if got, err := pgstore.Nodes(bg, u[0], u[1]); err != nil || !slices.Equal(got, want) {
			t.Errorf("%v, %v, want %v", got, err, want)
		}
	}
	nodes()
	sql(t, u[0], `SELECT 1`)
	for _, id := range []ident.NodeID{"two@2", "one@1"} {
		e, err := pgstore.Open(u[0], pgstore.Options{Directory: u[1], AllowUnreplicated: true, Node: id})
		must(t, err)
		defer e.Close()
	}
	nodes("one@1", "two@2")
	for _, url := range []string{"mysql://x", "postgres://u:secret@127.0.0.1:1/x"} {
		if got, err := pgstore.Nodes(bg, url, ""); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, %v", url, got, err)
		}
	}
}
