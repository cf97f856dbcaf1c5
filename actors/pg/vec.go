package pg

import (
	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
)

// entry is one member as readers see it. It is never changed.
type entry struct {
	ref  actors.Ref
	node ident.NodeID // whose scope it joined; "" is this node
	n    int          // how often it has joined
	own  int          // how often of these by itself, in life: for the scope's next life
	life uint64
}

// vec is a list of entries that is never changed: a change makes another one, which shares all but one path with it. So a reader
// keeps what it has got for as long as it likes, and a change of one among n entries copies at most 32 pointers on each of
// log32(n) levels. The zero value is empty.
type vec struct {
	root  *node
	n     int
	depth int // levels above the leaves
}

// node is an inner node with kids, or a leaf with entries; only the last one of a level has less than width of them.
type node struct {
	kids []*node
	leaf []*entry
}

const (
	bits  = 5
	width = 1 << bits
)

func (v vec) at(i int) *entry {
	nd := v.root
	for d := v.depth; d > 0; d-- {
		nd = nd.kids[i>>(d*bits)&(width-1)]
	}
	return nd.leaf[i&(width-1)]
}

// push returns v with e at its end.
func (v vec) push(e *entry) vec {
	if v.root == nil {
		return vec{root: &node{leaf: []*entry{e}}, n: 1}
	}
	if v.n == 1<<((v.depth+1)*bits) {
		v.root = &node{kids: []*node{v.root}}
		v.depth++
	}
	v.root = v.root.push(v.depth, v.n, e)
	v.n++
	return v
}

func (nd *node) push(depth, i int, e *entry) *node {
	if nd == nil {
		nd = &node{}
	}
	if depth == 0 {
		return &node{leaf: with(nd.leaf, len(nd.leaf), e)}
	}
	k := i >> (depth * bits) & (width - 1)
	var kid *node
	if k < len(nd.kids) {
		kid = nd.kids[k]
	}
	return &node{kids: with(nd.kids, k, kid.push(depth-1, i, e))}
}

// set returns v with e at i.
func (v vec) set(i int, e *entry) vec {
	v.root = v.root.set(v.depth, i, e)
	return v
}

func (nd *node) set(depth, i int, e *entry) *node {
	k := i >> (depth * bits) & (width - 1)
	if depth == 0 {
		return &node{leaf: with(nd.leaf, k, e)}
	}
	return &node{kids: with(nd.kids, k, nd.kids[k].set(depth-1, i, e))}
}

// pop returns v without its last entry.
func (v vec) pop() vec {
	if v.n--; v.n == 0 {
		return vec{}
	}
	v.root = v.root.pop(v.depth)
	for v.depth > 0 && len(v.root.kids) == 1 {
		v.root = v.root.kids[0]
		v.depth--
	}
	return v
}

// pop returns nil if nothing is left.
func (nd *node) pop(depth int) *node {
	if depth == 0 {
		if len(nd.leaf) == 1 {
			return nil
		}
		return &node{leaf: without(nd.leaf)}
	}
	last := len(nd.kids) - 1
	kid := nd.kids[last].pop(depth - 1)
	switch {
	case kid != nil:
		return &node{kids: with(nd.kids, last, kid)}
	case last == 0:
		return nil
	}
	return &node{kids: without(nd.kids)}
}

// with returns a copy of list with v at i, which may be its end. The copy is no longer than need be, as most groups are small.
func with[T any](list []T, i int, v T) []T {
	c := make([]T, max(len(list), i+1))
	copy(c, list)
	c[i] = v
	return c
}

// without returns a copy of list without its last, which is not to be held any longer.
func without[T any](list []T) []T {
	c := make([]T, len(list)-1)
	copy(c, list)
	return c
}

// all calls yield for each entry in order, and reports false if yield did.
func (v vec) all(yield func(*entry) bool) bool { return v.root.all(yield) }

func (nd *node) all(yield func(*entry) bool) bool {
	if nd == nil {
		return true
	}
	for _, e := range nd.leaf {
		if !yield(e) {
			return false
		}
	}
	for _, kid := range nd.kids {
		if !kid.all(yield) {
			return false
		}
	}
	return true
}
