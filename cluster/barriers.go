package cluster

import (
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
	"github.com/jackdaw-im/jackdaw/telemetry"
)

// castClasses are the links that casts to placed actors take. Each keeps the order of what it carries, and none that of another.
var castClasses = [...]nodepb.LinkClass{nodepb.LinkClass_MESSAGES, nodepb.LinkClass_PRESENCE}

// barriers are envelopes that come by each of castClasses, and count when the last has come: all that was sent before by any of them has then
// come, too.
type barriers struct {
	number atomic.Uint64 // of this node's
	mu     sync.Mutex
	// come are those of each node that is there of which some have come.
	come map[ident.NodeID]map[uint64]int
}

// met begins to take those of a node.
func (b *barriers) met(from ident.NodeID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.come == nil {
		b.come = map[ident.NodeID]map[uint64]int{}
	}
	if b.come[from] == nil {
		b.come[from] = map[uint64]int{}
	}
}

// last reports whether a barrier has come by all links.
func (b *barriers) last(from ident.NodeID, number uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	of := b.come[from]
	if of == nil {
		return false
	}
	if of[number]++; of[number] < len(castClasses) {
		return false
	}
	maps.DeleteFunc(of, func(n uint64, _ int) bool { return n <= number }) // what hasn't come of those before, on links that keep an order, never will
	return true
}

// lost forgets those of a node of which one may not come any more.
func (b *barriers) lost(from ident.NodeID) {
	b.mu.Lock()
	clear(b.come[from])
	b.mu.Unlock()
}

// gone takes none of a node any more.
func (b *barriers) gone(from ident.NodeID) {
	b.mu.Lock()
	delete(b.come, from)
	b.mu.Unlock()
}

// barrier sends one, and reports whether all links have taken it, or the node is gone.
func (c *Cluster) barrier(to ident.NodeID, e *envelope) bool {
	e.ref = c.barriers.number.Add(1)
	return c.byAll(to, e)
}

// byAll sends an envelope by each of castClasses.
func (c *Cluster) byAll(to ident.NodeID, e *envelope) bool {
	for _, class := range castClasses {
		if !c.inform(to, class, e) {
			return false
		}
	}
	return true
}

// inform sends a list, and reports whether the link has taken it, or the node is gone; else it is to be sent again.
func (c *Cluster) inform(to ident.NodeID, class nodepb.LinkClass, e *envelope) bool {
	b, err := e.encode()
	if err == nil {
		err = c.give(to, class, b, true)
	}
	if errors.Is(err, actors.ErrOverloaded) {
		return false
	}
	if err != nil {
		c.counters.Lost.Add(1)
	}
	return true
}

// tellRoutes tells a node for which partitions this one sends by way of it.
func (c *Cluster) tellRoutes(to ident.NodeID, w word) {
	m := &nodepb.Partitions{List: numbersOf(w.list), With: protosOf(w.with), Without: protosOf(w.without)}
	if !c.barrier(to, &envelope{how: nodepb.Envelope_ROUTED, typ: c.bodies.number(m), msg: m}) {
		c.mu.Lock()
		c.mu.state.untold(time.Now(), to)
		c.mu.Unlock()
	}
}

// release tells the owner of partitions that no actor of them is here any more.
func (c *Cluster) release(h handing, list []ident.Partition) {
	c.mu.Lock()
	speaks := c.mu.state.speaks(h.to)
	c.mu.Unlock()
	m := &nodepb.Partitions{List: numbersOf(list)}
	e := &envelope{how: nodepb.Envelope_RELEASED, hops: h.passes, typ: c.bodies.number(m), msg: m}
	taken := false
	if speaks {
		taken = c.barrier(h.to, e)
	} else {
		taken = c.inform(h.to, nodepb.LinkClass_MESSAGES, e)
	}
	if taken {
		c.counters.Released.Add(int64(len(list)))
		return
	}
	c.mu.Lock()
	c.mu.state.unreleased(time.Now(), h, list)
	c.mu.Unlock()
}

func numbersOf(list []ident.Partition) []uint32 {
	out := make([]uint32, len(list))
	for i, p := range list {
		out[i] = uint32(p)
	}
	return out
}

func protosOf(refs []actors.Ref) []*nodepb.Ref {
	out := make([]*nodepb.Ref, len(refs))
	for i, ref := range refs {
		out[i] = ref.Proto()
	}
	return out
}

// listed is what an envelope about partitions has; false: it can't be read.
func (c *Cluster) listed(e *envelope) (w word, ok bool) {
	var m nodepb.Partitions
	if proto.Unmarshal(e.body, &m) != nil {
		c.counters.Unreadable.Add(1)
		return w, false
	}
	for _, p := range m.List {
		if p < ident.Partitions {
			w.list = append(w.list, ident.Partition(p))
		}
	}
	return word{w.list, c.placedOf(m.With), c.placedOf(m.Without)}, true
}

// placedOf are those of a list that can be where their partitions are.
func (c *Cluster) placedOf(list []*nodepb.Ref) (refs []actors.Ref) {
	for _, r := range list {
		if ref := actors.RefOf(r); c.placed(ref) {
			refs = append(refs, ref)
		}
	}
	return refs
}

// let takes that partitions were released.
func (c *Cluster) let(from ident.NodeID, e *envelope) {
	if w, ok := c.listed(e); ok {
		c.log.Debug("partitions released", zap.String(telemetry.KeyPeer, string(from)), zap.Int(telemetry.KeyPartitions, len(w.list)))
		c.post(func() { c.change(func(st *state) effects { return st.let(time.Now(), from, e.hops, w.list) }) })
	}
}

// hear takes what another node sends by way of this one.
func (c *Cluster) hear(from ident.NodeID, e *envelope) {
	if w, ok := c.listed(e); ok {
		c.post(func() { c.change(func(st *state) effects { return st.heard(time.Now(), from, w) }) })
	}
}

// lately reports whether an actor was this node's until a moment ago.
func (c *Cluster) lately(ref actors.Ref) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.state.lately(time.Now(), ref)
}
