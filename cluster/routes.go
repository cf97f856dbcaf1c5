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
	// pins are the actors that are partitions of their own.
	pins map[actors.Ref]route
}

// route is what a sender needs to know of one of those.
type route struct {
	home          ident.NodeID
	mine, leaving bool
}

// publish makes routes of the state. It is called with the lock held, or before anybody else knows the cluster.
func (c *Cluster) publish() {
	st := c.mu.state
	next := &routes{table: st.table, alone: len(st.view.Peers) == 0}
	if len(st.pinned) > 0 {
		next.pins = make(map[actors.Ref]route, len(st.pinned))
	}
	for ref, x := range st.pinned {
		r := route{home: x.home, mine: x.phase == mine, leaving: x.leaving != 0 && x.phase == away}
		next.pins[ref] = r
		next.alone = next.alone && r.mine
		next.anyLeaving = next.anyLeaving || r.leaving
	}
	for i := range st.parts {
		next.mine[i] = st.parts[i].phase == mine
		next.alone = next.alone && next.mine[i]
		next.leaving[i] = st.parts[i].leaving && st.parts[i].phase == away
		next.anyLeaving = next.anyLeaving || next.leaving[i]
	}
	c.sending.Lock() // whoever has taken a way by the routes before has put it on a link, when others hear of the new ones
	c.routes.Store(next)
	c.sending.Unlock()
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
	if x, ok := r.pin(to); ok {
		return x.mine
	}
	return r.mine[ident.PartitionOf(to.Kind, to.ID)]
}

// pin is the route of an actor that is a partition of its own. It takes no time where there are none.
func (r *routes) pin(to actors.Ref) (x route, ok bool) {
	if len(r.pins) > 0 {
		x, ok = r.pins[to]
	}
	return x, ok
}

// owner is the node that an actor belongs to; "": nobody's.
func (r *routes) owner(to actors.Ref) ident.NodeID {
	if to.Node != "" {
		return to.Node
	}
	if x, ok := r.pin(to); ok {
		return x.home
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
	if !r.anyLeaving || !c.placed(to) {
		return false
	}
	if x, ok := r.pin(to); ok {
		return x.leaving
	}
	return r.leaving[ident.PartitionOf(to.Kind, to.ID)]
}
