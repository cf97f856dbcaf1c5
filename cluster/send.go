package cluster

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/jackdaw-im/jackdaw/actors"
	"github.com/jackdaw-im/jackdaw/cluster/link"
	"github.com/jackdaw-im/jackdaw/ident"
	"github.com/jackdaw-im/jackdaw/proto/nodepb"
)

// Send implements actors.Router.
func (c *Cluster) Send(to actors.Ref, sig actors.Signal) error {
	if sig.How == actors.HowDemonitor {
		c.demonitor(to, sig.Watch)
		return nil
	}
	if here, err := c.sendAway(to, sig); !here {
		return err
	}
	return c.hold(held{to: to, sig: sig})
}

// sendAway sends a signal to its actor's node, or reports that this one is it.
func (c *Cluster) sendAway(to actors.Ref, sig actors.Signal) (here bool, err error) {
	c.sending.RLock()
	defer c.sending.RUnlock()
	r := c.routes.Load()
	owner := r.owner(to)
	switch {
	case owner == "":
		return false, actors.ErrNoConnection
	case owner == c.self:
		return true, nil
	}
	if sig.How == actors.HowCast && !sig.Left {
		if ok, err := c.queued(r, to, sig.Msg); ok {
			return false, err
		}
	}
	return false, c.export(owner, to, sig)
}

// export sends a signal of this node to another.
func (c *Cluster) export(node ident.NodeID, to actors.Ref, sig actors.Signal) error {
	e := envelope{to: to, from: sig.From}
	if from := sig.From.Node; from != "" && from != c.self {
		e.origin = from // an actor that leaves sends on what was for it: a refusal is its sender's
	}
	if sig.Msg != nil {
		m, ok := sig.Msg.(proto.Message)
		if !ok {
			c.counters.Unsendable.Add(1)
			return fmt.Errorf("cluster: a %T is no protobuf message, and %v is on another node", sig.Msg, to)
		}
		e.msg, e.typ = m, c.bodies.number(m)
	}
	reserved := true
	switch sig.How {
	case actors.HowCast:
		e.how, reserved = nodepb.Envelope_CAST, false
	case actors.HowAnswer:
		e.how = nodepb.Envelope_ANSWER
	case actors.HowCall:
		e.how, reserved = nodepb.Envelope_CALL, false
		e.ref = c.calls.put(node, sig.Call)
	case actors.HowMonitor:
		e.how, e.ref = nodepb.Envelope_MONITOR, c.watches.put(node, sig.Watch)
	case actors.HowExit:
		e.how, e.reason = nodepb.Envelope_EXIT, sig.Reason
	}
	b, err := e.encode()
	if err == nil {
		err = c.give(node, classOf(&e), b, reserved)
	}
	if err != nil {
		switch sig.How { // the error is the answer
		case actors.HowCall:
			c.calls.take(e.ref)
		case actors.HowMonitor:
			c.watches.take(e.ref)
		}
		return err
	}
	c.counters.Sent.Add(1)
	return nil
}

// give puts an envelope on a link.
func (c *Cluster) give(node ident.NodeID, class nodepb.LinkClass, b []byte, reserved bool) error {
	if c.links == nil {
		return actors.ErrNoConnection
	}
	switch err := c.links.Send(node, class, b, reserved); {
	case err == nil:
		return nil
	case errors.Is(err, link.ErrFull):
		c.counters.Full.Add(1)
		return actors.ErrOverloaded
	default:
		return actors.ErrNoConnection
	}
}

// toNode sends an envelope that is about an earlier one, or handles it here if that came from here.
func (c *Cluster) toNode(node ident.NodeID, class nodepb.LinkClass, reserved bool, e *envelope) {
	b, err := e.encode()
	if err == nil && node == c.self {
		c.Receive(c.self, class, b)
		return
	}
	if err == nil {
		err = c.give(node, class, b, reserved)
	}
	if err != nil {
		c.counters.Lost.Add(1)
	}
}

