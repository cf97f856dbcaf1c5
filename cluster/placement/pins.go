package placement

import (
	"cmp"
	"maps"
	"slices"
)

// Pin puts one actor on a node, whatever its partition says: a hot spot that would be too much for the partition's owner.
type Pin struct {
	Kind, ID string
	// Node is a node's name. While no such node is in the table, the partition counts.
	Node string
}

// Pins are all pins of a cluster: the override table. A Pins is immutable and safe for concurrent use; the zero Pins is empty.
type Pins struct {
	nodes map[[2]string]string
}

// MakePins returns the table of some pins. Of several for one actor the last counts; one without a node says that there is none.
func MakePins(list []Pin) Pins {
	p := Pins{nodes: make(map[[2]string]string, len(list))}
	for _, pin := range list {
		key := [2]string{pin.Kind, pin.ID}
		if p.nodes[key] = pin.Node; pin.Node == "" {
			delete(p.nodes, key)
		}
	}
	return p
}

// Find returns the name of the node that an actor is pinned to. It takes no time where there are no pins.
func (p Pins) Find(kind, id string) (name string, ok bool) {
	if len(p.nodes) == 0 {
		return "", false
	}
	name, ok = p.nodes[[2]string{kind, id}]
	return name, ok
}

// Empty reports whether there are none.
func (p Pins) Empty() bool { return len(p.nodes) == 0 }

// With returns the table with one more pin; a pin without a node takes an actor's pin away.
func (p Pins) With(pin Pin) Pins {
	next := Pins{nodes: maps.Clone(p.nodes)}
	if next.nodes == nil {
		next.nodes = map[[2]string]string{}
	}
	key := [2]string{pin.Kind, pin.ID}
	if next.nodes[key] = pin.Node; pin.Node == "" {
		delete(next.nodes, key)
	}
	return next
}

// List returns all pins, sorted by kind and id.
func (p Pins) List() []Pin {
	list := make([]Pin, 0, len(p.nodes))
	for key, node := range p.nodes {
		list = append(list, Pin{key[0], key[1], node})
	}
	slices.SortFunc(list, func(a, b Pin) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID)) })
	return list
}
