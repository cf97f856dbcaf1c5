package pg

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
)

// Errors of joins and leaves.
var (
	// ErrNotJoined: none of the actors was a member.
	ErrNotJoined = errors.New("pg: not joined")
	// ErrNotLocal: the actor is pinned to another node, whose scope it has to join.
	ErrNotLocal = errors.New("pg: not an actor of this node")
)

// Scope is a set of groups that knows nothing of other scopes. All methods may be called from anywhere; those that read make no
// call and wait for nobody.
type Scope struct {
	sys   *actors.System
	name  string
	table table
	ids   atomic.Uint64

	// kept is what the scope's actor needs at the begin of its next life.
	kept struct {
		sync.Mutex
		watchers map[MonitorRef]watcher
		nodes    map[ident.NodeID]bool
		missed   map[ident.NodeID]bool // those of which an update was not taken, until the actor has heard that
		peers    Peers
	}
}

// Caster casts from anywhere; *actors.System and *actors.Context do.
type Caster interface {
	Cast(to actors.Ref, msg any) error
}

// FanOut is a Caster that casts to many actors at once; *actors.System and *actors.Context are.
type FanOut interface {
	Caster
	// CastAll returns those that have not taken msg. It doesn't keep to.
	CastAll(to []actors.Ref, msg any) []actors.Refused
}

var _, _ FanOut = (*actors.System)(nil), (*actors.Context)(nil)

// New returns a scope, which runs once its Spec is in a tree. The name is that of its actor.
func New(sys *actors.System, name string) *Scope {
	s := &Scope{sys: sys, name: name}
	s.kept.watchers = map[MonitorRef]watcher{}
	s.kept.nodes = map[ident.NodeID]bool{}
	s.kept.missed = map[ident.NodeID]bool{}
	return s
}

// Ref names the scope's actor. Who has joined or watches may monitor it: when it ends (other than by a crash), all memberships
// and monitors are gone.
func (s *Scope) Ref() actors.Ref { return actors.Ref{Kind: Kind, ID: s.name} }

// Join makes actors of this node members of a group, and waits until readers see it. One that is listed twice, or joins again, has to
// leave as often. One that isn't there leaves at once. It is for goroutines outside of actors: see CastJoin.
func (s *Scope) Join(ctx context.Context, group string, members ...actors.Ref) error {
	return s.call(ctx, join{group: group, members: slices.Clone(members)}, members)
}

// Leave takes one membership of each away and waits until readers see it. ErrNotJoined: none of them had one.
func (s *Scope) Leave(ctx context.Context, group string, members ...actors.Ref) error {
	return s.call(ctx, leave{group: group, members: slices.Clone(members)}, members)
}

func (s *Scope) call(ctx context.Context, req any, members []actors.Ref) error {
	if err := s.local(members); err != nil {
		return err
	}
	if _, err := s.sys.Call(ctx, s.Ref(), req); err != nil {
		if errors.Is(err, ErrNotJoined) {
			return err
		}
		return fmt.Errorf("pg: scope %s: %w", s.name, err)
	}
	return nil
}

// CastJoin is Join for actors, which mustn't wait; ctx.Self() is what mostly joins. Readers see it a moment later, and in order
// with the caller's other joins and leaves. Where from is the *actors.Context of a member, that membership is of this life of it: the
// first join or leave of another life ends it, if nothing has before. ErrOverloaded and ErrNoProc are those of a cast.
func (s *Scope) CastJoin(from Caster, group string, members ...actors.Ref) error {
	if err := s.local(members); err != nil {
		return err
	}
	return from.Cast(s.Ref(), join{group, slices.Clone(members), lifeOf(from, members)})
}

// CastLeave is Leave for actors. That an actor was no member is not told.
func (s *Scope) CastLeave(from Caster, group string, members ...actors.Ref) error {
	if err := s.local(members); err != nil {
		return err
	}
	return from.Cast(s.Ref(), leave{group, slices.Clone(members), lifeOf(from, members)})
}

// lifeOf is the present life of who casts, if it is an actor and one of the members.
func lifeOf(from Caster, members []actors.Ref) life {
	a, ok := from.(interface {
		Self() actors.Ref
		Life() uint64
	})
	if !ok || !slices.Contains(members, a.Self()) {
		return life{}
	}
	return life{a.Self(), a.Life()}
}

// local reports an actor that is pinned to another node.
func (s *Scope) local(members []actors.Ref) error {
	for _, ref := range members {
		if ref.Node != "" && ref.Node != s.sys.Node() {
			return fmt.Errorf("%w: %v", ErrNotLocal, ref)
		}
	}
	return nil
}

// Monitor tells the calling actor about a group: first a *Current, then each *Change in order, with nothing missing between them,
// as casts. It ends with Demonitor and with this life of the actor.
func (s *Scope) Monitor(ctx *actors.Context, group string) (MonitorRef, error) {
	return s.monitor(ctx, monitor{who: ctx.Self(), group: group})
}

