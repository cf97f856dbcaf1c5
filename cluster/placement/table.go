package placement

import (
	"cmp"
	"math/bits"
	"slices"

	"github.com/jackdaw-im/jackdaw/ident"
)

// UsualWeight is the weight of a node about which nothing else is said.
const UsualWeight = 100

// Node is a node that partitions may be placed on.
type Node struct {
	ID ident.NodeID
	// Weight is the node's share in relation to the others': usually UsualWeight. A node of weight 0 owns nothing.
	Weight uint32
}

// Table says who owns what. It is immutable and safe for concurrent use; a nil Table has no owners.
type Table struct {
	nodes []Node                   // those with a weight, sorted by name
	owner [ident.Partitions]uint16 // index in nodes
}

// Make computes the table of some nodes, in any order. Of several nodes with one name only the latest incarnation counts. It takes
// about 6 ns for each node and partition, and allocates 10 KiB. More than 65,535 nodes are not placed.
func Make(nodes []Node) *Table {
	t := &Table{nodes: placeable(nodes)}
	if len(t.nodes) == 0 {
		return t
	}
	seeds := make([]uint64, len(t.nodes))
	for i, n := range t.nodes {
		seeds[i] = seedOf(n.ID.Name())
	}
	log := logarithms()
	for p := range t.owner {
		best, draw := 0, log.draw(seeds[0], p)
		for i := 1; i < len(seeds); i++ {
			// Smaller in relation to the weight: d/weight < draw/best's weight. The first, by name, wins a tie.
			d := log.draw(seeds[i], p)
			if less(d, t.nodes[best].Weight, draw, t.nodes[i].Weight) {
				best, draw = i, d
			}
		}
		t.owner[p] = uint16(best)
	}
	return t
}

// placeable returns the nodes with a weight, one for each name, sorted by name.
func placeable(nodes []Node) []Node {
	list := slices.DeleteFunc(slices.Clone(nodes), func(n Node) bool { return n.Weight == 0 })
	slices.SortFunc(list, func(a, b Node) int {
		return cmp.Or(cmp.Compare(a.ID.Name(), b.ID.Name()), cmp.Compare(b.ID.Incarnation(), a.ID.Incarnation()),
			cmp.Compare(a.ID, b.ID), cmp.Compare(a.Weight, b.Weight))
	})
	list = slices.CompactFunc(list, func(a, b Node) bool { return a.ID.Name() == b.ID.Name() })
	return list[:min(len(list), 1<<16-1)]
}

// less reports whether a*x < b*y.
func less(a uint64, x uint32, b uint64, y uint32) bool {
	aHigh, aLow := bits.Mul64(a, uint64(x))
	bHigh, bLow := bits.Mul64(b, uint64(y))
	return aHigh < bHigh || aHigh == bHigh && aLow < bLow
}

// Owner returns the node that owns a partition, "" if there is nobody.
func (t *Table) Owner(p ident.Partition) ident.NodeID {
	if t == nil || len(t.nodes) == 0 || int(p) >= len(t.owner) {
		return ""
	}
	return t.nodes[t.owner[p]].ID
}

// Named returns the node of that name in the table, "" if there is none.
func (t *Table) Named(name string) ident.NodeID {
	if t == nil {
		return ""
	}
	i, ok := slices.BinarySearchFunc(t.nodes, name, func(n Node, name string) int { return cmp.Compare(n.ID.Name(), name) })
	if !ok {
		return ""
	}
	return t.nodes[i].ID
}

// Share returns how many partitions each node owns; a node of the table that owns none is in it with 0.
func (t *Table) Share() map[ident.NodeID]int {
	share := map[ident.NodeID]int{}
	if t == nil || len(t.nodes) == 0 {
		return share
	}
	for _, n := range t.nodes {
		share[n.ID] = 0
	}
	for _, i := range t.owner {
		share[t.nodes[i].ID]++
	}
	return share
}
