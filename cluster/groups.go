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
}

// Share has the scopes of one name on all nodes see each other's members; before they run.
func (c *Cluster) Share(s *pg.Scope) {
	s.SetPeers(groupPeers{c, s.Ref().ID})
	c.groups.mu.Lock()
	defer c.groups.mu.Unlock()
	if c.groups.scopes == nil {
		c.groups.scopes = map[string]*pg.Scope{}
	}
	c.groups.scopes[s.Ref().ID] = s
}

// groupPeers carries the updates of one scope.
type groupPeers struct {
	c    *Cluster
	name string
}

// Send implements pg.Peers.
func (p groupPeers) Send(to ident.NodeID, u *pg.Update) error {
	m := &nodepb.GroupUpdate{Whole: u.Whole, Want: u.Want, Left: membershipsTo(u.Left), Joined: membershipsTo(u.Joined)}
	e := &envelope{how: nodepb.Envelope_GROUP, to: actors.Ref{Kind: pg.Kind, ID: p.name}, typ: p.c.bodies.number(m), msg: m}
	b, err := e.encode()
	if err != nil {
		return err
	}
	return p.c.give(to, nodepb.LinkClass_CONTROL, b, false)
}

func membershipsTo(list []pg.Membership) (out []*nodepb.Membership) {
	for _, m := range list {
		x := &nodepb.Membership{Group: m.Group}
		for _, ref := range m.Members {
			x.Members = append(x.Members, ref.Proto())
		}
		out = append(out, x)
	}
	return out
}

func membershipsFrom(list []*nodepb.Membership) (out []pg.Membership) {
	for _, m := range list {
		x := pg.Membership{Group: m.GetGroup()}
		for _, ref := range m.GetMembers() {
			x.Members = append(x.Members, actors.RefOf(ref))
		}
		out = append(out, x)
	}
	return out
}

func (g *groups) all() (list []*pg.Scope) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range g.scopes {
		list = append(list, s)
	}
	return list
}

func (g *groups) up(id ident.NodeID) {
	for _, s := range g.all() {
		s.PeerUp(id)
	}
}

func (g *groups) down(id ident.NodeID) {
	for _, s := range g.all() {
		s.PeerDown(id)
	}
}

func (g *groups) receive(c *Cluster, from ident.NodeID, e *envelope) {
	g.mu.Lock()
	s := g.scopes[e.to.ID]
	g.mu.Unlock()
	var m nodepb.GroupUpdate
	if s == nil || proto.Unmarshal(e.body, &m) != nil {
		c.counters.Unreadable.Add(1)
		return
	}
	u := &pg.Update{Whole: m.GetWhole(), Want: m.GetWant(), Left: membershipsFrom(m.GetLeft()), Joined: membershipsFrom(m.GetJoined())}
	if s.Receive(from, u) != nil { // then both tell each other all they have
		s.PeerDown(from)
		s.PeerUp(from)
	}
}
