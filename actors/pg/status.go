package pg

import (
	"slices"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
)

// status is what may be shown of a scope: numbers, and the nodes that take part.
type status struct {
	Groups    int `json:"groups"`    // with members, or watched
	Actors    int `json:"actors"`    // of this node: members, and those who watch
	Joined    int `json:"joined"`    // memberships of this node, an actor's second one in a group included
	Elsewhere int `json:"elsewhere"` // memberships of other nodes
	Watchers  int `json:"watchers"`
	Behind    int `json:"behind"` // watchers and nodes that have missed something and will be told all anew

	Peers []ident.NodeID `json:"peers"`
}

// FormatStatus implements actors.StatusFormatter.
func (a *actor) FormatStatus() any { return a.st.status() }

var _ actors.StatusFormatter = (*actor)(nil)

func (s *state) status() status {
	st := status{Groups: len(s.groups), Actors: len(s.local), Watchers: len(s.watchers)}
	for _, g := range s.groups {
		st.Joined += g.halves[here].total
		st.Elsewhere += g.halves[there].total
	}
	for _, w := range s.watchers {
		if w.behind {
			st.Behind++
		}
	}
	for id, p := range s.peers {
		st.Peers = append(st.Peers, id)
		if p.behind {
			st.Behind++
		}
	}
	slices.Sort(st.Peers)
	return st
}
