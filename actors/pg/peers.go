package pg

import (
	"slices"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
)

// Peers carries updates to the scopes of the same name on other nodes. It may be called from any goroutine and must not block.
//
// Between PeerUp and PeerDown of a node it delivers in order what Send has taken, by the other side's Receive. If something is lost on the
// way, in whichever direction, it reports the node up again on one side or on both: then the two tell each other all they have.
type Peers interface {
	// Send takes u for the scope on that node. An error says that it was not taken: the scope sends all it has after a moment. u
	// is not changed afterwards.
	Send(to ident.NodeID, u *Update) error
}

// Membership says that each of Members has joined or left Group, as often as it is listed.
type Membership struct {
	Group   string
	Members []actors.Ref
}

// Update is what one node's scope tells another's about its own members; never about those of a third.
type Update struct {
	// Whole says that Joined is all there is: what was known of the sender's members before is void.
	Whole bool
	// Want asks for a Whole one in return.
	Want bool
	// Left counts before Joined.
	Left, Joined []Membership
}

// peer is another node's scope as this one sees it.
type peer struct {
	node   ident.NodeID
	behind bool // an update was not taken
	asked  bool // a Whole one is wanted and has not come yet
	known  map[actors.Ref]*party
}

func newPeer(id ident.NodeID) *peer { return &peer{node: id, known: map[actors.Ref]*party{}} }

// peerUp begins or renews the exchange with another node.
func (s *state) peerUp(id ident.NodeID) {
	p := s.peers[id]
	if p == nil {
		p = newPeer(id)
		s.peers[id] = p
	}
	p.behind, p.asked = false, true
	s.effects = append(s.effects, send{id, &Update{Whole: true, Want: true, Joined: s.ours()}})
}

// missed takes that something of another node's was lost, should that be up still.
func (s *state) missed(id ident.NodeID) {
	if s.peers[id] != nil {
		s.peerUp(id)
	}
}

// peerDown ends it: the node takes its members along.
func (s *state) peerDown(id ident.NodeID) {
	p := s.peers[id]
	if p == nil {
		return
	}
	delete(s.peers, id)
	for _, m := range p.known {
		s.dropAll(m)
	}
	s.flush(false)
}

// received takes what another node's scope tells. One that isn't up is not listened to: it may have gone down meanwhile, and
// tells all once it is up.
func (s *state) received(id ident.NodeID, u *Update) {
	p := s.peers[id]
	if p == nil {
		return
	}
	if u.Whole {
		p.asked = false
		s.replace(p, u.Joined)
	} else {
		for _, m := range u.Left {
			for _, ref := range m.Members {
				if x := p.known[ref]; x != nil && s.drop(x, m.Group, false) {
					p.forget(x)
				}
			}
		}
		for _, m := range u.Joined {
			for _, ref := range m.Members {
				s.add(p.party(ref), m.Group, false)
			}
		}
	}
	s.flush(false)
	if u.Want {
		p.behind = false
		s.effects = append(s.effects, send{id, &Update{Whole: true, Joined: s.ours()}})
	}
}

// replace makes now all there is of a peer. What is the same before and after is no change that anybody hears of.
func (s *state) replace(p *peer, now []Membership) {
	want := map[string]map[actors.Ref]int{}
	for _, m := range now {
		if want[m.Group] == nil {
			want[m.Group] = map[actors.Ref]int{}
		}
		for _, ref := range m.Members {
			want[m.Group][ref]++
		}
	}
	for _, x := range p.known {
		for _, sl := range slices.Clone(x.in) {
			for n := sl.n - want[sl.group.name][x.ref]; n > 0; n-- {
				s.take(sl, false)
			}
		}
	}
	for group, members := range want {
		for ref, n := range members {
			x := p.party(ref)
			if g := s.groups[group]; g != nil && g.at[x] != nil {
				n -= g.at[x].n
			}
			for ; n > 0; n-- {
				s.add(x, group, false)
			}
		}
	}
	for _, x := range p.known {
		p.forget(x)
	}
}

// party returns the peer's member of that name.
func (p *peer) party(ref actors.Ref) *party {
	x := p.known[ref]
	if x == nil {
		x = &party{ref: ref, node: p.node}
		p.known[ref] = x
	}
	return x
}

// forget lets go of one that is in no group.
func (p *peer) forget(x *party) {
	if len(x.in) == 0 {
		delete(p.known, x.ref)
	}
}

// ours lists all memberships of this node's members.
func (s *state) ours() []Membership {
	var list []Membership
	for _, g := range s.groups {
		if h := &g.halves[here]; h.total > 0 {
			list = append(list, Membership{g.name, refs(h.total, h.vec)})
		}
	}
	return list
}
