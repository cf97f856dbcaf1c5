package cluster

import (
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/actors/pg"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// groups are the scopes of process groups that this node shares with others.
type groups struct {
	mu     sync.Mutex
	scopes map[string]*pg.Scope
	up     map[ident.NodeID]bool // the nodes that scopes have been told of
}

// Share has the scopes of one name on all nodes see each other's members, from now on; once for each, and before the scope runs. Each node
// says who its own members are, and nobody else does: there is no lock over several nodes. A member that is neither placed nor pinned is
// pinned to its node for the others; it has to run, as they can't start it. What one node has in one scope has to fit into an
// envelope (link.MaxEnvelope): some 200,000 memberships.
func (c *Cluster) Share(s *pg.Scope) {
	s.SetPeers(groupPeers{c, s.Ref().ID})
	g := &c.groups
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.scopes == nil {
		g.scopes = map[string]*pg.Scope{}
	}
	g.scopes[s.Ref().ID] = s
	for id := range g.up {
		s.PeerUp(id)
	}
}

// groupPeers carries the updates of one scope.
type groupPeers struct {
	c    *Cluster
	name string
}

// Send implements pg.Peers.
func (p groupPeers) Send(to ident.NodeID, u *pg.Update) error {
	m := &nodepb.GroupUpdate{Whole: u.Whole, Want: u.Want, Left: p.c.memberships(u.Left), Joined: p.c.memberships(u.Joined)}
	e := &envelope{how: nodepb.Envelope_GROUP, to: actors.Ref{Kind: pg.Kind, ID: p.name}, typ: p.c.bodies.number(m), msg: m}
	b, err := e.encode()
	if err != nil {
		return err
	}
	return p.c.give(to, classOf(e), b, false)
}

// memberships are those of actors of this node in a form that means the same on others.
func (c *Cluster) memberships(list []pg.Membership) (out []*nodepb.Membership) {
	for _, m := range list {
		x := &nodepb.Membership{Group: m.Group}
		for _, ref := range m.Members {
			if !c.placed(ref) {
				ref.Node = c.self
			}
			x.Members = append(x.Members, ref.Proto())
		}
		out = append(out, x)
	}
	return out
}

func membershipsOf(list []*nodepb.Membership) (out []pg.Membership) {
	for _, m := range list {
		x := pg.Membership{Group: m.GetGroup()}
		for _, ref := range m.GetMembers() {
			x.Members = append(x.Members, actors.RefOf(ref))
		}
		out = append(out, x)
	}
	return out
}

// peer tells scopes that a node can be reached, or not any more.
func (g *groups) peer(id ident.NodeID, up bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if up {
		if g.up == nil {
			g.up = map[ident.NodeID]bool{}
		}
		g.up[id] = true
	} else {
		delete(g.up, id)
	}
	for _, s := range g.scopes {
		if up {
			s.PeerUp(id)
		} else {
			s.PeerDown(id)
		}
	}
}

// alone tells scopes that no node can be reached.
func (g *groups) alone() {
	g.mu.Lock()
	list := make([]ident.NodeID, 0, len(g.up))
	for id := range g.up {
		list = append(list, id)
	}
	g.mu.Unlock()
	for _, id := range list {
		g.peer(id, false)
	}
}

// receive takes what a node's scope tells the one of the same name here. What isn't taken is asked for again; a scope that isn't
// here asks once it is.
func (g *groups) receive(c *Cluster, from ident.NodeID, e *envelope) {
	g.mu.Lock()
	s := g.scopes[e.to.ID]
	g.mu.Unlock()
	var m nodepb.GroupUpdate
	if s == nil {
		c.counters.Lost.Add(1)
		return
	}
	if proto.Unmarshal(e.body, &m) != nil {
		c.counters.Unreadable.Add(1)
		return
	}
	u := &pg.Update{Whole: m.GetWhole(), Want: m.GetWant(), Left: membershipsOf(m.GetLeft()), Joined: membershipsOf(m.GetJoined())}
	if s.Receive(from, u) != nil {
		c.counters.Lost.Add(1)
	}
}