// MonitorScope is Monitor for all groups.
func (s *Scope) MonitorScope(ctx *actors.Context) (MonitorRef, error) {
	return s.monitor(ctx, monitor{who: ctx.Self(), whole: true})
}

func (s *Scope) monitor(ctx *actors.Context, m monitor) (MonitorRef, error) {
	m.id = MonitorRef(s.ids.Add(1))
	return m.id, ctx.Cast(s.Ref(), m)
}

// Demonitor ends a monitor. What was on its way still comes, and is known by its MonitorRef.
func (s *Scope) Demonitor(ctx *actors.Context, id MonitorRef) error {
	return ctx.Cast(s.Ref(), demonitor{id, ctx.Self()})
}

// Members lists a group, each actor as often as it has joined, in no order. The list is the caller's own, and costs as much as it is
// long: see Group.
func (s *Scope) Members(group string) []actors.Ref {
	if v := s.table.load(group); v != nil {
		return refs(v.total, v.here, v.there)
	}
	return nil
}

// LocalMembers is Members of this node.
func (s *Scope) LocalMembers(group string) []actors.Ref {
	if v := s.table.load(group); v != nil {
		return refs(v.totalHere, v.here)
	}
	return nil
}

// Group returns a group as it is now, without copying it.
func (s *Scope) Group(group string) Snapshot { return Snapshot{s.table.load(group)} }

// WhichGroups lists the groups that have members, in no order.
func (s *Scope) WhichGroups() []string {
	var names []string
	s.table.each(func(g string, _ *view) { names = append(names, g) })
	return names
}

// WhichLocalGroups lists the groups that have members of this node, in no order.
func (s *Scope) WhichLocalGroups() []string {
	var names []string
	s.table.each(func(g string, v *view) {
		if v.totalHere > 0 {
			names = append(names, g)
		}
	})
	return names
}

// Broadcast casts msg to every actor of a group, once to each, and returns how many have taken it and which have not; see
// Snapshot.Cast, also for groups so large that a handler should not do it in one go.
func (s *Scope) Broadcast(from Caster, group string, msg any) (taken int, refused []Refusal) {
	g := s.Group(group)
	n, refused := g.Cast(from, msg, 0, g.Len())
	return n - len(refused), refused
}

// SetPeers installs what carries updates to other nodes; before the scope runs, once.
func (s *Scope) SetPeers(p Peers) {
	s.kept.Lock()
	defer s.kept.Unlock()
	s.kept.peers = p
}

// PeerUp says that a node can be reached: the scopes there and here tell each other all they have. It may be said again.
func (s *Scope) PeerUp(id ident.NodeID) { s.peer(id, true) }

// PeerDown says that a node is gone, or can't be reached: its members leave.
func (s *Scope) PeerDown(id ident.NodeID) { s.peer(id, false) }

func (s *Scope) peer(id ident.NodeID, up bool) {
	s.kept.Lock()
	if up {
		s.kept.nodes[id] = true
	} else {
		delete(s.kept.nodes, id)
	}
	s.kept.Unlock()
	_ = s.sys.Answer(s.Ref(), peering{id, up}) // a scope that doesn't run learns it when it does
}

// Receive takes what the scope on another node has sent, which nobody may change afterwards. An error says that it was not taken; the scope
// has to be told no more of that: it asks that node for all it has, once for all that is not taken meanwhile.
func (s *Scope) Receive(from ident.NodeID, u *Update) error {
	s.kept.Lock()
	waits := s.kept.missed[from]
	s.kept.Unlock()
	if waits { // what comes now is in the answer, too
		return actors.ErrOverloaded
	}
	err := s.sys.Cast(s.Ref(), received{from, u})
	if err != nil {
		s.setMissed(from, true)
		if s.sys.Answer(s.Ref(), missed{from}) != nil { // the next to run asks all nodes
			s.setMissed(from, false)
		}
	}
	return err
}

func (s *Scope) setMissed(id ident.NodeID, on bool) {
	s.kept.Lock()
	defer s.kept.Unlock()
	if on {
		s.kept.missed[id] = true
	} else {
		delete(s.kept.missed, id)
	}
}

// left is what an earlier life of the scope's actor has left.
func (s *Scope) left() ([]watcher, []ident.NodeID, Peers) {
	s.kept.Lock()
	defer s.kept.Unlock()
	clear(s.kept.missed)
	return slices.Collect(maps.Values(s.kept.watchers)), slices.Collect(maps.Keys(s.kept.nodes)), s.kept.peers
}

// note keeps a watcher for the next life, or no longer.
func (s *Scope) note(id MonitorRef, w *watcher) {
	s.kept.Lock()
	defer s.kept.Unlock()
	if w == nil {
		delete(s.kept.watchers, id)
		return
	}
	s.kept.watchers[id] = *w
}

// clear forgets all members and watchers.
func (s *Scope) clear() {
	s.table.views.Clear()
	s.kept.Lock()
	defer s.kept.Unlock()
	clear(s.kept.watchers)
}
