package actors

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// namedKind is the kind of a Ref that stands for a registered name.
const namedKind = "@"

// Named is an address for whoever has the name when a message is sent, as an atom is in Erlang.
func Named(name string) Ref { return Ref{Kind: namedKind, ID: name} }

// names are the registered names of this node.
type names struct {
	used atomic.Int64 // so that who ends without a name needs no lock
	mu   struct {
		sync.RWMutex
		refs map[string]Ref
		of   map[Ref][]string
	}
}

// Register gives a live actor of this node a name, until it ends; a restart keeps it. Unlike in Erlang one actor may have several.
// ErrExists: the name is taken. ErrNoProc: the actor isn't there.
func (s *System) Register(name string, ref Ref) error {
	if ref.Kind == namedKind || name == "" {
		return fmt.Errorf("actors: %q can't be the name of %v", name, ref)
	}
	n := &s.names
	n.mu.Lock()
	defer n.mu.Unlock()
	if old, taken := n.mu.refs[name]; taken {
		return fmt.Errorf("%w: the name %q is that of %v", ErrExists, name, old)
	}
	n.used.Add(1) // before the look: who ends after it finds the lock
	if s.registry.find(ref) == nil {
		n.used.Add(-1)
		return fmt.Errorf("%w: %v", ErrNoProc, ref)
	}
	if n.mu.refs == nil {
		n.mu.refs, n.mu.of = map[string]Ref{}, map[Ref][]string{}
	}
	n.mu.refs[name] = ref
	n.mu.of[ref] = append(n.mu.of[ref], name)
	return nil
}

// Unregister takes a name away and reports whether somebody had it.
func (s *System) Unregister(name string) bool {
	n := &s.names
	n.mu.Lock()
	defer n.mu.Unlock()
	ref, ok := n.mu.refs[name]
	if !ok {
		return false
	}
	delete(n.mu.refs, name)
	rest := n.mu.of[ref][:0]
	for _, other := range n.mu.of[ref] {
		if other != name {
			rest = append(rest, other)
		}
	}
	if n.mu.of[ref] = rest; len(rest) == 0 {
		delete(n.mu.of, ref)
	}
	n.used.Add(-1)
	return true
}

// WhereIs returns who has a name; ok is false if nobody has.
func (s *System) WhereIs(name string) (ref Ref, ok bool) {
	s.names.mu.RLock()
	defer s.names.mu.RUnlock()
	ref, ok = s.names.mu.refs[name]
	return ref, ok
}

// named replaces a name by who has it; nobody has the name of kind "@" itself.
func (s *System) named(to Ref) Ref {
	if to.Kind != namedKind {
		return to
	}
	if ref, ok := s.WhereIs(to.ID); ok {
		return ref
	}
	return to
}

// remove takes all names of an actor that has ended.
func (n *names) remove(ref Ref) {
	if n.used.Load() == 0 {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, name := range n.mu.of[ref] {
		delete(n.mu.refs, name)
		n.used.Add(-1)
	}
	delete(n.mu.of, ref)
}
