package cluster

import (
	"errors"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/cluster/placement"
	"github.com/jackdaw-im/jackdaw/ident"
)

// routes is what a sender needs to know. It is never changed, but replaced.
type routes struct {
	// alone: everything that is placed is here.
	alone bool
	mine  [ident.Partitions]bool
	// leaving says that actors of a partition that is another node's are still here; anyLeaving that there are such.
	leaving    [ident.Partitions]bool
	anyLeaving bool
	table      *placement.Table
	pins       placement.Pins
}

// publish makes routes of the state. It is called with the lock held, or before anybody else knows the cluster.
func (c *Cluster) publish() {
	st := c.mu.state
	next := &routes{table: st.table, alone: len(st.view.Peers) == 0}
	if old := c.routes.Load(); old != nil {
		next.pins = old.pins
	}
	for i := range st.parts {
		next.mine[i] = st.parts[i].phase == mine
		next.alone = next.alone && next.mine[i]
		next.leaving[i] = st.parts[i].leaving && st.parts[i].phase == away
		next.anyLeaving = next.anyLeaving || next.leaving[i]
	}
	c.routes.Store(next)
}

// placed reports whether a Ref is where its partition is.
func (c *Cluster) placed(to actors.Ref) bool {
	if to.Node != "" {
		return false
	}
	for _, kind := range c.opts.Placed {
		if to.Kind == kind {
			return true
		}
	}
	return false
}

// Local implements actors.Router.
func (c *Cluster) Local(to actors.Ref) bool {
	r := c.routes.Load()
	if r.alone && to.Node == "" {
		return true
	}
	if !c.placed(to) {
		return to.Node == "" || to.Node == c.self
	}
	return r.pinned(to) == c.self || r.pinned(to) == "" && r.mine[ident.PartitionOf(to.Kind, to.ID)]
}

// pinned is the node that the override table puts an actor on; "": its partition counts.
func (r *routes) pinned(to actors.Ref) ident.NodeID {
	if name, ok := r.pins.Find(to.Kind, to.ID); ok {
		return r.table.Named(name)
	}
	return ""
}

// owner is the node that an actor belongs to; "": nobody's.
func (r *routes) owner(to actors.Ref) ident.NodeID {
	if to.Node != "" {
		return to.Node
	}
	if id := r.pinned(to); id != "" {
		return id
	}
	return r.table.Owner(ident.PartitionOf(to.Kind, to.ID))
}

// queued puts a cast into the queue of an actor that is leaving this node, behind what waits there and goes with it: so that it isn't
// overtaken. It reports false if the actor isn't here any more.
func (c *Cluster) queued(r *routes, to actors.Ref, msg any) (ok bool, err error) {
	if !r.stays(c, to) {
		return false, nil
	}
	err = c.sys.Enqueue(to, msg)
	return !errors.Is(err, actors.ErrNoProc), err
}

// stays reports whether an actor of another node may still be here.
func (r *routes) stays(c *Cluster, to actors.Ref) bool {
	return r.anyLeaving && c.placed(to) && r.leaving[ident.PartitionOf(to.Kind, to.ID)]
}