// classOf is the link that an envelope takes. What has to keep an order among itself has one class.
func classOf(e *envelope) nodepb.LinkClass {
	switch e.how {
	case nodepb.Envelope_CAST, nodepb.Envelope_BOUNCE:
		switch e.msg.(type) {
		case *nodepb.Presence, *nodepb.Subscription, *nodepb.RosterPush:
			return nodepb.LinkClass_PRESENCE
		}
	case nodepb.Envelope_GROUP:
		return nodepb.LinkClass_CONTROL
	}
	return nodepb.LinkClass_MESSAGES
}

// demonitor withdraws a monitor of this node's.
func (c *Cluster) demonitor(to actors.Ref, w *actors.Watch) {
	if node, id, ok := c.watches.drop(w); ok {
		c.toNode(node, nodepb.LinkClass_MESSAGES, true, &envelope{how: nodepb.Envelope_DEMONITOR, to: to, ref: id})
	}
}

// SendAll implements actors.FanOuter: one envelope for each node and some hundred addressees, not one for each of them.
func (c *Cluster) SendAll(from actors.Ref, to []actors.Ref, msg any) (refused []actors.Refused) {
	m, ok := msg.(proto.Message)
	if !ok {
		c.counters.Unsendable.Add(1)
		err := fmt.Errorf("cluster: a %T is no protobuf message", msg)
		for _, ref := range to {
			refused = append(refused, actors.Refused{To: ref, Err: err})
		}
		return refused
	}
	here, refused := c.sendAllAway(from, to, m)
	for _, ref := range here {
		if err := c.Send(ref, actors.Signal{How: actors.HowCast, From: from, Msg: msg}); err != nil {
			refused = append(refused, actors.Refused{To: ref, Err: err})
		}
	}
	return refused
}

// sendAllAway sends to the other nodes, and to those that are leaving this one as a cast does. It returns the actors that are on no other node, and
// those for whom nothing was taken.
func (c *Cluster) sendAllAway(from actors.Ref, to []actors.Ref, m proto.Message) (here []actors.Ref, refused []actors.Refused) {
	c.sending.RLock()
	defer c.sending.RUnlock()
	r := c.routes.Load()
	waiting := map[ident.NodeID][]actors.Ref{}
	for _, ref := range to {
		owner := r.owner(ref)
		if owner == "" || owner == c.self {
			here = append(here, ref)
			continue
		}
		if ok, err := c.queued(r, ref, m); ok {
			if err != nil {
				refused = append(refused, actors.Refused{To: ref, Err: err})
			}
			continue
		}
		some := waiting[owner]
		if some == nil {
			some = make([]actors.Ref, 0, min(len(to), maxMore))
		}
		if some = append(some, ref); len(some) == maxMore {
			refused = append(refused, c.sendSome(owner, from, some, m)...)
			some = some[:0]
		}
		waiting[owner] = some
	}
	for owner, some := range waiting {
		if len(some) > 0 {
			refused = append(refused, c.sendSome(owner, from, some, m)...)
		}
	}
	return here, refused
}

// sendSome casts m to actors of one node, at most maxMore, and returns them if it wasn't taken.
func (c *Cluster) sendSome(node ident.NodeID, from actors.Ref, to []actors.Ref, m proto.Message) (refused []actors.Refused) {
	e := envelope{how: nodepb.Envelope_CAST, to: to[0], from: from, more: to[1:], msg: m, typ: c.bodies.number(m)}
	b, err := e.encode()
	if err == nil {
		err = c.give(node, classOf(&e), b, false)
	}
	if err == nil {
		c.counters.Sent.Add(1)
		return nil
	}
	for _, ref := range to {
		refused = append(refused, actors.Refused{To: ref, Err: err})
	}
	return refused
}

// maxMore is how many addressees one envelope has at most.
const maxMore = 512
