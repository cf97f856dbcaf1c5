package actorstest

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/jackdaw-im/jackdaw/actors"
)

// callGraph is who has called whom. Whether they really waited for each other this time doesn't matter: what calls in a circle
// does so one day. Kinds are its places, as it is kinds whose code calls; actors of one kind are told apart among themselves.
type callGraph struct {
	mu      sync.Mutex
	edges   map[place][]call
	allowed map[[2]string]bool
}

// place is a kind, or one actor as seen by its own kind.
type place struct{ kind, id string }

type call struct {
	from, to actors.Ref
}

// note takes down that from awaits an answer of to.
func (g *callGraph) note(from, to actors.Ref) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.allowed[[2]string{from.Kind, to.Kind}] {
		return
	}
	if g.edges == nil {
		g.edges = map[place][]call{}
	}
	at := place{kind: from.Kind}
	if from.Kind == to.Kind {
		at.id = from.String()
	}
	if !slices.ContainsFunc(g.edges[at], func(c call) bool { return next(c) == next(call{from, to}) }) {
		g.edges[at] = append(g.edges[at], call{from, to})
	}
}

// next is where a call leads.
func next(c call) place {
	if c.from.Kind == c.to.Kind {
		return place{c.to.Kind, c.to.String()}
	}
	return place{kind: c.to.Kind}
}

// cycle returns calls that lead in a circle, nil if there is none.
func (g *callGraph) cycle() []call {
	g.mu.Lock()
	defer g.mu.Unlock()
	done := map[place]bool{}
	var path []call
	var visit func(at place) []call
	visit = func(at place) []call {
		for i, c := range path { // the place at is on the path already
			if start(c) == at {
				return slices.Clone(path[i:])
			}
		}
		if done[at] {
			return nil
		}
		for _, c := range g.edges[at] {
			path = append(path, c)
			if found := visit(next(c)); found != nil {
				return found
			}
			path = path[:len(path)-1]
		}
		done[at] = true
		return nil
	}
	starts := make([]place, 0, len(g.edges))
	for at := range g.edges {
		starts = append(starts, at)
	}
	slices.SortFunc(starts, func(a, b place) int { return strings.Compare(a.kind+a.id, b.kind+b.id) })
	for _, at := range starts {
		if found := visit(at); found != nil {
			return found
		}
	}
	return nil
}

func start(c call) place {
	if c.from.Kind == c.to.Kind {
		return place{c.from.Kind, c.from.String()}
	}
	return place{kind: c.from.Kind}
}

// describe writes a circle out, one call a line.
func describe(cycle []call) string {
	var b strings.Builder
	for _, c := range cycle {
		fmt.Fprintf(&b, "\n    %v calls %v", c.from, c.to)
	}
	return b.String()
}

// AllowCalls excepts the calls of one kind to another, or to itself, from the rule that calls don't lead in a circle, for the rest
// of the test.
func (k *Kit) AllowCalls(from, to string) {
	k.calls.mu.Lock()
	defer k.calls.mu.Unlock()
	if k.calls.allowed == nil {
		k.calls.allowed = map[[2]string]bool{}
	}
	k.calls.allowed[[2]string{from, to}] = true
}
