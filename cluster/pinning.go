package cluster

import (
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// runPins does what an event leads to for actors that are partitions of their own.
func (c *Cluster) runPins(fx effects) {
	var ran []leaver
	var on []held
	leaves := map[actors.Ref]bool{}
	c.mu.Lock()
	for _, l := range fx.leavers {
		if home, _ := c.mu.state.at(l.ref); home != c.self { // else it waits until what is here has ended
			on = append(on, c.unhold(placeOf(l.ref))...)
		}
		if l.ran {
			ran = append(ran, l)
			leaves[l.ref] = true
		}
	}
	c.mu.Unlock()
	for _, h := range on {
		c.sendOn(h)
	}
	if len(ran) > 0 {
		c.sys.Disconnect(func(ref actors.Ref) bool { return leaves[ref] })
		c.wg.Go(func() { c.retirePins(ran) })
	}
	for to, refs := range fx.asks {
		c.toNode(to, nodepb.LinkClass_MESSAGES, true, c.pinning(nodepb.Envelope_WANTED, fx.question, 0, refs))
	}
	type answer struct {
		to     ident.NodeID
		number uint64
		age    time.Duration
	}
	answers := map[answer][]actors.Ref{}
	for _, y := range fx.yields {
		a := answer{y.to, y.number, y.age}
		answers[a] = append(answers[a], y.ref)
	}
	for a, refs := range answers {
		c.yield(a.to, a.number, a.age, refs)
	}
}

// yield answers a node's question for actors, as a barrier: what was sent on comes first.
func (c *Cluster) yield(to ident.NodeID, number uint64, age time.Duration, refs []actors.Ref) {
	c.mu.Lock()
	speaks := c.mu.state.speaks(to)
	c.mu.Unlock()
	e := c.pinning(nodepb.Envelope_YIELDED, number, age, refs)
	taken := false
	if speaks {
		e.hops = uint32(c.barriers.number.Add(1)) // ref is the question's
		taken = c.byAll(to, e)
	} else {
		taken = c.inform(to, nodepb.LinkClass_MESSAGES, e)
	}
	if !taken {
		c.mu.Lock()
		c.mu.state.unyielded(time.Now(), to, number, refs)
		c.mu.Unlock()
	}
}

// pinning asks a node for actors, or answers.
func (c *Cluster) pinning(how nodepb.Envelope_How, number uint64, age time.Duration, refs []actors.Ref) *envelope {
	m := &nodepb.Actors{AgeMs: uint64(age / time.Millisecond), List: protosOf(refs)}
	return &envelope{how: how, ref: number, typ: c.bodies.number(m), msg: m}
}

// receivePins takes another node's question for actors, or its answer.
func (c *Cluster) receivePins(from ident.NodeID, e *envelope) {
	var m nodepb.Actors
	if proto.Unmarshal(e.body, &m) != nil {
		c.counters.Unreadable.Add(1)
		return
	}
	refs := c.placedOf(m.List)
	how, number, age := e.how, e.ref, time.Duration(min(m.AgeMs, maxAge))*time.Millisecond
	c.post(func() {
		c.change(func(st *state) effects {
			if how == nodepb.Envelope_WANTED {
				return st.wanted(time.Now(), from, number, refs)
			}
			return st.yielded(time.Now(), from, number, age, refs)
		})
	})
}

// maxAge is as good as for ever, in milliseconds: a year.
const maxAge = 366 * 24 * 3600 * 1000
