package cluster

import (
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
	come   map[ident.NodeID]map[uint64]int
}

// last reports whether a barrier has come by all links.
func (b *barriers) last(from ident.NodeID, number uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	of := b.come[from]
	if of[number]+1 == len(castClasses) {
		delete(of, number)
		return true
	}
	if of == nil {
		if b.come == nil {
			b.come = map[ident.NodeID]map[uint64]int{}
		}
		of = map[uint64]int{}
		b.come[from] = of
	}
	of[number]++
	return false
}

// lost forgets those of a node of which one may not come any more.
func (b *barriers) lost(from ident.NodeID) {
	b.mu.Lock()
	delete(b.come, from)
	b.mu.Unlock()
}

// barrier sends one.
func (c *Cluster) barrier(to ident.NodeID, how nodepb.Envelope_How, list []ident.Partition) {
	e := c.listing(how, list)
	e.ref = c.barriers.number.Add(1)
	for _, class := range castClasses {
		c.toNode(to, class, true, e)
	}
}

// release tells the owner of partitions that no actor of them is here any more.
func (c *Cluster) release(to ident.NodeID, list []ident.Partition) {
	c.counters.Released.Add(int64(len(list)))
	c.mu.Lock()
	speaks := c.mu.state.speaks(to)
	c.mu.Unlock()
	if speaks {
		c.barrier(to, nodepb.Envelope_RELEASED, list)
		return
	}
	c.toNode(to, nodepb.LinkClass_MESSAGES, true, c.listing(nodepb.Envelope_RELEASED, list))
}

func (c *Cluster) listing(how nodepb.Envelope_How, list []ident.Partition) *envelope {
	m := &nodepb.Partitions{}
	for _, p := range list {
		m.List = append(m.List, uint32(p))
	}
	return &envelope{how: how, typ: c.bodies.number(m), msg: m}
}

// listed is what listing had; false: it can't be read.
func (c *Cluster) listed(e *envelope) (list []ident.Partition, ok bool) {
	var m nodepb.Partitions
	if proto.Unmarshal(e.body, &m) != nil {
		c.counters.Unreadable.Add(1)
		return nil, false
	}
	for _, p := range m.List {
		if p < ident.Partitions {
			list = append(list, ident.Partition(p))
		}
	}
	return list, true
}

// let takes that partitions were released.
func (c *Cluster) let(from ident.NodeID, e *envelope) {
	if list, ok := c.listed(e); ok {
		c.log.Debug("partitions released", zap.String(telemetry.KeyPeer, string(from)), zap.Int(telemetry.KeyPartitions, len(list)))
		c.post(func() { c.change(func(st *state) effects { return st.let(time.Now(), from, list) }) })
	}
}

// hear takes what another node sends by way of this one.
func (c *Cluster) hear(from ident.NodeID, e *envelope) {
	if list, ok := c.listed(e); ok {
		c.post(func() { c.change(func(st *state) effects { return st.heard(time.Now(), from, list) }) })
	}
}

// lately reports whether an actor was this node's until a moment ago.
func (c *Cluster) lately(ref actors.Ref) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.state.lately(time.Now(), ref)
}
