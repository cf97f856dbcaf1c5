package cluster

import (
	"cmp"
	"slices"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
)

// held is a signal for an actor: one of this node's, or an envelope of another's.
type held struct {
	to  actors.Ref
	sig actors.Signal
	env *envelope
	// waited says that it was parked: this node knows more than when it got it.
	waited bool
}

func (h *held) size() int {
	if h.env == nil {
		return 0
	}
	return len(h.env.body)
}

// place is what something is held for: a partition, or one actor.
type place struct {
	p   ident.Partition
	ref actors.Ref
}

// placeOf is that of an actor that is a partition of its own.
func placeOf(ref actors.Ref) place { return place{ident.PartitionOf(ref.Kind, ref.ID), ref} }

// placeOf is that of an actor; called with the lock held.
func (c *Cluster) placeOf(ref actors.Ref) place {
	at := placeOf(ref)
	if c.mu.state.pinned[ref] == nil {
		at.ref = actors.Ref{}
	}
	return at
}

// hold keeps a signal for a partition that is this node's and not open yet, or handles it if it has been opened just now.
func (c *Cluster) hold(h held) error {
	c.mu.Lock()
	switch owner, ph := c.mu.state.at(h.to); {
	case ph == mine || owner != c.self:
		c.mu.Unlock()
		if c.Local(h.to) {
			c.handle(h)
		} else {
			c.sendOn(h)
		}
		return nil
	case c.mu.n >= c.opts.HoldLen || c.mu.bytes+h.size() > c.opts.HoldBytes:
		c.mu.Unlock()
		c.counters.Full.Add(1)
		return actors.ErrOverloaded
	}
	at := c.placeOf(h.to)
	c.mu.held[at] = append(c.mu.held[at], h)
	c.mu.n++
	c.mu.bytes += h.size()
	c.mu.Unlock()
	c.counters.Held.Add(1)
	return nil
}

// parked is a signal that waits for the next view, until a time.
type parked struct {
	held
	until time.Time
}

// parkTime is how long views may differ before what waits for that is given back: news takes a fraction of it.
const parkTime = time.Second

// park keeps an envelope until this node has another view, and reports false if there is no room.
func (c *Cluster) park(h held) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.n >= c.opts.HoldLen || c.mu.bytes+h.size() > c.opts.HoldBytes {
		c.counters.Full.Add(1)
		return false
	}
	c.mu.parked = append(c.mu.parked, parked{h, time.Now().Add(min(c.opts.Hold, parkTime))})
	c.mu.n++
	c.mu.bytes += h.size()
	c.counters.Held.Add(1)
	return true
}

// unpark puts what was parked to what is held, if its actor is to come to this node now, before anything else that comes for it, and returns
// the rest. It is called with the lock held.
func (c *Cluster) unpark() (on []held) {
	for _, x := range c.mu.parked {
		if owner, ph := c.mu.state.at(x.to); owner == c.self && ph != mine {
			at := c.placeOf(x.to)
			c.mu.held[at] = append(c.mu.held[at], x.held)
			continue
		}
		c.mu.n--
		c.mu.bytes -= x.size()
		x.waited = true
		on = append(on, x.held)
	}
	c.mu.parked = nil
	return on
}

// regroup takes what is held for actors that have become partitions of their own out of what is held for their partitions. It is called
// with the lock held.
func (c *Cluster) regroup(list []actors.Ref) {
	for _, ref := range list {
		at, part := placeOf(ref), place{p: ident.PartitionOf(ref.Kind, ref.ID)}
		var rest []held
		for _, h := range c.mu.held[part] {
			if h.to == ref {
				c.mu.held[at] = append(c.mu.held[at], h)
			} else {
				rest = append(rest, h)
			}
		}
		if c.mu.held[part] = rest; rest == nil {
			delete(c.mu.held, part)
		}
	}
}

// expire gives back what was parked for too long: the views don't agree.
func (c *Cluster) expire() {
	now := time.Now()
	var back []held
	c.mu.Lock()
	for len(c.mu.parked) > 0 && !c.mu.parked[0].until.After(now) {
		x := c.mu.parked[0].held
		c.mu.parked = c.mu.parked[1:]
		c.mu.n--
		c.mu.bytes -= x.size()
		back = append(back, x)
	}
	c.mu.Unlock()
	for _, h := range back {
		c.refuse(h.env, actors.ErrOverloaded) // it was certainly not taken
	}
}

// unhold takes what is held for a place; called with the lock held.
func (c *Cluster) unhold(at place) []held {
	list := c.mu.held[at]
	delete(c.mu.held, at)
	c.mu.n -= len(list)
	for i := range list {
		c.mu.bytes -= list[i].size()
	}
	return list
}

// inOrder puts first what the owner before has sent: what waited in its actors' queues is older than what came here directly.
func inOrder(list []held, before ident.NodeID) []held {
	slices.SortStableFunc(list, func(a, b held) int { return cmp.Compare(rank(a, before), rank(b, before)) })
	return list
}

func rank(h held, before ident.NodeID) int {
	if h.env != nil && h.env.via == before {
		return 0
	}
	return 1
}

// giveBack returns what was sent on by an owner that has not released its partitions: what came before may be lost with it.
func (c *Cluster) giveBack(list []ident.Partition) {
	var back []held
	c.mu.Lock()
	for _, p := range list {
		var keep []held
		for _, h := range c.unhold(place{p: p}) {
			if h.env != nil && h.env.hops > 0 {
				back = append(back, h)
			} else {
				keep = append(keep, h)
				c.mu.n++
				c.mu.bytes += h.size()
			}
		}
		if keep != nil {
			c.mu.held[place{p: p}] = keep
		}
	}
	c.mu.Unlock()
	for _, h := range back {
		c.refuse(h.env, actors.ErrNoConnection)
	}
}
