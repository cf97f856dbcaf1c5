package cluster

import (
	"sync"
	"time"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
)

// calls are those of this node that wait for answers of others.
type calls struct {
	mu   sync.Mutex
	last uint64
	m    map[uint64]call
}

type call struct {
	node ident.NodeID
	*actors.Asked
}

func (c *calls) put(node ident.NodeID, a *actors.Asked) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil {
		c.m = map[uint64]call{}
	}
	c.last++
	c.m[c.last] = call{node, a}
	return c.last
}

func (c *calls) take(id uint64) *actors.Asked {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.m[id]
	delete(c.m, id)
	return a.Asked
}

func (c *calls) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.m)
}

// lost answers the calls to a node that is gone.
func (c *calls) lost(node ident.NodeID) {
	c.mu.Lock()
	var all []*actors.Asked
	for id, a := range c.m {
		if a.node == node {
			all = append(all, a.Asked)
			delete(c.m, id)
		}
	}
	c.mu.Unlock()
	for _, a := range all {
		if a.Waiting() {
			a.Answer(nil, actors.ErrNoConnection)
		}
	}
}

// forget drops those whose deadline has passed.
func (c *calls) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, a := range c.m {
		if !a.Waiting() {
			delete(c.m, id)
		}
	}
}

// sweepEvery is how often calls that nobody waits for are forgotten, and what has waited for too long is given back.
const sweepEvery = time.Second

func (c *Cluster) sweep() {
	t := time.NewTicker(sweepEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			c.calls.forget()
			c.expire()
			c.post(func() { c.checkClaims(time.Now()) })
		case <-c.stop:
			return
		}
	}
}
