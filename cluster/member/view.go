package member

import (
	"encoding/binary"
	"fmt"

	"github.com/cespare/xxhash/v2"

	"github.com/jackdaw-im/jackdaw/cluster/placement"
	"github.com/jackdaw-im/jackdaw/ident"
)

// State is what a node does in the cluster.
type State uint8

// The states of a node.
const (
	// Joining nodes are known and own nothing.
	Joining State = iota
	// Active nodes own partitions.
	Active
	// Draining nodes give their partitions away, and own nothing.
	Draining
)

// String returns the state's name as operators see it.
func (s State) String() string {
	switch s {
	case Joining:
		return "joining"
	case Active:
		return "active"
	case Draining:
		return "draining"
	}
	return "unknown"
}

// Member is what is known of one node.
type Member struct {
	ID ident.NodeID
	// Name is the part of the id that stays when the node restarts.
	Name string
	// Gossip and Carriage are HOST:PORT: for gossip and for frames.
	Gossip, Carriage string
	// Client is the HOST:PORT by which clients reach it; empty: they aren't told.
	Client string
	// Proto is the version of the protocol between nodes that it speaks, Oldest the oldest that it understands.
	Proto, Oldest uint16
	// Release is its program's.
	Release string
	State   State
	// Weight is its share of the partitions: 100 is usual, 0 owns nothing.
	Weight uint32
	// Trust is the version of its bundle of secrets.
	Trust uint64
	// Passes is set if it understands detours: frames that a third node passes on.
	Passes bool
	// Routed is set if it wants to know which partitions others take for its own.
	Routed bool
	// ByAge is set if it leaves the steps of rotations to the node that began first.
	ByAge bool
	// Suspect is set while the node is lost by gossip and its time of grace is not over.
	Suspect bool
	// Rejected says why it isn't placed and no link goes to it, "" if nothing is wrong with it.
	Rejected string
}

// Placed reports whether the member is among those that own partitions, if its weight isn't 0.
func (m *Member) Placed() bool { return m.State == Active && m.Rejected == "" }

// View is what a node knows of its cluster at one time. It is immutable.
type View struct {
	// ID is a hash of the placed members' ids and weights: nodes of the same view id have the same table.
	ID uint64
	// Members are all that are known, this node among them, sorted by ID.
	Members []Member
}

// newView makes a view of members that are sorted.
func newView(members []Member) *View {
	v := &View{Members: members}
	d := xxhash.New()
	for _, n := range v.Placed() {
		var tail [5]byte // a byte that is in no id, and the weight
		binary.BigEndian.PutUint32(tail[1:], n.Weight)
		_, _ = d.WriteString(string(n.ID)) // never fails
		_, _ = d.Write(tail[:])
	}
	v.ID = d.Sum64()
	return v
}

// Placed returns the nodes that partitions are placed on.
func (v *View) Placed() []placement.Node {
	var nodes []placement.Node
	for i := range v.Members {
		if m := &v.Members[i]; m.Placed() {
			nodes = append(nodes, placement.Node{ID: m.ID, Weight: m.Weight})
		}
	}
	return nodes
}

// ViewText is the id of a view as people read it.
func ViewText(id uint64) string { return fmt.Sprintf("%016x", id) }

// Find returns a member by its id.
func (v *View) Find(id ident.NodeID) (Member, bool) {
	for i := range v.Members {
		if v.Members[i].ID == id {
			return v.Members[i], true
		}
	}
	return Member{}, false
}
