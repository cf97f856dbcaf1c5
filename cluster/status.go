package cluster

import (
	"sync/atomic"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
)

// Counters count what a node sends and gets by its links. They are read at any time by whoever exports them.
type Counters struct {
	Sent       atomic.Int64 // envelopes to other nodes
	Received   atomic.Int64 // envelopes of other nodes
	Forwarded  atomic.Int64 // envelopes sent on to the owner
	Held       atomic.Int64 // signals that waited for their partition
	Refused    atomic.Int64 // envelopes that were given back
	Bounced    atomic.Int64 // casts of this node's actors that came back
	Full       atomic.Int64 // signals refused because a link or the room for held ones was full
	Lost       atomic.Int64 // answers and the like that didn't get there, and that nobody waits for
	Unreadable atomic.Int64 // envelopes that this version can't read
	Unsendable atomic.Int64 // messages that are no protobuf messages
	Released   atomic.Int64 // partitions released
	Overdue    atomic.Int64 // actors that didn't leave in time
}

// Counters returns the counters.
func (c *Cluster) Counters() *Counters { return &c.counters }

// Status is what a node thinks of the cluster.
type Status struct {
	View uint64
	// Owned are the partitions of each node; "" are those of nobody.
	Owned map[ident.NodeID]int
	// Mine are those whose actors may run here; Waiting aren't released or claimed yet; Leaving still have actors here, or are waited for by
	// nodes that send for them by way of this one. An actor that
	// the override table names waits and leaves as a partition of its own.
	Mine, Waiting, Leaving int
	// Held are the signals that wait for partitions.
	Held int
	// Calls and Watches are this node's on actors of others, the latter also on what came here while its watcher waited; Watchers are the
	// others' monitors of actors here.
	Calls, Watches, Watchers int
}

// Status returns what this node thinks now.
func (c *Cluster) Status() Status {
	s := Status{Owned: map[ident.NodeID]int{}, Calls: c.calls.len(), Watches: c.watches.len(), Watchers: c.watchers.len()}
	c.mu.Lock()
	defer c.mu.Unlock()
	s.View, s.Held = c.mu.state.view.ID, c.mu.n
	for i := range c.mu.state.parts {
		p := &c.mu.state.parts[i]
		s.Owned[p.owner]++
		switch p.phase {
		case mine:
			s.Mine++
		case waiting, claiming:
			s.Waiting++
		}
		if p.leaving || !p.quiet.IsZero() {
			s.Leaving++
		}
	}
	for _, list := range c.mu.state.unsent {
		s.Leaving += len(list)
	}
	for _, x := range c.mu.state.pinned {
		if x.phase == waiting {
			s.Waiting++
		}
		if x.leaving != 0 {
			s.Leaving++
		}
	}
	return s
}

// Owner is the node that an actor is on by this node's view: the one that its Ref names, or, of a kind that is placed, the one that it is
// pinned to or that owns its partition. Empty is nobody, or whichever node is asked.
func (c *Cluster) Owner(to actors.Ref) ident.NodeID {
	if to.Node == "" && !c.placed(to) {
		return ""
	}
	return c.routes.Load().owner(to)
}

// Owned lists the partitions whose actors may run here, ascending.
func (c *Cluster) Owned() (list []ident.Partition) {
	r := c.routes.Load()
	for i, mine := range r.mine {
		if mine {
			list = append(list, ident.Partition(i))
		}
	}
	return list
}
