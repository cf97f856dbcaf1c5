package cluster

import (
	"sync"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// watches are the monitors that actors of this node have on actors of others.
type watches struct {
	mu   sync.Mutex
	last uint64
	m    map[uint64]watch
	ids  map[*actors.Watch]uint64
}

type watch struct {
	node ident.NodeID
	*actors.Watch
}

func (w *watches) put(node ident.NodeID, x *actors.Watch) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.m == nil {
		w.m, w.ids = map[uint64]watch{}, map[*actors.Watch]uint64{}
	}
	w.last++
	w.m[w.last], w.ids[x] = watch{node, x}, w.last
	return w.last
}

func (w *watches) take(id uint64) *actors.Watch {
	w.mu.Lock()
	defer w.mu.Unlock()
	x, ok := w.m[id]
	if !ok {
		return nil
	}
	delete(w.m, id)
	delete(w.ids, x.Watch)
	return x.Watch
}

// drop forgets a monitor that its watcher has withdrawn.
func (w *watches) drop(x *actors.Watch) (node ident.NodeID, id uint64, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if id, ok = w.ids[x]; ok {
		node = w.m[id].node
		delete(w.m, id)
		delete(w.ids, x)
	}
	return node, id, ok
}

func (w *watches) len() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.m)
}

// takeIf takes all that match.
func (w *watches) takeIf(match func(watch) bool) (all []watch, ids []uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, x := range w.m {
		if match(x) {
			all, ids = append(all, x), append(ids, id)
			delete(w.m, id)
			delete(w.ids, x.Watch)
		}
	}
	return all, ids
}

// lost tells those who watch actors of a node that is gone.
func (w *watches) lost(node ident.NodeID) {
	all, _ := w.takeIf(func(x watch) bool { return x.node == node })
	for _, x := range all {
		x.Down(actors.NoConnection)
	}
}

// withdraw ends the monitors of actors of a node that had given this one up: those that came there after that stand.
func (c *Cluster) withdraw(node ident.NodeID) {
	c.endWatches(func(x watch) bool { return x.node == node })
}

// recheck tells those who watch placed actors that have moved from where they are watched.
func (c *Cluster) recheck() {
	r := c.routes.Load()
	c.endWatches(func(x watch) bool { return x.Target().Node == "" && r.owner(x.Target()) != x.node })
}

// endWatches tells those who watch that they don't any more, and the nodes where they did.
func (c *Cluster) endWatches(match func(watch) bool) {
	all, ids := c.watches.takeIf(match)
	for i, x := range all {
		x.Down(actors.NoConnection)
		c.toNode(x.node, nodepb.LinkClass_MESSAGES, true, &envelope{how: nodepb.Envelope_DEMONITOR, to: x.Target(), ref: ids[i]})
	}
}

// watchers are the monitors that actors of other nodes have on actors of this one.
type watchers struct {
	mu sync.Mutex
	m  map[watcher]*watched
}

type watcher struct {
	node ident.NodeID
	id   uint64
}

// watched is one of them. over is set once it is withdrawn or has been told, which may be before unwatch is known.
type watched struct {
	unwatch func()
	over    bool
}

func (w *watchers) watch(c *Cluster, node ident.NodeID, id uint64, to actors.Ref) {
	key, x := watcher{node, id}, &watched{}
	w.mu.Lock()
	if w.m == nil {
		w.m = map[watcher]*watched{}
	}
	w.m[key] = x
	w.mu.Unlock()
	unwatch := c.sys.WatchFor(to, func(reason actors.Reason) {
		if w.end(key, x) {
			c.toNode(node, nodepb.LinkClass_MESSAGES, true, &envelope{how: nodepb.Envelope_DOWN, ref: id, reason: reason})
		}
	})
	w.mu.Lock()
	x.unwatch = unwatch
	over := x.over
	w.mu.Unlock()
	if over {
		unwatch()
	}
}

func (w *watchers) len() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.m)
}

// end reports whether x was still there, and takes it away.
func (w *watchers) end(key watcher, x *watched) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if x.over {
		return false
	}
	x.over = true
	if w.m[key] == x {
		delete(w.m, key)
	}
	return true
}

// unwatch reports whether there was such a monitor.
func (w *watchers) unwatch(node ident.NodeID, id uint64) bool {
	key := watcher{node, id}
	w.mu.Lock()
	x := w.m[key]
	w.mu.Unlock()
	w.withdraw(key, x)
	return x != nil
}

func (w *watchers) withdraw(key watcher, x *watched) {
	if x == nil || !w.end(key, x) {
		return
	}
	w.mu.Lock()
	unwatch := x.unwatch
	w.mu.Unlock()
	if unwatch != nil {
		unwatch()
	}
}

// lost withdraws the monitors of a node that is gone.
func (w *watchers) lost(node ident.NodeID) {
	w.mu.Lock()
	gone := map[watcher]*watched{}
	for key, x := range w.m {
		if key.node == node {
			gone[key] = x
		}
	}
	w.mu.Unlock()
	for key, x := range gone {
		w.withdraw(key, x)
	}
}

// watchOwn watches an actor that has come to this node while its watcher, of this node too, waited: as any of its watchers elsewhere.
func (c *Cluster) watchOwn(to actors.Ref, x *actors.Watch) {
	c.watchers.watch(c, c.self, c.watches.put(c.self, x), to)
}
