package cluster

import (
	"fmt"
	"testing"

	"github.com/jackdaw-im/jackdaw/ident"
)

// TestMissing: a node that was lost is known when it is back, once, and those that never come back don't fill the memory.
func TestMissing(t *testing.T) {
	var m missing
	if m.back("a@1") {
		t.Fatal("it was never lost")
	}
	m.lost("a@1")
	if m.back("a@2") || !m.back("a@1") || m.back("a@1") {
		t.Fatal("it is back, once")
	}
	var last ident.NodeID
	for i := range 3 * maxMissing {
		last = ident.NodeID(fmt.Sprintf("a@%d", i))
		m.lost(last)
	}
	if len(m.ids) != maxMissing || !m.back(last) {
		t.Fatalf("%d are remembered", len(m.ids))
	}
}
