package actorstest

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/jackdaw-im/jackdaw/actors"
)

// callGraph is who calls whom. It knows two faults: actors that waited for each other in a circle, and calls that lead in a circle
// though nobody had to wait this time, because what calls in a circle waits in one some day. For the second, kinds are the places, as
// it is the code of kinds that calls; actors of one kind are told apart among themselves.
type callGraph struct {
	mu      sync.Mutex
	edges   map[place][]call
	waiting map[actors.Ref][]actors.Ref // for whom each waits just now
	closed  []call                      // the first circle of waiting
	allowed map[[2]string]bool
}

// place is a kind, or one actor as seen by its own kind.
type place struct{ kind, id string }

type call struct{ from, to actors.Ref }

// places are where a call begins and where it leads.
func (c call) places() (from, to place) {
	if c.from.Kind == c.to.Kind {
		return place{c.from.Kind, c.from.String()}, place{c.to.Kind, c.to.String()}
	}
	return place{kind: c.from.Kind}, place{kind: c.to.Kind}
}

// note takes down that an actor begins or ends to wait for another's answer: actors.Config.OnCall.
func (g *callGraph) note(from, to actors.Ref, waits bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !waits {
		if i := slices.Index(g.waiting[from], to); i >= 0 {
			g.waiting[from] = slices.Delete(g.waiting[from], i, i+1)
		}
		return
	}
	if g.edges == nil {
		g.edges, g.waiting = map[place][]call{}, map[actors.Ref][]actors.Ref{}
	}
	c := call{from, to}
	g.waiting[from] = append(g.waiting[from], to)
	if g.closed == nil {
		g.closed = g.circle(c)
	}
	at, next := c.places()
	known := slices.ContainsFunc(g.edges[at], func(c call) bool { _, to := c.places(); return to == next })
	if !known && !g.allowed[[2]string{from.Kind, to.Kind}] {
		g.edges[at] = append(g.edges[at], c)
	}
}

// circle returns the circle of waiting that begins with c, nil if there is none.
func (g *callGraph) circle(c call) []call {
	seen := map[actors.Ref]bool{}
	var from func(at actors.Ref) []call
	from = func(at actors.Ref) []call {
		if at == c.from {
			return []call{}
		}
		if seen[at] {
			return nil
		}
		seen[at] = true
		for _, to := range g.waiting[at] {
			if rest := from(to); rest != nil {
				return append([]call{{at, to}}, rest...)
			}
		}
		return nil
	}
	if rest := from(c.to); rest != nil {
		return append([]call{c}, rest...)
	}
	return nil
}

// waited returns the first circle of actors that waited for each other, nil if there was none.
func (g *callGraph) waited() []call {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed
}

// cycle returns calls that lead in a circle, whenever they were, nil if there are none.
func (g *callGraph) cycle() []call {
	g.mu.Lock()
	defer g.mu.Unlock()
	done := map[place]bool{}
	var path []call
	var visit func(at place) []call
	visit = func(at place) []call {
		for i, c := range path {
			if from, _ := c.places(); from == at { // it is on the path already
				return slices.Clone(path[i:])
			}
		}
		if done[at] {
			return nil
		}
		for _, c := range g.edges[at] {
			_, to := c.places()
			path = append(path, c)
			if found := visit(to); found != nil {
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

// describe writes a circle out, one call a line.
func describe(cycle []call) string {
	var b strings.Builder
	for _, c := range cycle {
		fmt.Fprintf(&b, "\n    %v calls %v", c.from, c.to)
	}
	return b.String()
}

// AllowCalls says that one kind may call another, or itself, though calls lead back: from now on these calls count only if actors
// wait for each other in fact.
func (k *Kit) AllowCalls(from, to string) {
	k.calls.mu.Lock()
	defer k.calls.mu.Unlock()
	if k.calls.allowed == nil {
		k.calls.allowed = map[[2]string]bool{}
	}
	k.calls.allowed[[2]string{from, to}] = true
}
