package cluster

import "github.com/jackdaw-im/jackdaw/ident"

// maxMissing is how many lost nodes are remembered. Each start of a node is another one, and most never come back.
const maxMissing = 1000

// missing are nodes that were lost, of which some come back: they were cut off, not dead.
type missing struct{ ids map[ident.NodeID]bool }

func (m *missing) lost(id ident.NodeID) {
	if m.ids == nil {
		m.ids = map[ident.NodeID]bool{}
	}
	for other := range m.ids {
		if len(m.ids) < maxMissing {
			break
		}
		delete(m.ids, other)
	}
	m.ids[id] = true
}

// back reports whether a node that is there was lost before.
func (m *missing) back(id ident.NodeID) bool {
	was := m.ids[id]
	delete(m.ids, id)
	return was
}

func (c *Cluster) givenUp() {
	if c.opts.GivenUp != nil {
		c.opts.GivenUp()
	}
}

func (c *Cluster) reunited() {
	if c.opts.Reunited != nil {
		c.opts.Reunited()
	}
}
